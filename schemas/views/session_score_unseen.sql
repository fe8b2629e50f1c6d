CREATE OR REPLACE VIEW fahr.session_score_unseen AS
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
        percentile_cont(0.5) WITHIN GROUP (ORDER BY face_survival_log_risk) AS face_survival_log_risk,
        count(face_age_years) = 0 AND bool_or(face_age_withheld) AS face_age_withheld,
        count(face_survival_log_risk) = 0 AND bool_or(face_survival_withheld) AS face_survival_withheld,
        model_id,
        preprocessing_id,
        is_current_model
    FROM fahr.face_score_unseen
    GROUP BY session_id, person_id, captured_on, model_id, preprocessing_id, is_current_model
) AS session;
COMMENT ON VIEW fahr.session_score_unseen IS 'As fahr.session_score, but of networks that had not seen the person: what risk tables and evaluations read.';
COMMENT ON COLUMN fahr.session_score_unseen.session_on IS 'Day of the session.';
COMMENT ON COLUMN fahr.session_score_unseen.photos IS 'Scored photos of the session.';
COMMENT ON COLUMN fahr.session_score_unseen.age_at_session_years IS 'Chronological age, years to one decimal; null while there is no cdm.person.';
COMMENT ON COLUMN fahr.session_score_unseen.face_age_years IS 'FaceAge of the session: median over its photos that have one, years.';
COMMENT ON COLUMN fahr.session_score_unseen.face_survival_log_risk IS 'FaceSurvival of the session: median over its photos that have one, log risk.';
COMMENT ON COLUMN fahr.session_score_unseen.face_age_withheld IS 'True: no FaceAge, because the person taught the model.';
COMMENT ON COLUMN fahr.session_score_unseen.face_survival_withheld IS 'True: no FaceSurvival, because the person taught the model.';
COMMENT ON COLUMN fahr.session_score_unseen.face_age_gap_years IS 'FaceAge minus chronological age, years: positive looks older.';
