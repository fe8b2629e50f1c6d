CREATE OR REPLACE VIEW fahr.risk_effect AS
SELECT
    effect.analysis_id, model.cohort, latest.analysis_id IS NOT NULL AS is_latest, effect.model_name,
    effect.covariate, effect.value, effect.reference_value, effect.log_hazard_ratio, effect.hazard_ratio,
    effect.ci_lower, effect.ci_upper, effect.run_id
FROM fahr.risk_effect_v1 AS effect
JOIN fahr.risk_model_v1 AS model USING (analysis_id, model_name)
LEFT JOIN fahr.latest_analysis AS latest USING (cohort, analysis_id);
COMMENT ON VIEW fahr.risk_effect IS 'The curve of a spline: hazard ratio at values of the covariate against its median, all else equal.';
COMMENT ON COLUMN fahr.risk_effect.analysis_id IS 'fahr.risk_model.analysis_id.';
COMMENT ON COLUMN fahr.risk_effect.cohort IS 'Name of the cohort.';
COMMENT ON COLUMN fahr.risk_effect.is_latest IS 'True for the latest analysis of the cohort.';
COMMENT ON COLUMN fahr.risk_effect.model_name IS 'fahr.risk_model.model_name.';
