-- What the other views ask: granted to nobody.
CREATE OR REPLACE VIEW fahr.refusing_person AS
SELECT coalesce(merged.kept_person_id, opt_out.person_id) AS person_id
FROM hospital.opt_out
LEFT JOIN fahr.person_merge_v1 AS merged ON merged.retired_person_id = opt_out.person_id;
COMMENT ON VIEW fahr.refusing_person IS 'Who opted out, under whichever of their person ids. For other views alone.';
COMMENT ON COLUMN fahr.refusing_person.person_id IS 'cdm.person.person_id; of merged persons the one that is kept.';
