CREATE OR REPLACE VIEW fahr.survival_curve AS
SELECT
    curve.analysis_id, analysis.cohort, analysis.is_latest, curve.stratifier, curve.stratum, curve.time_years,
    curve.survival, curve.ci_lower, curve.ci_upper, curve.at_risk, curve.events, curve.run_id, curve.method,
    curve.model_name
FROM fahr.survival_curve_v1 AS curve
JOIN (SELECT DISTINCT analysis_id, cohort, is_latest FROM fahr.risk_model) AS analysis USING (analysis_id);
COMMENT ON VIEW fahr.survival_curve IS 'Survival curves by level or quartile of a covariate. Choose a method: kaplan_meier as observed, adjusted as averaged over the cohort.';
COMMENT ON COLUMN fahr.survival_curve.analysis_id IS 'fahr.risk_model.analysis_id.';
COMMENT ON COLUMN fahr.survival_curve.run_id IS 'Risk run.';
