CREATE OR REPLACE VIEW fahr.session_score AS
SELECT
    session.*,
    session.face_age_years - session.age_at_session_years AS face_age_gap_years
FROM (
    SELECT
        session_id,
        person_id,
        captured_on AS session_on,
        count(*)::integer AS photos,
        min(age_at_photo_years) AS age_at_session_years,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY face_age_years) AS face_age_years,
        max(face_age_years) - min(face_age_years) AS face_age_spread_years,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY face_survival_log_risk) AS face_survival_log_risk,
        model_id,
        preprocessing_id,
        is_current_model
    FROM fahr.face_score
    GROUP BY session_id, person_id, captured_on, model_id, preprocessing_id, is_current_model
) AS session;
COMMENT ON VIEW fahr.session_score IS 'One row for each person, day and model: the median over the day''s photos. Use this one, not single photos, for a person''s FaceAge.';
COMMENT ON COLUMN fahr.session_score.session_on IS 'Day of the session.';
COMMENT ON COLUMN fahr.session_score.photos IS 'Scored photos of the session.';
COMMENT ON COLUMN fahr.session_score.age_at_session_years IS 'Chronological age, years to one decimal; null while there is no cdm.person.';
COMMENT ON COLUMN fahr.session_score.face_age_years IS 'FaceAge of the session: median over its photos, years.';
COMMENT ON COLUMN fahr.session_score.face_age_spread_years IS 'Largest minus smallest FaceAge among its photos, years; 0 for one photo.';
COMMENT ON COLUMN fahr.session_score.face_survival_log_risk IS 'FaceSurvival of the session: median over its photos, log risk.';
COMMENT ON COLUMN fahr.session_score.face_age_gap_years IS 'FaceAge minus chronological age, years: positive looks older.';
