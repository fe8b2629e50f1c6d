-- What a CDM should hold of our scores: photographs that were accepted and scored by the current model, of people who are in
-- its `person` and have not opted out. Scores are those of networks that had not seen the person. Plain table names are
-- those of the CDM (search_path).
CREATE TEMPORARY TABLE wanted_series ON COMMIT DROP AS
SELECT
    photo.person_id::integer AS person_id,
    photo.captured_on AS taken_on,
    photo.source,
    min(pacs.study_uid) AS study_uid,
    encode(sha256(convert_to(concat_ws('/', photo.person_id, photo.captured_on, photo.source), 'UTF8')), 'hex') AS key,
    max(score.scored_on) AS scored_on,
    min(score.code_version) AS code_version,
    photo.model_id,
    photo.preprocessing_id,
    (
        SELECT min(visit_occurrence_id) FROM visit_occurrence AS visit
        WHERE visit.person_id = photo.person_id
            AND photo.captured_on BETWEEN visit.visit_start_date AND visit.visit_end_date
    ) AS visit_occurrence_id
FROM fahr.face_score_unseen AS photo
JOIN fahr.face_score_v1 AS score USING (content_sha256, model_id, preprocessing_id)
JOIN person ON person.person_id = photo.person_id
LEFT JOIN fahr.pacs_photo_v1 AS pacs USING (photo_id)
WHERE photo.is_current_model AND photo.captured_on IS NOT NULL
    AND NOT EXISTS (SELECT FROM fahr.refusing_person AS refusing WHERE refusing.person_id = photo.person_id)
GROUP BY photo.person_id, photo.captured_on, photo.source, photo.model_id, photo.preprocessing_id;

CREATE TEMPORARY TABLE wanted_score ON COMMIT DROP AS
SELECT
    session.person_id::integer AS person_id, session.session_on AS taken_on, session.model_id, biomarker.role,
    biomarker.value::numeric AS value,
    (
        SELECT min(series.visit_occurrence_id) FROM wanted_series AS series
        WHERE series.person_id = session.person_id AND series.taken_on = session.session_on
    ) AS visit_occurrence_id
FROM fahr.session_score_unseen AS session
CROSS JOIN LATERAL (VALUES
    ('face_age', session.face_age_years), ('face_survival', session.face_survival_log_risk)
) AS biomarker (role, value)
WHERE session.is_current_model AND biomarker.value IS NOT NULL
    AND EXISTS (
        SELECT FROM wanted_series AS series
        WHERE series.person_id = session.person_id AND series.taken_on = session.session_on
    );

-- A UID under 2.25 is a number of up to 128 bits (DICOM PS3.5, B.2); these are made of the hash of the series.
ALTER TABLE wanted_series ADD series_uid text;
UPDATE wanted_series SET series_uid = '2.25.' || (
    ('x' || substr(key, 1, 15))::bit(60)::bigint::numeric * 1152921504606846976 + ('x' || substr(key, 16, 15))::bit(60)::bigint
);
UPDATE wanted_series SET study_uid = '2.25.' || (
    ('x' || substr(key, 31, 15))::bit(60)::bigint::numeric * 1152921504606846976 + ('x' || substr(key, 46, 15))::bit(60)::bigint
) WHERE study_uid IS NULL;
ANALYZE wanted_series;
ANALYZE wanted_score;
