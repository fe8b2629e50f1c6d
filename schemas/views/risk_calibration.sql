CREATE OR REPLACE VIEW fahr.risk_calibration AS
SELECT
    calibration.analysis_id, model.cohort, latest.analysis_id IS NOT NULL AS is_latest, calibration.model_name,
    calibration.horizon_years, calibration.group_number, calibration.persons, calibration.events,
    calibration.predicted, calibration.observed, calibration.ci_lower, calibration.ci_upper, calibration.run_id
FROM fahr.risk_calibration_v1 AS calibration
JOIN fahr.risk_model_v1 AS model USING (analysis_id, model_name)
LEFT JOIN fahr.latest_analysis AS latest USING (cohort, analysis_id);
COMMENT ON VIEW fahr.risk_calibration IS 'Predicted beside observed probability of the event by a horizon, in groups of cross-fitted prediction.';
COMMENT ON COLUMN fahr.risk_calibration.analysis_id IS 'fahr.risk_model.analysis_id.';
COMMENT ON COLUMN fahr.risk_calibration.cohort IS 'Name of the cohort.';
COMMENT ON COLUMN fahr.risk_calibration.is_latest IS 'True for the latest analysis of the cohort.';
COMMENT ON COLUMN fahr.risk_calibration.model_name IS 'fahr.risk_model.model_name.';
