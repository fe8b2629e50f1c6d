CREATE OR REPLACE VIEW fahr.risk_contrast AS
SELECT
    contrast.analysis_id, model.cohort, latest.analysis_id IS NOT NULL AS is_latest, contrast.contrast, contrast.kind,
    contrast.label, contrast.model_name, contrast.smaller_model_name, contrast.covariate, contrast.status,
    fahr.without_counts(contrast.status_reason) AS status_reason, contrast.statistic, contrast.chi_squared,
    contrast.degrees, contrast.p_value, contrast.p_value_holm, contrast.hazard_ratio, contrast.hazard_ratio_lower, contrast.hazard_ratio_upper,
    contrast.delta_aic, contrast.delta_concordance, contrast.delta_concordance_lower,
    contrast.delta_concordance_upper, contrast.run_id, contrast.denominator_degrees
FROM fahr.risk_contrast_v1 AS contrast
JOIN fahr.risk_model_v1 AS model USING (analysis_id, model_name)
LEFT JOIN fahr.latest_analysis AS latest USING (cohort, analysis_id);
COMMENT ON VIEW fahr.risk_contrast IS 'Tests of several terms at once: nested models, whole covariates, trends over quarters, departures from a straight line.';
COMMENT ON COLUMN fahr.risk_contrast.analysis_id IS 'fahr.risk_model.analysis_id.';
COMMENT ON COLUMN fahr.risk_contrast.cohort IS 'Name of the cohort.';
COMMENT ON COLUMN fahr.risk_contrast.is_latest IS 'True for the latest analysis of the cohort.';
COMMENT ON COLUMN fahr.risk_contrast.model_name IS 'Model tested; of nested models the larger.';
COMMENT ON COLUMN fahr.risk_contrast.status IS 'computed or refused.';
COMMENT ON COLUMN fahr.risk_contrast.status_reason IS 'Why it was refused, or what is doubtful, without the counts that fahr.risk_model tells; null where nothing is.';
