CREATE OR REPLACE VIEW fahr.risk_latest AS
SELECT
    coefficient.cohort, model.model_name, model.description, model.method, model.endpoint, coefficient.term,
    coefficient.covariate, coefficient.label, coefficient.level, coefficient.reference_level, coefficient.unit,
    coefficient.hazard_ratio, coefficient.ci_lower, coefficient.ci_upper, coefficient.p_value, model.persons, model.events,
    model.concordance, model.ph_test_p_value, model.status_reason, model.model_id, model.fitted_on, coefficient.analysis_id
FROM fahr.risk_coefficient AS coefficient
JOIN fahr.risk_model AS model USING (analysis_id, model_name)
WHERE coefficient.is_latest;
COMMENT ON VIEW fahr.risk_latest IS 'The hazard ratios of the latest analysis of each cohort, with what is needed to read them: the table to start from.';
COMMENT ON COLUMN fahr.risk_latest.analysis_id IS 'fahr.risk_model.analysis_id.';
COMMENT ON COLUMN fahr.risk_latest.cohort IS 'Name of the cohort.';
COMMENT ON COLUMN fahr.risk_latest.model_name IS 'Name of the model in the analysis, for example face_age_adjusted.';
