CREATE OR REPLACE VIEW fahr.researcher_risk_latest WITH (security_barrier = true) AS
SELECT
    coefficient.cohort, model.model_name, model.description, model.method, model.endpoint, coefficient.term,
    coefficient.covariate, coefficient.label, coefficient.level, coefficient.reference_level, coefficient.unit,
    coefficient.hazard_ratio, coefficient.ci_lower, coefficient.ci_upper, coefficient.p_value, model.persons, model.events,
    model.concordance, model.ph_test_p_value, model.status_reason, model.model_id, model.fitted_on, coefficient.analysis_id
FROM fahr.risk_coefficient AS coefficient
JOIN fahr.researcher_risk_model AS model USING (analysis_id, model_name)
WHERE coefficient.is_latest;
COMMENT ON VIEW fahr.researcher_risk_latest IS 'The hazard ratios of the latest analysis of each cohort, with rounded counts: the table to start from.';
COMMENT ON COLUMN fahr.researcher_risk_latest.model_name IS 'Name of the model in the declaration of the cohort.';
COMMENT ON COLUMN fahr.researcher_risk_latest.analysis_id IS 'The analysis, as in fahr.researcher_risk_model.';
