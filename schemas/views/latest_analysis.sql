CREATE OR REPLACE VIEW fahr.latest_analysis AS
SELECT DISTINCT ON (model.cohort) model.cohort, model.analysis_id, model.fitted_on
FROM fahr.risk_model_v1 AS model
JOIN fahr.run_v1 AS run USING (run_id)
ORDER BY model.cohort, model.fitted_on DESC, run.started_at DESC;
COMMENT ON VIEW fahr.latest_analysis IS 'The latest analysis of each cohort.';
COMMENT ON COLUMN fahr.latest_analysis.analysis_id IS 'Its id in the risk views.';
