-- A view's functions run with the rights of who queries it, and no researcher may ask for the age at a photo: the counting
-- is therefore done in a function with the owner's rights, which gives nothing but large enough cells.
CREATE OR REPLACE FUNCTION fahr.face_age_by_decade() RETURNS TABLE (
    model_id text, preprocessing_id text, age_from_years integer, persons bigint, mean_gap_years double precision,
    sd_gap_years double precision
)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    WITH decade AS (
        SELECT
            model_id, preprocessing_id, (floor(age_at_session_years / 10) * 10)::integer AS age_from_years,
            count(*) AS persons, avg(face_age_gap_years) AS mean_gap, stddev_samp(face_age_gap_years) AS sd_gap
        FROM (
            SELECT DISTINCT ON (person_id, model_id, preprocessing_id) *
            FROM fahr.session_score
            WHERE face_age_gap_years IS NOT NULL
            ORDER BY person_id, model_id, preprocessing_id, session_on
        ) AS first_session
        GROUP BY model_id, preprocessing_id, floor(age_at_session_years / 10)
    ),
    ranked AS (
        SELECT
            decade.*, small_cell,
            min(persons) OVER model AS fewest,
            count(*) OVER before AS decades_before,
            sum(persons) OVER before AS persons_before
        FROM decade CROSS JOIN fahr.schema_state_v1
        WINDOW
            model AS (PARTITION BY model_id, preprocessing_id),
            before AS (
                PARTITION BY model_id, preprocessing_id ORDER BY persons, age_from_years
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            )
    )
    SELECT
        model_id,
        preprocessing_id,
        age_from_years,
        (round(persons / 5.0) * 5)::bigint,
        round(mean_gap::numeric, 1)::double precision,
        round(sd_gap::numeric, 1)::double precision
    FROM ranked
    -- Where everybody has one photo, the photos that have a score tell how many persons the decades add up to: as in
    -- fahr.hidden_cell, a small one is not hidden alone.
    WHERE fewest >= small_cell OR (persons >= small_cell AND decades_before >= 2 AND persons_before >= small_cell)
$$;
COMMENT ON FUNCTION fahr.face_age_by_decade() IS 'The rows of fahr.researcher_face_age.';

CREATE OR REPLACE VIEW fahr.researcher_face_age AS
SELECT model_id, preprocessing_id, age_from_years, persons, mean_gap_years, sd_gap_years
FROM fahr.face_age_by_decade();
COMMENT ON VIEW fahr.researcher_face_age IS 'FaceAge against chronological age at each person''s first session, by decade of age; small decades are left out, and others from which theirs would follow.';
COMMENT ON COLUMN fahr.researcher_face_age.model_id IS 'Model release.';
COMMENT ON COLUMN fahr.researcher_face_age.preprocessing_id IS 'How photos were turned into network input.';
COMMENT ON COLUMN fahr.researcher_face_age.age_from_years IS 'First year of the decade of chronological age.';
COMMENT ON COLUMN fahr.researcher_face_age.persons IS 'Persons, rounded to five.';
COMMENT ON COLUMN fahr.researcher_face_age.mean_gap_years IS 'Mean of FaceAge minus chronological age, years.';
COMMENT ON COLUMN fahr.researcher_face_age.sd_gap_years IS 'Its standard deviation between persons, years.';
