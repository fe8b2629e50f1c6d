CREATE OR REPLACE VIEW fahr.researcher_risk_performance WITH (security_barrier = true) AS
SELECT
    analysis_id, cohort, is_latest, model_name, metric, horizon_years, group_name, level,
    (round(persons / 5.0) * 5)::integer AS persons,
    (round(events / 5.0) * 5)::integer AS events,
    estimate, lower_95, upper_95, fahr.without_counts(note) AS note
FROM fahr.risk_performance
WHERE (jsonb_build_array(analysis_id, model_name, metric, horizon_years)::text, group_name, level) NOT IN (
    SELECT table_key, group_name, level FROM fahr.hidden_cell WHERE source = 'risk_performance'
);
COMMENT ON VIEW fahr.researcher_risk_performance IS 'How well models predict; numbers of groups with few persons, few events or few without are left out, and others from which theirs would follow.';
COMMENT ON COLUMN fahr.researcher_risk_performance.persons IS 'Persons it was measured on, rounded to five.';
COMMENT ON COLUMN fahr.researcher_risk_performance.events IS 'Events among them, rounded to five.';
COMMENT ON COLUMN fahr.researcher_risk_performance.group_name IS 'What the persons are grouped by; all for the whole.';
COMMENT ON COLUMN fahr.researcher_risk_performance.level IS 'Level of the group; all for the whole.';
COMMENT ON COLUMN fahr.researcher_risk_performance.note IS 'As in fahr.risk_performance, without the counts in it.';
