CREATE OR REPLACE VIEW fahr.risk_latest_subgroup AS
SELECT
    cohort, exposure, group_name, level, label, unit, persons, events, status, status_reason, hazard_ratio, ci_lower,
    ci_upper, interaction_p_value, interaction_p_value_holm, model_name, analysis_id
FROM fahr.risk_subgroup
WHERE is_latest;
COMMENT ON VIEW fahr.risk_latest_subgroup IS 'The hazard ratios within subgroups of the latest analysis of each cohort.';
