CREATE OR REPLACE VIEW fahr.risk_over_time AS
SELECT
    over_time.analysis_id, model.cohort, latest.analysis_id IS NOT NULL AS is_latest, over_time.model_name,
    over_time.term, over_time.period, over_time.from_years, over_time.to_years, over_time.events,
    over_time.log_hazard_ratio, over_time.standard_error, over_time.run_id
FROM fahr.risk_over_time_v1 AS over_time
JOIN fahr.risk_model_v1 AS model USING (analysis_id, model_name)
LEFT JOIN fahr.latest_analysis AS latest USING (cohort, analysis_id);
COMMENT ON VIEW fahr.risk_over_time IS 'Whether hazards are proportional, to be drawn: means of scaled Schoenfeld residuals over periods with equally many events, each about the coefficient in its period.';
COMMENT ON COLUMN fahr.risk_over_time.analysis_id IS 'fahr.risk_model.analysis_id.';
COMMENT ON COLUMN fahr.risk_over_time.cohort IS 'Name of the cohort.';
COMMENT ON COLUMN fahr.risk_over_time.is_latest IS 'True for the latest analysis of the cohort.';
COMMENT ON COLUMN fahr.risk_over_time.model_name IS 'fahr.risk_model.model_name.';
COMMENT ON COLUMN fahr.risk_over_time.events IS 'Events of the period.';
