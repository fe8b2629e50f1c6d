CREATE OR REPLACE VIEW fahr.researcher_risk_model WITH (security_barrier = true) AS
SELECT
    analysis_id, cohort, is_latest, model_name, endpoint, description, method, status,
    fahr.without_counts(status_reason) AS status_reason,
    CASE WHEN is_large THEN (round(persons / 5.0) * 5)::integer END AS persons,
    CASE WHEN is_large THEN (round(events / 5.0) * 5)::integer END AS events,
    log_likelihood, null_log_likelihood, aic, concordance, ph_test_p_value, ph_global_p_value, ties, strata, is_robust,
    terms, imputations, model_id, declaration_sha256, data_sha256, code_version, fitted_on
FROM fahr.risk_model
CROSS JOIN LATERAL (
    SELECT least(persons, events, persons - events) >= small_cell AS is_large FROM fahr.schema_state_v1
) AS state;
COMMENT ON VIEW fahr.researcher_risk_model IS 'Every Cox model of every analysis, with rounded counts: two models'' exact ones would tell how few lack a covariate.';
COMMENT ON COLUMN fahr.researcher_risk_model.persons IS 'Persons it was fitted on, rounded to five; null where persons, events or persons without are few.';
COMMENT ON COLUMN fahr.researcher_risk_model.events IS 'Events among them, rounded to five; null likewise.';
COMMENT ON COLUMN fahr.researcher_risk_model.status_reason IS 'As in fahr.risk_model, without the counts in it.';
