CREATE OR REPLACE VIEW fahr.researcher_survival_curve AS
SELECT DISTINCT ON (analysis_id, method, stratifier, stratum, grid_years)
    analysis_id, cohort, is_latest, stratifier, stratum, grid_years, survival, ci_lower, ci_upper, method
FROM fahr.survival_curve
CROSS JOIN LATERAL (SELECT ceil(time_years * 2) / 2 AS grid_years) AS grid
WHERE at_risk >= (SELECT small_cell FROM fahr.schema_state_v1)
ORDER BY analysis_id, method, stratifier, stratum, grid_years, time_years DESC;
COMMENT ON VIEW fahr.researcher_survival_curve IS 'The survival curves on a grid of half years, as long as enough persons are at risk: no single person''s time of death shows.';
COMMENT ON COLUMN fahr.researcher_survival_curve.grid_years IS 'Years since index, in half years; a half year without events has no row of its own.';
