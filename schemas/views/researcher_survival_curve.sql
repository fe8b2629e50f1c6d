CREATE OR REPLACE VIEW fahr.researcher_survival_curve WITH (security_barrier = true) AS
SELECT DISTINCT ON (analysis_id, method, stratifier, stratum, grid_years)
    analysis_id, cohort, is_latest, stratifier, stratum, grid_years,
    round(survival::numeric, 2)::double precision AS survival,
    round(ci_lower::numeric, 2)::double precision AS ci_lower,
    round(ci_upper::numeric, 2)::double precision AS ci_upper,
    method
FROM fahr.survival_curve
CROSS JOIN LATERAL (SELECT ceil(time_years * 2) / 2 AS grid_years) AS grid
WHERE at_risk >= (SELECT small_cell FROM fahr.schema_state_v1)
ORDER BY analysis_id, method, stratifier, stratum, grid_years, time_years DESC;
COMMENT ON VIEW fahr.researcher_survival_curve IS 'The survival curves on a grid of half years, as long as enough persons are at risk: no single person''s time of death shows.';
COMMENT ON COLUMN fahr.researcher_survival_curve.grid_years IS 'Years since index, in half years; a half year without events has no row of its own.';
COMMENT ON COLUMN fahr.researcher_survival_curve.survival IS 'Probability to be free of the endpoint, to two decimals: an exact one would tell exact counts.';
COMMENT ON COLUMN fahr.researcher_survival_curve.ci_lower IS 'Lower end of its 95 % interval, to two decimals.';
COMMENT ON COLUMN fahr.researcher_survival_curve.ci_upper IS 'Upper end of its 95 % interval, to two decimals.';
