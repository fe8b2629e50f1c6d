CREATE OR REPLACE VIEW fahr.risk_performance AS
SELECT
    performance.analysis_id, model.cohort, latest.analysis_id IS NOT NULL AS is_latest, performance.model_name,
    performance.metric, performance.horizon_years, performance.group_name, performance.level, performance.persons,
    performance.events, performance.estimate, performance.lower_95, performance.upper_95, performance.note,
    performance.run_id
FROM fahr.risk_performance_v1 AS performance
JOIN fahr.risk_model_v1 AS model USING (analysis_id, model_name)
LEFT JOIN fahr.latest_analysis AS latest USING (cohort, analysis_id);
COMMENT ON VIEW fahr.risk_performance IS 'How well a model predicts persons it was not fitted on (cross-fitted): discrimination, calibration, error; overall and by group.';
COMMENT ON COLUMN fahr.risk_performance.analysis_id IS 'fahr.risk_model.analysis_id.';
COMMENT ON COLUMN fahr.risk_performance.cohort IS 'Name of the cohort.';
COMMENT ON COLUMN fahr.risk_performance.is_latest IS 'True for the latest analysis of the cohort.';
COMMENT ON COLUMN fahr.risk_performance.model_name IS 'fahr.risk_model.model_name.';
