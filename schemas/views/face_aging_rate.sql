CREATE OR REPLACE VIEW fahr.face_aging_rate AS
SELECT
    person_id, first_session_on, last_session_on, sessions, years_between, first_face_age_years, last_face_age_years,
    (last_face_age_years - first_face_age_years) / years_between AS face_aging_rate,
    model_id, preprocessing_id, is_current_model,
    days_between,
    CASE
        WHEN days_between <= 365 THEN 'short'
        WHEN days_between <= 730 THEN 'mid'
        WHEN days_between <= 1460 THEN 'long'
        ELSE 'beyond'
    END AS interval_band
FROM (
    SELECT
        person_id,
        min(session_on) AS first_session_on,
        max(session_on) AS last_session_on,
        count(*)::integer AS sessions,
        ((max(session_on) - min(session_on)) / 365.25)::double precision AS years_between,
        max(session_on) - min(session_on) AS days_between,
        (array_agg(face_age_years ORDER BY session_on))[1] AS first_face_age_years,
        (array_agg(face_age_years ORDER BY session_on DESC))[1] AS last_face_age_years,
        model_id,
        preprocessing_id,
        is_current_model
    FROM fahr.session_score
    WHERE face_age_years IS NOT NULL
    GROUP BY person_id, model_id, preprocessing_id, is_current_model
) AS person
WHERE days_between >= 10;
COMMENT ON VIEW fahr.face_aging_rate IS 'Face Aging Rate of each person and model: change of FaceAge between the two widest-spaced sessions, at least ten days apart, divided by the years between them. Compare within an interval band: over a short interval the error of FaceAge weighs most.';
COMMENT ON COLUMN fahr.face_aging_rate.days_between IS 'Days between first and last session.';
COMMENT ON COLUMN fahr.face_aging_rate.interval_band IS 'Interval as published with the Face Aging Rate: short (10 to 365 days), mid (366 to 730), long (731 to 1460); beyond (more than 1460 days: a band of ours, outside the published ones).';
COMMENT ON COLUMN fahr.face_aging_rate.first_session_on IS 'Day of the first session.';
COMMENT ON COLUMN fahr.face_aging_rate.last_session_on IS 'Day of the last session.';
COMMENT ON COLUMN fahr.face_aging_rate.sessions IS 'Sessions of the person with a FaceAge.';
COMMENT ON COLUMN fahr.face_aging_rate.years_between IS 'Years between first and last session.';
COMMENT ON COLUMN fahr.face_aging_rate.first_face_age_years IS 'FaceAge of the first session, years.';
COMMENT ON COLUMN fahr.face_aging_rate.last_face_age_years IS 'FaceAge of the last session, years.';
COMMENT ON COLUMN fahr.face_aging_rate.face_aging_rate IS 'Years of FaceAge gained a year: 1 is the pace of the calendar.';
