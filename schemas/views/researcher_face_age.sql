CREATE OR REPLACE VIEW fahr.researcher_face_age AS
SELECT
    model_id,
    preprocessing_id,
    (floor(age_at_session_years / 10) * 10)::integer AS age_from_years,
    (round(count(*) / 5.0) * 5)::bigint AS persons,
    round(avg(face_age_gap_years)::numeric, 1)::double precision AS mean_gap_years,
    round(stddev_samp(face_age_gap_years)::numeric, 1)::double precision AS sd_gap_years
FROM (
    SELECT DISTINCT ON (person_id, model_id, preprocessing_id) *
    FROM fahr.session_score
    WHERE face_age_gap_years IS NOT NULL
    ORDER BY person_id, model_id, preprocessing_id, session_on
) AS first_session
GROUP BY model_id, preprocessing_id, floor(age_at_session_years / 10)
HAVING count(*) >= (SELECT small_cell FROM fahr.schema_state_v1);
COMMENT ON VIEW fahr.researcher_face_age IS 'FaceAge against chronological age at each person''s first session, by decade of age; small cells are left out.';
COMMENT ON COLUMN fahr.researcher_face_age.age_from_years IS 'First year of the decade of chronological age.';
COMMENT ON COLUMN fahr.researcher_face_age.persons IS 'Persons, rounded to five.';
COMMENT ON COLUMN fahr.researcher_face_age.mean_gap_years IS 'Mean of FaceAge minus chronological age, years.';
COMMENT ON COLUMN fahr.researcher_face_age.sd_gap_years IS 'Its standard deviation between persons, years.';
