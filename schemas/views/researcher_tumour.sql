CREATE OR REPLACE VIEW fahr.researcher_tumour WITH (security_barrier = true) AS
SELECT
    person.cohort, person.pseudonym, tumour.registry, tumour.tumour_of_person,
    -- Where a registry knows the month alone, the day that stands for it would give the shift away.
    CASE WHEN tumour.diagnosed_precision = 'day' THEN tumour.diagnosed_on + person.shift_days END AS diagnosed_on,
    round(((tumour.diagnosed_on - person.first_index_date) / 365.25)::numeric, 1)::double precision
        AS diagnosed_years_from_index,
    tumour.diagnosed_precision,
    left(tumour.site_code, 3) AS site_code, tumour.site, tumour.histology, tumour.behaviour, tumour.stage
FROM fahr.pseudonymous_person AS person
JOIN fahr.registry_tumour AS tumour USING (person_id);
COMMENT ON VIEW fahr.researcher_tumour IS 'Registry tumours of the persons of cohorts you were granted, under pseudonyms, with shifted dates.';
COMMENT ON COLUMN fahr.researcher_tumour.cohort IS 'Name of the cohort.';
COMMENT ON COLUMN fahr.researcher_tumour.pseudonym IS 'The person, as in fahr.researcher_member.';
COMMENT ON COLUMN fahr.researcher_tumour.diagnosed_on IS 'Day of diagnosis, shifted as every date of the person; null where the registry does not know the day.';
COMMENT ON COLUMN fahr.researcher_tumour.diagnosed_years_from_index IS 'Years from the person''s first index date to the diagnosis, to a tenth; negative before it.';
COMMENT ON COLUMN fahr.researcher_tumour.site_code IS 'ICD-O-3 site, three characters.';
