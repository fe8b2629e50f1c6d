CREATE OR REPLACE VIEW fahr.risk_flow AS
SELECT
    flow.analysis_id, flow.cohort, latest.analysis_id IS NOT NULL AS is_latest, flow.step, flow.reason, flow.label,
    flow.left_out, flow.remaining, flow.run_id
FROM fahr.risk_flow_v1 AS flow
LEFT JOIN fahr.latest_analysis AS latest USING (cohort, analysis_id);
COMMENT ON VIEW fahr.risk_flow IS 'From the persons of a cohort to those analysed: who was left out at which step, each once (a CONSORT-style flow).';
COMMENT ON COLUMN fahr.risk_flow.analysis_id IS 'fahr.risk_model.analysis_id.';
COMMENT ON COLUMN fahr.risk_flow.cohort IS 'Name of the cohort.';
COMMENT ON COLUMN fahr.risk_flow.is_latest IS 'True for the latest analysis of the cohort.';
