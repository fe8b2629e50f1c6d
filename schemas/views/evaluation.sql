CREATE OR REPLACE VIEW fahr.evaluation AS
SELECT
    evaluation.evaluation_id, evaluation.kind, evaluation.model_id, evaluation.preprocessing_id,
    row_number() OVER latest = 1 AS is_latest,
    evaluation.is_synthetic, evaluation.data, evaluation.photos, evaluation.people, evaluation.method, evaluation.remarks,
    evaluation.evaluated_on, evaluation.weights_sha256, evaluation.data_sha256, evaluation.code_version, evaluation.run_id
FROM fahr.evaluation_v1 AS evaluation
JOIN fahr.run_v1 AS run USING (run_id)
WINDOW latest AS (
    PARTITION BY evaluation.kind, evaluation.model_id
    ORDER BY evaluation.evaluated_on DESC, run.started_at DESC, evaluation.evaluation_id
);
COMMENT ON VIEW fahr.evaluation IS 'Every evaluation of a model on photos it was not trained on. Research use only, not for care.';
COMMENT ON COLUMN fahr.evaluation.is_latest IS 'True for the latest evaluation of this kind of this model.';
COMMENT ON COLUMN fahr.evaluation.run_id IS 'Run that evaluated.';
