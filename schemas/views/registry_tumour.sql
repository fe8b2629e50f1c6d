CREATE OR REPLACE VIEW fahr.registry_tumour AS
SELECT
    person.person_id,
    record.registry,
    record.record_number,
    record.diagnosed_on,
    record.diagnosed_precision,
    record.site_code,
    record.site,
    record.histology,
    record.behaviour,
    record.stage,
    record.stage_code,
    record.stage_basis,
    record.summary_stage,
    row_number() OVER (
        PARTITION BY person.person_id ORDER BY record.diagnosed_on, record.registry, record.record_number
    )::integer AS tumour_of_person,
    load.file_as_of
FROM registry.record_v1 AS record
JOIN registry.load_v1 AS load USING (load_id)
JOIN fahr.linked_person AS person USING (mrn)
WHERE record.tumour_usable
    AND NOT EXISTS (SELECT FROM fahr.refusing_person AS refusing WHERE refusing.person_id = person.person_id);
COMMENT ON VIEW fahr.registry_tumour IS 'One row for each usable tumour a registry tells of a person of this hospital. People who opted out are not in it.';
COMMENT ON COLUMN fahr.registry_tumour.person_id IS 'cdm.person.person_id through hospital.patient_id_map; of merged persons the one that is kept.';
COMMENT ON COLUMN fahr.registry_tumour.tumour_of_person IS 'The person''s tumours in the order of their diagnosis, from 1.';
COMMENT ON COLUMN fahr.registry_tumour.file_as_of IS 'Day the registry''s file was made.';
