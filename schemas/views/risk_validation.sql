CREATE OR REPLACE VIEW fahr.risk_validation AS
SELECT
    validation.validation_id, validation.frozen_id, frozen.cohort AS frozen_from, frozen.model_name, validation.cohort,
    validation.metric, validation.horizon_years, validation.persons, validation.events, validation.estimate,
    validation.lower_95, validation.upper_95, validation.note, validation.declaration_sha256, validation.data_sha256,
    validation.code_version, validation.validated_on, validation.run_id
FROM fahr.risk_validation_v1 AS validation
JOIN fahr.risk_frozen_model_v1 AS frozen USING (frozen_id);
COMMENT ON VIEW fahr.risk_validation IS 'How a frozen model does on a cohort it was not fitted on (external validation).';
COMMENT ON COLUMN fahr.risk_validation.frozen_id IS 'fahr.risk_frozen_model.frozen_id.';
COMMENT ON COLUMN fahr.risk_validation.frozen_from IS 'Cohort the model was fitted on.';
COMMENT ON COLUMN fahr.risk_validation.cohort IS 'Cohort it was judged on.';
