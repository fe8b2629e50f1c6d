CREATE OR REPLACE VIEW fahr.risk_model AS
SELECT
    model.analysis_id, model.cohort, latest.analysis_id IS NOT NULL AS is_latest, model.model_name, model.endpoint,
    model.description, model.status, model.status_reason, model.persons, model.events, model.log_likelihood, model.aic,
    model.concordance, model.ph_test_p_value, model.ties, model.model_id, model.declaration_sha256, model.data_sha256,
    model.code_version, model.fitted_on, model.run_id, model.method, model.strata, model.is_robust, model.terms,
    model.null_log_likelihood, model.ph_global_p_value, model.imputations
FROM fahr.risk_model_v1 AS model
LEFT JOIN fahr.latest_analysis AS latest USING (cohort, analysis_id);
COMMENT ON VIEW fahr.risk_model IS 'Every Cox model of every analysis: fitted, or refused and why. Hazard ratios of a cohort are not a person''s hazard.';
COMMENT ON COLUMN fahr.risk_model.analysis_id IS 'Fingerprint of cohort declaration, data and code: same data, same id.';
COMMENT ON COLUMN fahr.risk_model.cohort IS 'Name of the cohort.';
COMMENT ON COLUMN fahr.risk_model.is_latest IS 'True for the latest analysis of the cohort.';
