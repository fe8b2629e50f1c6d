CREATE OR REPLACE VIEW fahr.risk_coefficient AS
SELECT
    coefficient.analysis_id, model.cohort, latest.analysis_id IS NOT NULL AS is_latest, coefficient.model_name,
    coefficient.term, coefficient.covariate, coefficient.label, coefficient.level, coefficient.reference_level,
    coefficient.unit, coefficient.one_unit, coefficient.log_hazard_ratio, coefficient.standard_error,
    coefficient.hazard_ratio, coefficient.ci_lower, coefficient.ci_upper, coefficient.z, coefficient.p_value,
    coefficient.run_id, coefficient.degrees, coefficient.missing_information
FROM fahr.risk_coefficient_v1 AS coefficient
JOIN fahr.risk_model_v1 AS model USING (analysis_id, model_name)
LEFT JOIN fahr.latest_analysis AS latest USING (cohort, analysis_id);
COMMENT ON VIEW fahr.risk_coefficient IS 'Coefficients of the fitted Cox models: log hazard ratio, its standard error, hazard ratio with 95 % interval, p value.';
COMMENT ON COLUMN fahr.risk_coefficient.analysis_id IS 'fahr.risk_model.analysis_id.';
COMMENT ON COLUMN fahr.risk_coefficient.cohort IS 'Name of the cohort.';
COMMENT ON COLUMN fahr.risk_coefficient.is_latest IS 'True for the latest analysis of the cohort.';
COMMENT ON COLUMN fahr.risk_coefficient.model_name IS 'fahr.risk_model.model_name.';
