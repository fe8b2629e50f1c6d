-- The age at a photo is not asked for: its function is not the researchers' to call. It is age_years and days_from_index.
CREATE OR REPLACE VIEW fahr.researcher_session WITH (security_barrier = true) AS
SELECT
    person.cohort, person.pseudonym,
    score.captured_on + person.shift_days AS session_on,
    score.captured_on - person.first_index_date AS days_from_index,
    count(*)::integer AS photos,
    round(percentile_cont(0.5) WITHIN GROUP (ORDER BY score.face_age_years)::numeric, 1)::double precision AS face_age_years,
    round(percentile_cont(0.5) WITHIN GROUP (ORDER BY score.face_survival_log_risk)::numeric, 3)::double precision
        AS face_survival_log_risk,
    score.model_id, score.preprocessing_id, score.is_current_model
FROM fahr.pseudonymous_person AS person
JOIN fahr.face_score_unseen AS score USING (person_id)
GROUP BY
    person.cohort, person.pseudonym, person.shift_days, person.first_index_date, score.captured_on, score.model_id,
    score.preprocessing_id, score.is_current_model;
COMMENT ON VIEW fahr.researcher_session IS 'Sessions of the persons of cohorts you were granted: median scores of networks that had not seen the person, under pseudonyms, with shifted dates.';
COMMENT ON COLUMN fahr.researcher_session.cohort IS 'Name of the cohort.';
COMMENT ON COLUMN fahr.researcher_session.pseudonym IS 'The person, as in fahr.researcher_member.';
COMMENT ON COLUMN fahr.researcher_session.session_on IS 'Day of the session, shifted as every date of the person.';
COMMENT ON COLUMN fahr.researcher_session.days_from_index IS 'Days from the person''s first index date; negative before it.';
COMMENT ON COLUMN fahr.researcher_session.photos IS 'Scored photos of the session.';
COMMENT ON COLUMN fahr.researcher_session.face_age_years IS 'FaceAge: median over the session''s photos, years to one decimal; null where every network that could say saw the person in training.';
COMMENT ON COLUMN fahr.researcher_session.face_survival_log_risk IS 'FaceSurvival: median over the session''s photos, log risk to three decimals; null as FaceAge.';
