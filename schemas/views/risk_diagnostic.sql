CREATE OR REPLACE VIEW fahr.risk_diagnostic AS
SELECT
    diagnostic.analysis_id, model.cohort, latest.analysis_id IS NOT NULL AS is_latest, diagnostic.model_name,
    diagnostic.diagnostic, diagnostic.term, diagnostic.chi_squared, diagnostic.degrees, diagnostic.p_value,
    diagnostic.value, diagnostic.note, diagnostic.run_id, diagnostic.denominator_degrees
FROM fahr.risk_diagnostic_v1 AS diagnostic
JOIN fahr.risk_model_v1 AS model USING (analysis_id, model_name)
LEFT JOIN fahr.latest_analysis AS latest USING (cohort, analysis_id);
COMMENT ON VIEW fahr.risk_diagnostic IS 'Whether a model may be believed: proportional hazards, events for each term, influence of single persons.';
COMMENT ON COLUMN fahr.risk_diagnostic.analysis_id IS 'fahr.risk_model.analysis_id.';
COMMENT ON COLUMN fahr.risk_diagnostic.cohort IS 'Name of the cohort.';
COMMENT ON COLUMN fahr.risk_diagnostic.is_latest IS 'True for the latest analysis of the cohort.';
COMMENT ON COLUMN fahr.risk_diagnostic.model_name IS 'fahr.risk_model.model_name.';
