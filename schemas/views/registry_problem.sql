CREATE OR REPLACE VIEW fahr.registry_problem AS
SELECT
    problem.registry, problem.record_number, problem.person_id, problem.reason_code, reason.loses, reason.meaning
FROM (
    SELECT record.registry, record.record_number, person.person_id, unnest(record.reason_codes) AS reason_code
    FROM registry.record_v1 AS record
    LEFT JOIN fahr.linked_person AS person USING (mrn)
    UNION ALL
    -- Told when it is asked: the map may know the patient tomorrow.
    SELECT record.registry, record.record_number, NULL, 'unknown_patient'
    FROM registry.record_v1 AS record
    WHERE record.mrn IS NOT NULL AND NOT EXISTS (SELECT FROM hospital.patient_id_map AS map WHERE map.mrn = record.mrn)
) AS problem
JOIN fahr.registry_reason_v1 AS reason USING (reason_code)
WHERE problem.person_id IS NULL
    OR NOT EXISTS (SELECT FROM fahr.refusing_person AS refusing WHERE refusing.person_id = problem.person_id);
COMMENT ON VIEW fahr.registry_problem IS 'One row for each registry record and reason why it, or a part of it, is not used. The values themselves stand in registry.record_v1.';
COMMENT ON COLUMN fahr.registry_problem.registry IS 'Name of the registry.';
COMMENT ON COLUMN fahr.registry_problem.record_number IS 'Place of the record in the registry''s file, from 1.';
COMMENT ON COLUMN fahr.registry_problem.person_id IS 'cdm.person.person_id, of merged persons the one that is kept; null where the record links to nobody.';
COMMENT ON COLUMN fahr.registry_problem.reason_code IS 'Why.';
