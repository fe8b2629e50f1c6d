CREATE OR REPLACE VIEW fahr.researcher_evaluation WITH (security_barrier = true) AS
SELECT
    evaluation_id, kind, model_id, preprocessing_id, is_latest, is_synthetic, data,
    CASE WHEN photos >= small_cell THEN (round(photos / 5.0) * 5)::integer END AS photos,
    CASE WHEN people >= small_cell THEN (round(people / 5.0) * 5)::integer END AS people,
    method, evaluated_on, weights_sha256, data_sha256, code_version
FROM fahr.evaluation
CROSS JOIN (SELECT small_cell FROM fahr.schema_state_v1) AS state;
COMMENT ON VIEW fahr.researcher_evaluation IS 'Every evaluation of a model on photos it was not trained on, with rounded counts. Research use only, not for care.';
COMMENT ON COLUMN fahr.researcher_evaluation.photos IS 'Photos evaluated, rounded to five; null where few.';
COMMENT ON COLUMN fahr.researcher_evaluation.people IS 'People in them, rounded to five; null where few.';
