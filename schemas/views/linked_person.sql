-- What the registry's views are linked by: granted to nobody.
CREATE OR REPLACE VIEW fahr.linked_person AS
SELECT map.mrn, coalesce(merged.kept_person_id, map.person_id) AS person_id
FROM hospital.patient_id_map AS map
LEFT JOIN fahr.person_merge_v1 AS merged ON merged.retired_person_id = map.person_id;
COMMENT ON VIEW fahr.linked_person IS 'Medical record numbers and the persons they stand for, merges followed. For other views alone: it names patients.';
COMMENT ON COLUMN fahr.linked_person.mrn IS 'Medical record number, as in hospital.patient_id_map.';
COMMENT ON COLUMN fahr.linked_person.person_id IS 'cdm.person.person_id; of merged persons the one that is kept.';
