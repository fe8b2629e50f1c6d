CREATE OR REPLACE VIEW fahr.cohort_member AS
SELECT
    member.analysis_id,
    member.cohort,
    latest.analysis_id IS NOT NULL AS is_latest,
    member.person_id,
    member.index_date,
    member.followup_years,
    member.event,
    round(member.age_years::numeric, 1)::double precision AS age_years,
    member.face_age_years,
    member.face_age_years - round(member.age_years::numeric, 1)::double precision AS face_age_gap_years,
    member.face_survival_log_risk,
    member.covariates - '{age_years,face_age_years,face_survival_log_risk}'::text[] AS covariates,
    member.model_id,
    member.run_id,
    member.episode,
    member.entry_years,
    member.ending,
    member.weight
FROM fahr.cohort_member_v1 AS member
LEFT JOIN fahr.latest_analysis AS latest USING (cohort, analysis_id);
COMMENT ON VIEW fahr.cohort_member IS 'The persons of each analysis, with the values its models saw.';
COMMENT ON COLUMN fahr.cohort_member.analysis_id IS 'Fingerprint of cohort declaration, data and code: same data, same id.';
COMMENT ON COLUMN fahr.cohort_member.cohort IS 'Name of the cohort.';
COMMENT ON COLUMN fahr.cohort_member.is_latest IS 'True for the latest analysis of the cohort.';
COMMENT ON COLUMN fahr.cohort_member.age_years IS 'Chronological age at index, years to one decimal.';
COMMENT ON COLUMN fahr.cohort_member.face_age_gap_years IS 'FaceAge minus chronological age at index, years: positive looks older.';
COMMENT ON COLUMN fahr.cohort_member.covariates IS 'The declared covariates by name, without those that have a column.';
