CREATE OR REPLACE VIEW fahr.training_set AS
SELECT
    data_set_id, name, source, is_synthetic, preprocessing_id, photos, people, deaths, refused, split_seed,
    validation_share, test_share, folds, built_on, code_version, run_id
FROM fahr.training_set_v1;
COMMENT ON VIEW fahr.training_set IS 'Data sets for training: aligned faces with labels, split by person.';
