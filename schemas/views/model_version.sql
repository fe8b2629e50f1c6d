CREATE OR REPLACE VIEW fahr.model_version AS
SELECT
    model_id, preprocessing_id, is_current, registered_on, trained_on_synthetic, training_data, intended_use, licence,
    metrics, weights_sha256, age_weights_sha256, survival_weights_sha256, run_id
FROM fahr.model_version_v1;
COMMENT ON VIEW fahr.model_version IS 'Every model release that has scored photos here.';
