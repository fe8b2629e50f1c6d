CREATE OR REPLACE VIEW fahr.risk_validation_flow AS
SELECT validation_id, step, reason, label, left_out, remaining, run_id
FROM fahr.risk_validation_flow_v1;
COMMENT ON VIEW fahr.risk_validation_flow IS 'From the persons of a cohort to those a frozen model was judged on: who was left out at which step, each once.';
