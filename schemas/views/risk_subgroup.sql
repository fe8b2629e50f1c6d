CREATE OR REPLACE VIEW fahr.risk_subgroup AS
SELECT
    subgroup.analysis_id, model.cohort, latest.analysis_id IS NOT NULL AS is_latest, subgroup.model_name,
    subgroup.exposure, subgroup.group_name, subgroup.level, subgroup.label, subgroup.unit, subgroup.persons,
    subgroup.events, subgroup.status, subgroup.status_reason, subgroup.log_hazard_ratio, subgroup.standard_error,
    subgroup.hazard_ratio, subgroup.ci_lower, subgroup.ci_upper, subgroup.interaction_chi_squared,
    subgroup.interaction_degrees, subgroup.interaction_p_value, subgroup.interaction_p_value_holm, subgroup.run_id,
    subgroup.interaction_denominator_degrees
FROM fahr.risk_subgroup_v1 AS subgroup
JOIN fahr.risk_model_v1 AS model USING (analysis_id, model_name)
LEFT JOIN fahr.latest_analysis AS latest USING (cohort, analysis_id);
COMMENT ON VIEW fahr.risk_subgroup IS 'Hazard ratios of an exposure within subgroups, adjusted as its model, with the test whether they differ.';
COMMENT ON COLUMN fahr.risk_subgroup.analysis_id IS 'fahr.risk_model.analysis_id.';
COMMENT ON COLUMN fahr.risk_subgroup.cohort IS 'Name of the cohort.';
COMMENT ON COLUMN fahr.risk_subgroup.is_latest IS 'True for the latest analysis of the cohort.';
COMMENT ON COLUMN fahr.risk_subgroup.model_name IS 'Model to which the interaction was added.';
