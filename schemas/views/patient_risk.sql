CREATE OR REPLACE VIEW fahr.patient_risk AS
SELECT
    risk.analysis_id, model.cohort, latest.analysis_id IS NOT NULL AS is_latest, risk.person_id, risk.model_name,
    risk.fold, risk.log_risk, risk.percentile, risk.quartile, risk.survival_1_year, risk.survival_3_year, risk.run_id,
    risk.episode, risk.log_risk_standard_error
FROM fahr.patient_risk_v1 AS risk
JOIN fahr.risk_model_v1 AS model USING (analysis_id, model_name)
LEFT JOIN fahr.latest_analysis AS latest USING (cohort, analysis_id);
COMMENT ON VIEW fahr.patient_risk IS 'Cross-fitted prediction for each person, from a model fitted on other persons. Research only, not for care.';
COMMENT ON COLUMN fahr.patient_risk.analysis_id IS 'fahr.risk_model.analysis_id.';
COMMENT ON COLUMN fahr.patient_risk.cohort IS 'Name of the cohort.';
COMMENT ON COLUMN fahr.patient_risk.is_latest IS 'True for the latest analysis of the cohort.';
COMMENT ON COLUMN fahr.patient_risk.model_name IS 'Model whose terms were refitted without this person''s fold.';
