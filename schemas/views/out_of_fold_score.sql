CREATE OR REPLACE VIEW fahr.out_of_fold_score AS
SELECT content_sha256, model_id, preprocessing_id, biomarker, network_sha256, value, data_set_id, fold, run_id
FROM fahr.out_of_fold_score_v1;
COMMENT ON VIEW fahr.out_of_fold_score IS 'What a network trained without the person''s fold says of a photo that taught the released network.';
