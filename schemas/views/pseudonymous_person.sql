-- What the researchers' row-level views stand on: granted to nobody.
CREATE OR REPLACE VIEW fahr.pseudonymous_person WITH (security_barrier = true) AS
SELECT
    member.cohort, member.analysis_id, member.person_id, name.pseudonym, name.shift_days,
    min(member.index_date) AS first_index_date
FROM fahr.cohort_member_v1 AS member
JOIN fahr.latest_analysis USING (cohort, analysis_id)
JOIN fahr.granted_cohort USING (cohort)
JOIN fahr.pseudonym_v1 AS name USING (person_id)
LEFT JOIN fahr.person_merge_v1 AS merged ON merged.retired_person_id = member.person_id
-- Of two person ids that are one patient, a refusal under either counts.
WHERE NOT EXISTS (
    SELECT FROM fahr.refusing_person AS refusing
    WHERE refusing.person_id = coalesce(merged.kept_person_id, member.person_id)
)
GROUP BY member.cohort, member.analysis_id, member.person_id, name.pseudonym, name.shift_days;
COMMENT ON VIEW fahr.pseudonymous_person IS 'Persons of the latest analyses of the cohorts that were granted to who asks, with their pseudonyms. For other views alone: it names persons.';
COMMENT ON COLUMN fahr.pseudonymous_person.cohort IS 'Name of the cohort.';
COMMENT ON COLUMN fahr.pseudonymous_person.analysis_id IS 'Latest analysis of the cohort.';
COMMENT ON COLUMN fahr.pseudonymous_person.person_id IS 'cdm.person.person_id.';
COMMENT ON COLUMN fahr.pseudonymous_person.first_index_date IS 'Index date of the person, the first where there are several.';
