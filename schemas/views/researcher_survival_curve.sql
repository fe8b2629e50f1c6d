-- A curve tells its events to whoever knows how many persons it is of: each point is therefore told only when enough
-- happened since the point that was told before it, and enough after it (how many there are in all, other views tell).
CREATE OR REPLACE VIEW fahr.researcher_survival_curve WITH (security_barrier = true) AS
WITH RECURSIVE counted AS (
    SELECT
        curve.*, ceil(time_years * 2) / 2 AS grid_years,
        sum(events) OVER (PARTITION BY analysis_id, method, stratifier, stratum ORDER BY time_years) AS events_so_far,
        sum(events) OVER (PARTITION BY analysis_id, method, stratifier, stratum) AS events_in_all
    FROM fahr.survival_curve AS curve
),
point AS (
    SELECT
        last_of_half_year.*,
        row_number() OVER (PARTITION BY analysis_id, method, stratifier, stratum ORDER BY grid_years) AS number
    FROM (
        SELECT DISTINCT ON (analysis_id, method, stratifier, stratum, grid_years) *
        FROM counted CROSS JOIN (SELECT small_cell FROM fahr.schema_state_v1) AS state
        WHERE at_risk >= small_cell
        ORDER BY analysis_id, method, stratifier, stratum, grid_years, time_years DESC
    ) AS last_of_half_year
    WHERE events_in_all - events_so_far = 0 OR events_in_all - events_so_far >= small_cell
),
judged AS (
    SELECT
        analysis_id, method, stratifier, stratum, number, events_so_far >= small_cell AS is_told,
        CASE WHEN events_so_far >= small_cell THEN events_so_far ELSE 0 END AS events_told
    FROM point
    WHERE number = 1
    UNION ALL
    SELECT
        analysis_id, method, stratifier, stratum, point.number, events_so_far >= events_told + small_cell,
        CASE WHEN events_so_far >= events_told + small_cell THEN events_so_far ELSE events_told END
    FROM judged JOIN point USING (analysis_id, method, stratifier, stratum)
    WHERE point.number = judged.number + 1
)
SELECT
    analysis_id, cohort, is_latest, stratifier, stratum, grid_years,
    round(survival::numeric, 2)::double precision AS survival,
    round(ci_lower::numeric, 2)::double precision AS ci_lower,
    round(ci_upper::numeric, 2)::double precision AS ci_upper,
    method
FROM point JOIN judged USING (analysis_id, method, stratifier, stratum, number)
WHERE is_told;
COMMENT ON VIEW fahr.researcher_survival_curve IS 'The survival curves on a grid of half years, as long as enough persons are at risk, and only where enough events happened since the point before (a curve starts at 1) and after it: no few persons'' times of death show.';
COMMENT ON COLUMN fahr.researcher_survival_curve.grid_years IS 'Years since index, in half years; a half year with few events has no row of its own: they show in the next row.';
COMMENT ON COLUMN fahr.researcher_survival_curve.survival IS 'Probability to be free of the endpoint, to two decimals: an exact one would tell exact counts.';
COMMENT ON COLUMN fahr.researcher_survival_curve.ci_lower IS 'Lower end of its 95 % interval, to two decimals.';
COMMENT ON COLUMN fahr.researcher_survival_curve.ci_upper IS 'Upper end of its 95 % interval, to two decimals.';
