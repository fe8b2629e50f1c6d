CREATE OR REPLACE VIEW fahr.risk_latest_performance AS
SELECT
    cohort, model_name, metric, horizon_years, group_name, level, persons, events, estimate, lower_95, upper_95, note,
    analysis_id
FROM fahr.risk_performance
WHERE is_latest;
COMMENT ON VIEW fahr.risk_latest_performance IS 'How well the models of the latest analysis of each cohort predict persons they were not fitted on.';
