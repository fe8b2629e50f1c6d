-- What the hospital hands us: the photo manifest, the map from record numbers to persons, the opt-outs.
CREATE SCHEMA IF NOT EXISTS hospital;
COMMENT ON SCHEMA hospital IS 'What the hospital keeps for this product: photo manifest, id map, opt-outs. Holds direct identifiers.';

CREATE TABLE hospital.photo_manifest (
    photo_key      text PRIMARY KEY,
    mrn            text NOT NULL,
    relative_path  text NOT NULL,
    captured_at    timestamp,
    registered_at  timestamp NOT NULL
);
COMMENT ON TABLE hospital.photo_manifest IS 'One row a photograph on the photo share, written by the hospital.';
COMMENT ON COLUMN hospital.photo_manifest.photo_key IS 'The hospital''s own key of the photograph.';
COMMENT ON COLUMN hospital.photo_manifest.mrn IS 'Medical record number of the patient: a direct identifier.';
COMMENT ON COLUMN hospital.photo_manifest.relative_path IS 'Path of the file under the root of the photo share.';
COMMENT ON COLUMN hospital.photo_manifest.captured_at IS 'When the photograph was taken, local time of the hospital; null where unknown.';
COMMENT ON COLUMN hospital.photo_manifest.registered_at IS 'When this row was written or last changed, local time: a nightly pull takes rows up to its date.';
CREATE INDEX ON hospital.photo_manifest (registered_at);

CREATE TABLE hospital.patient_id_map (
    mrn        text PRIMARY KEY,
    person_id  bigint NOT NULL
);
COMMENT ON TABLE hospital.patient_id_map IS 'Medical record numbers and the OMOP persons they belong to.';
COMMENT ON COLUMN hospital.patient_id_map.mrn IS 'Medical record number: a direct identifier.';
COMMENT ON COLUMN hospital.patient_id_map.person_id IS 'cdm.person.person_id.';

CREATE TABLE hospital.opt_out (
    person_id     bigint PRIMARY KEY,
    opted_out_on  date NOT NULL
);
COMMENT ON TABLE hospital.opt_out IS 'Patients who refused: their photographs are not pulled from that day on.';
COMMENT ON COLUMN hospital.opt_out.person_id IS 'cdm.person.person_id.';
COMMENT ON COLUMN hospital.opt_out.opted_out_on IS 'Day of the refusal.';

CREATE SCHEMA IF NOT EXISTS registry;
COMMENT ON SCHEMA registry IS 'The tumour registry: tables that `fahr registry load` fills.';
