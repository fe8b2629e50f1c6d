CREATE OR REPLACE VIEW fahr.training_photo AS
SELECT data_set_id, content_sha256, person_id, split, fold FROM fahr.training_photo_v1;
COMMENT ON VIEW fahr.training_photo IS 'The photos of each data set, with the split and fold of their person.';
