CREATE OR REPLACE VIEW fahr.face_score AS
SELECT
    photo.photo_id,
    photo.person_id,
    photo.person_id || '/' || to_char(photo.captured_at, 'YYYY-MM-DD') AS session_id,
    photo.captured_at,
    photo.captured_at::date AS captured_on,
    fahr.age_at_photo(photo.photo_id) AS age_at_photo_years,
    score.face_age_years,
    score.face_age_years - fahr.age_at_photo(photo.photo_id) AS face_age_gap_years,
    score.face_survival_log_risk,
    score.detection_probability,
    score.face_width_px,
    score.sharpness,
    photo.source,
    score.model_id,
    score.preprocessing_id,
    model.is_current AS is_current_model,
    score.content_sha256,
    score.weights_sha256,
    score.code_version,
    score.run_id,
    score.scored_on
FROM fahr.photo_v1 AS photo
JOIN fahr.validation_v1 AS decision USING (photo_id, content_sha256)
JOIN fahr.face_score_v1 AS score USING (content_sha256)
JOIN fahr.model_version_v1 AS model USING (model_id, preprocessing_id)
WHERE decision.accepted;
COMMENT ON VIEW fahr.face_score IS 'One row for each accepted photo and each model that scored it. Research use only, not for care.';
COMMENT ON COLUMN fahr.face_score.photo_id IS 'Our own number of the photo.';
COMMENT ON COLUMN fahr.face_score.session_id IS 'The photos of one person on one day: person_id/YYYY-MM-DD.';
COMMENT ON COLUMN fahr.face_score.captured_on IS 'Day the photo was taken.';
COMMENT ON COLUMN fahr.face_score.age_at_photo_years IS 'Chronological age when the photo was taken, years to one decimal; null while there is no cdm.person.';
COMMENT ON COLUMN fahr.face_score.face_age_gap_years IS 'FaceAge minus chronological age, years: positive looks older.';
COMMENT ON COLUMN fahr.face_score.is_current_model IS 'True for scores of the release that nightly scoring uses now.';
COMMENT ON COLUMN fahr.face_score.content_sha256 IS 'SHA-256 of the bytes that were scored.';
COMMENT ON COLUMN fahr.face_score.run_id IS 'Scoring run.';
COMMENT ON COLUMN fahr.face_score.model_id IS 'Model release.';
COMMENT ON COLUMN fahr.face_score.preprocessing_id IS 'How the photo was turned into network input.';
