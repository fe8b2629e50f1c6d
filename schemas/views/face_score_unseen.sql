CREATE OR REPLACE VIEW fahr.face_score_unseen AS
WITH teaching AS (
    -- A release that takes over another's network, byte for byte, was taught by what taught that one.
    SELECT
        model.model_id, training.data_set_id, training.split, training.fold, training.biomarker
    FROM fahr.model_version_v1 AS model
    JOIN fahr.model_training_v1 AS training
        ON training.model_id = model.model_id
        OR (training.biomarker = 'age' AND training.network_sha256 = model.age_weights_sha256)
        OR (training.biomarker = 'survival' AND training.network_sha256 = model.survival_weights_sha256)
),
taught AS (
    SELECT
        teaching.model_id, photo.content_sha256, photo.person_id,
        bool_or(teaching.biomarker IN ('age', 'encoder')) AS age,
        bool_or(teaching.biomarker IN ('survival', 'encoder')) AS survival
    FROM teaching
    JOIN fahr.training_photo_v1 AS photo USING (data_set_id, split, fold)
    GROUP BY teaching.model_id, photo.content_sha256, photo.person_id
),
-- Everybody whose photo taught a model: as recorded with the data set, and whoever the same bytes are filed under now.
taught_person AS (
    SELECT model_id, person_id, bool_or(age) AS age, bool_or(survival) AS survival
    FROM (
        SELECT model_id, person_id, age, survival FROM taught
        UNION ALL
        SELECT taught.model_id, filed.person_id, taught.age, taught.survival
        FROM taught JOIN fahr.photo_v1 AS filed USING (content_sha256)
    ) AS of_person
    WHERE person_id IS NOT NULL
    GROUP BY model_id, person_id
),
-- Photos whose person nobody knows are known by their bytes alone.
taught_content AS (
    SELECT model_id, content_sha256, bool_or(age) AS age, bool_or(survival) AS survival
    FROM taught GROUP BY model_id, content_sha256
)
SELECT
    score.photo_id, score.person_id, score.session_id, score.captured_at, score.captured_on, score.age_at_photo_years,
    unseen.face_age_years,
    unseen.face_age_years - score.age_at_photo_years AS face_age_gap_years,
    unseen.face_survival_log_risk,
    unseen.face_age_years IS NULL AND score.face_age_years IS NOT NULL AS face_age_withheld,
    unseen.face_survival_log_risk IS NULL AND score.face_survival_log_risk IS NOT NULL AS face_survival_withheld,
    out_of_fold_age.value IS NOT NULL AS face_age_out_of_fold,
    out_of_fold_survival.value IS NOT NULL AS face_survival_out_of_fold,
    score.source, score.model_id, score.preprocessing_id, score.is_current_model, score.content_sha256
FROM fahr.face_score AS score
JOIN fahr.model_version_v1 AS model USING (model_id, preprocessing_id)
LEFT JOIN taught_person USING (model_id, person_id)
LEFT JOIN taught_content USING (model_id, content_sha256)
LEFT JOIN fahr.out_of_fold_score_v1 AS out_of_fold_age
    ON out_of_fold_age.biomarker = 'age' AND out_of_fold_age.content_sha256 = score.content_sha256
    AND out_of_fold_age.network_sha256 = model.age_weights_sha256
    AND out_of_fold_age.preprocessing_id = score.preprocessing_id
LEFT JOIN fahr.out_of_fold_score_v1 AS out_of_fold_survival
    ON out_of_fold_survival.biomarker = 'survival' AND out_of_fold_survival.content_sha256 = score.content_sha256
    AND out_of_fold_survival.network_sha256 = model.survival_weights_sha256
    AND out_of_fold_survival.preprocessing_id = score.preprocessing_id
CROSS JOIN LATERAL (
    SELECT
        CASE
            WHEN out_of_fold_age.value IS NOT NULL THEN out_of_fold_age.value
            WHEN NOT coalesce(taught_person.age, false) AND NOT coalesce(taught_content.age, false)
            THEN score.face_age_years
        END AS face_age_years,
        CASE
            WHEN out_of_fold_survival.value IS NOT NULL THEN out_of_fold_survival.value
            WHEN NOT coalesce(taught_person.survival, false) AND NOT coalesce(taught_content.survival, false)
            THEN score.face_survival_log_risk
        END AS face_survival_log_risk
) AS unseen;
COMMENT ON VIEW fahr.face_score_unseen IS 'As fahr.face_score, but of networks that had not seen the person: where a photo of the person taught the model, the out-of-fold score, else none. Use this one wherever scores are evaluated or modelled.';
COMMENT ON COLUMN fahr.face_score_unseen.photo_id IS 'Our own number of the photo.';
COMMENT ON COLUMN fahr.face_score_unseen.person_id IS 'cdm.person.person_id through hospital.patient_id_map; null where nothing matches.';
COMMENT ON COLUMN fahr.face_score_unseen.model_id IS 'Model release.';
COMMENT ON COLUMN fahr.face_score_unseen.preprocessing_id IS 'How the photo was turned into network input.';
COMMENT ON COLUMN fahr.face_score_unseen.content_sha256 IS 'SHA-256 of the bytes that were scored.';
COMMENT ON COLUMN fahr.face_score_unseen.face_age_years IS 'FaceAge by a network that had not seen the person, years; null where there is none.';
COMMENT ON COLUMN fahr.face_score_unseen.face_age_gap_years IS 'FaceAge minus chronological age, years: positive looks older.';
COMMENT ON COLUMN fahr.face_score_unseen.face_survival_log_risk IS 'FaceSurvival by a network that had not seen the person, log risk; null where there is none.';
COMMENT ON COLUMN fahr.face_score_unseen.face_age_withheld IS 'True: the model has a FaceAge for this photo, but the person taught it.';
COMMENT ON COLUMN fahr.face_score_unseen.face_survival_withheld IS 'True: the model has a FaceSurvival for this photo, but the person taught it.';
COMMENT ON COLUMN fahr.face_score_unseen.face_age_out_of_fold IS 'True: FaceAge is an out-of-fold score.';
COMMENT ON COLUMN fahr.face_score_unseen.face_survival_out_of_fold IS 'True: FaceSurvival is an out-of-fold score.';
