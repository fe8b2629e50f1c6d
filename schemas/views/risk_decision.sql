CREATE OR REPLACE VIEW fahr.risk_decision AS
SELECT
    decision.analysis_id, model.cohort, latest.analysis_id IS NOT NULL AS is_latest, decision.model_name,
    decision.horizon_years, decision.threshold, decision.chosen, decision.net_benefit, decision.of_everybody,
    decision.run_id
FROM fahr.risk_decision_v1 AS decision
JOIN fahr.risk_model_v1 AS model USING (analysis_id, model_name)
LEFT JOIN fahr.latest_analysis AS latest USING (cohort, analysis_id);
COMMENT ON VIEW fahr.risk_decision IS 'Decision curves (Vickers): net benefit of acting on a cross-fitted prediction above a threshold. Research only, not for care.';
COMMENT ON COLUMN fahr.risk_decision.analysis_id IS 'fahr.risk_model.analysis_id.';
COMMENT ON COLUMN fahr.risk_decision.cohort IS 'Name of the cohort.';
COMMENT ON COLUMN fahr.risk_decision.is_latest IS 'True for the latest analysis of the cohort.';
COMMENT ON COLUMN fahr.risk_decision.model_name IS 'fahr.risk_model.model_name.';
