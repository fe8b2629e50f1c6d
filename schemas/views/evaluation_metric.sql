CREATE OR REPLACE VIEW fahr.evaluation_metric AS
SELECT
    metric.evaluation_id, evaluation.kind, evaluation.model_id, evaluation.is_latest, evaluation.is_synthetic,
    metric.metric, metric.group_name, metric.level, metric.estimate, metric.lower_95, metric.upper_95,
    metric.photos, metric.people, metric.events, metric.note
FROM fahr.evaluation_metric_v1 AS metric
JOIN fahr.evaluation USING (evaluation_id);
COMMENT ON VIEW fahr.evaluation_metric IS 'The numbers of every evaluation, one a row.';
COMMENT ON COLUMN fahr.evaluation_metric.evaluation_id IS 'fahr.evaluation.evaluation_id.';
