CREATE OR REPLACE VIEW fahr.researcher_evaluation_metric WITH (security_barrier = true) AS
SELECT
    evaluation_id, kind, model_id, is_latest, is_synthetic, metric, group_name, level, estimate, lower_95, upper_95,
    (round(photos / 5.0) * 5)::integer AS photos,
    (round(people / 5.0) * 5)::integer AS people,
    (round(events / 5.0) * 5)::integer AS events,
    fahr.without_counts(note) AS note
FROM fahr.evaluation_metric
WHERE (jsonb_build_array(evaluation_id, metric)::text, group_name, level) NOT IN (
    SELECT table_key, group_name, level FROM fahr.hidden_cell WHERE source = 'evaluation_metric'
);
COMMENT ON VIEW fahr.researcher_evaluation_metric IS 'The numbers of every evaluation; those of few photos, people or deaths are left out, and others from which theirs would follow.';
COMMENT ON COLUMN fahr.researcher_evaluation_metric.photos IS 'Photos behind the number, rounded to five so that a cell left out cannot be found by subtraction.';
COMMENT ON COLUMN fahr.researcher_evaluation_metric.people IS 'People behind it, rounded to five.';
COMMENT ON COLUMN fahr.researcher_evaluation_metric.events IS 'Deaths behind it, where survival is concerned, rounded to five.';
COMMENT ON COLUMN fahr.researcher_evaluation_metric.group_name IS 'What the persons are grouped by; all for the whole.';
COMMENT ON COLUMN fahr.researcher_evaluation_metric.level IS 'Level of the group; all for the whole.';
COMMENT ON COLUMN fahr.researcher_evaluation_metric.note IS 'As in fahr.evaluation_metric, without the counts in it.';
