CREATE OR REPLACE VIEW fahr.risk_latest_contrast AS
SELECT
    cohort, contrast, kind, label, model_name, smaller_model_name, covariate, status, status_reason, chi_squared, degrees,
    p_value, p_value_holm, hazard_ratio, hazard_ratio_lower, hazard_ratio_upper, delta_aic, delta_concordance,
    delta_concordance_lower, delta_concordance_upper, analysis_id
FROM fahr.risk_contrast
WHERE is_latest;
COMMENT ON VIEW fahr.risk_latest_contrast IS 'The nested tests, joint tests and trends of the latest analysis of each cohort.';
