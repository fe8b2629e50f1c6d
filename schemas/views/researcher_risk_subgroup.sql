CREATE OR REPLACE VIEW fahr.researcher_risk_subgroup WITH (security_barrier = true) AS
SELECT
    analysis_id, cohort, is_latest, model_name, exposure, group_name, level, label, unit,
    (round(persons / 5.0) * 5)::integer AS persons,
    (round(events / 5.0) * 5)::integer AS events,
    status, fahr.without_counts(status_reason) AS status_reason, log_hazard_ratio, standard_error, hazard_ratio, ci_lower, ci_upper, interaction_chi_squared,
    interaction_degrees, interaction_p_value, interaction_p_value_holm
FROM fahr.risk_subgroup
WHERE (jsonb_build_array(analysis_id, model_name, exposure)::text, group_name, level) NOT IN (
    SELECT table_key, group_name, level FROM fahr.hidden_cell WHERE source = 'risk_subgroup'
);
COMMENT ON VIEW fahr.researcher_risk_subgroup IS 'Hazard ratios within subgroups; groups with few persons, few events or few without are left out, and others from which theirs would follow.';
COMMENT ON COLUMN fahr.researcher_risk_subgroup.persons IS 'Persons of the group, rounded to five so that a group left out cannot be found by subtraction.';
COMMENT ON COLUMN fahr.researcher_risk_subgroup.events IS 'Events among them, rounded to five.';
COMMENT ON COLUMN fahr.researcher_risk_subgroup.group_name IS 'What the persons are grouped by; all for the whole.';
COMMENT ON COLUMN fahr.researcher_risk_subgroup.level IS 'Level of the group; all for the whole.';
COMMENT ON COLUMN fahr.researcher_risk_subgroup.status_reason IS 'As in fahr.risk_subgroup, without the counts in it.';
