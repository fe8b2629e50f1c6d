CREATE OR REPLACE VIEW fahr.researcher_member WITH (security_barrier = true) AS
SELECT
    person.cohort, person.pseudonym, member.episode,
    member.index_date + person.shift_days AS index_on,
    member.index_date - person.first_index_date AS days_from_first_index,
    round(member.entry_years::numeric, 3)::double precision AS entry_years,
    round(member.followup_years::numeric, 3)::double precision AS followup_years,
    member.event, member.ending,
    least(floor(member.age_years), 90)::integer AS age_years,
    round(member.face_age_years::numeric, 1)::double precision AS face_age_years,
    -- Beside FaceAge the gap would tell the age of the very old.
    CASE
        WHEN member.age_years < 90 THEN round((member.face_age_years - member.age_years)::numeric, 1)::double precision
    END AS face_age_gap_years,
    round(member.face_survival_log_risk::numeric, 3)::double precision AS face_survival_log_risk,
    member.covariates - '{age_years,face_age_years,face_survival_log_risk}'::text[] AS covariates,
    member.weight, member.model_id, person.analysis_id
FROM fahr.pseudonymous_person AS person
JOIN fahr.cohort_member_v1 AS member USING (cohort, analysis_id, person_id);
COMMENT ON VIEW fahr.researcher_member IS 'Persons of the cohorts you were granted, in their latest analysis, under pseudonyms, with shifted dates. Empty without a grant, and where the hospital set no key.';
COMMENT ON COLUMN fahr.researcher_member.cohort IS 'Name of the cohort.';
COMMENT ON COLUMN fahr.researcher_member.pseudonym IS 'The person: the same in every view and every cohort, as long as the hospital''s key is the same.';
COMMENT ON COLUMN fahr.researcher_member.index_on IS 'Index date, shifted: by the same number of days as every other date of the person, so that intervals are true. Seasons and years are not.';
COMMENT ON COLUMN fahr.researcher_member.days_from_first_index IS 'Days from the person''s first index date in this cohort; 0 where there is one.';
COMMENT ON COLUMN fahr.researcher_member.entry_years IS 'Years after the origin at which observation began; null where it began at the origin.';
COMMENT ON COLUMN fahr.researcher_member.followup_years IS 'Years from index to the event or to the end of observation, to a thousandth.';
COMMENT ON COLUMN fahr.researcher_member.age_years IS 'Age at index in completed years; 90 stands for 90 and older.';
COMMENT ON COLUMN fahr.researcher_member.face_age_years IS 'FaceAge of the index session, years to one decimal.';
COMMENT ON COLUMN fahr.researcher_member.face_age_gap_years IS 'FaceAge minus age at index, years to one decimal; null from 90 on.';
COMMENT ON COLUMN fahr.researcher_member.face_survival_log_risk IS 'FaceSurvival of the index session, log risk to three decimals.';
COMMENT ON COLUMN fahr.researcher_member.covariates IS 'The declared covariates by name, without those that have a column.';
COMMENT ON COLUMN fahr.researcher_member.analysis_id IS 'The analysis, as in fahr.risk_coefficient.';
