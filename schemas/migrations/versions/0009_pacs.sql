-- What a PACS held when it was last listed, so that what comes late, changes or is deleted there is noticed.
ALTER TABLE fahr.photo_v1 DROP CONSTRAINT photo_v1_source_check;
ALTER TABLE fahr.photo_v1 ADD CONSTRAINT photo_v1_source_check
    CHECK (source IN ('share', 'dicom_folder', 'dicomweb', 'dimse'));
COMMENT ON COLUMN fahr.photo_v1.source IS 'share, dicom_folder, dicomweb or dimse.';

CREATE TABLE fahr.pacs_study_v1 (
    source      text NOT NULL CHECK (source IN ('dicomweb', 'dimse')),
    study_uid   text NOT NULL,
    version     text NOT NULL,
    gone_since  date,
    run_id      uuid NOT NULL REFERENCES fahr.run_v1,
    PRIMARY KEY (source, study_uid)
);
COMMENT ON TABLE fahr.pacs_study_v1 IS 'Every study with photographs that a PACS ever listed. study_uid is the hospital''s: not for analysts.';
COMMENT ON COLUMN fahr.pacs_study_v1.source IS 'dicomweb or dimse.';
COMMENT ON COLUMN fahr.pacs_study_v1.study_uid IS 'Study instance UID: may identify a patient.';
COMMENT ON COLUMN fahr.pacs_study_v1.version IS 'Changes when what the PACS says of the study changes; compared, never parsed.';
COMMENT ON COLUMN fahr.pacs_study_v1.gone_since IS 'First night on which the PACS no longer held it; null while it does.';
COMMENT ON COLUMN fahr.pacs_study_v1.run_id IS 'Pull that wrote this row.';

CREATE TABLE fahr.pacs_photo_v1 (
    photo_id   bigint PRIMARY KEY REFERENCES fahr.photo_v1 ON DELETE CASCADE,
    study_uid  text NOT NULL,
    run_id     uuid NOT NULL REFERENCES fahr.run_v1
);
CREATE INDEX ON fahr.pacs_photo_v1 (study_uid);
COMMENT ON TABLE fahr.pacs_photo_v1 IS 'The study of every photograph that a PACS holds. study_uid is the hospital''s: not for analysts.';
COMMENT ON COLUMN fahr.pacs_photo_v1.photo_id IS 'fahr.photo.photo_id.';
COMMENT ON COLUMN fahr.pacs_photo_v1.study_uid IS 'Study instance UID: may identify a patient.';
COMMENT ON COLUMN fahr.pacs_photo_v1.run_id IS 'Pull that wrote this row.';
