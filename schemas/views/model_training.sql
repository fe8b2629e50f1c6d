CREATE OR REPLACE VIEW fahr.model_training AS
SELECT model_id, biomarker, network_sha256, data_set_id, split, fold, trained_on, run_id FROM fahr.model_training_v1;
COMMENT ON VIEW fahr.model_training IS 'Which parts of which data sets taught a network, choosing its checkpoint and whatever it started from included.';
