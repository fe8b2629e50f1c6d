CREATE OR REPLACE VIEW fahr.risk_frozen_model AS
SELECT
    frozen_id, cohort, model_name, content, persons, events, model_id, declaration_sha256, data_sha256, code_version, run_id
FROM fahr.risk_frozen_model_v1;
COMMENT ON VIEW fahr.risk_frozen_model IS 'Models fitted on one cohort and kept as plain data, to be judged on another. Research only, not for care.';
