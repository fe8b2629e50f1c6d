CREATE OR REPLACE VIEW fahr.quarantine AS
SELECT
    coverage.photo_id, coverage.source, coverage.person_id, coverage.captured_on, coverage.status, coverage.stage,
    coverage.reason_code, reason.meaning, coverage.permanent, decision.failed_rules, coverage.since, coverage.tries
FROM fahr.coverage
JOIN fahr.reason_code_v1 AS reason USING (reason_code)
JOIN fahr.photo_v1 AS photo USING (photo_id)
LEFT JOIN fahr.validation_v1 AS decision
    ON decision.photo_id = photo.photo_id AND decision.content_sha256 = photo.content_sha256;
COMMENT ON VIEW fahr.quarantine IS 'The photos of fahr.coverage that have a reason and no score, with what the reason means.';
COMMENT ON COLUMN fahr.quarantine.photo_id IS 'Our own number of the photo.';
COMMENT ON COLUMN fahr.quarantine.source IS 'share, dicom_folder, dicomweb or dimse.';
COMMENT ON COLUMN fahr.quarantine.person_id IS 'cdm.person.person_id; null where nothing matches.';
COMMENT ON COLUMN fahr.quarantine.status IS 'quarantined (a permanent reason) or failed (a transient reason, tried again on later nights).';
COMMENT ON COLUMN fahr.quarantine.stage IS 'Stage that gave the reason.';
COMMENT ON COLUMN fahr.quarantine.reason_code IS 'Why it has no score.';
COMMENT ON COLUMN fahr.quarantine.permanent IS 'True: not tried again until the bytes or the model change. False: tried again on later nights.';
COMMENT ON COLUMN fahr.quarantine.failed_rules IS 'Names of all validation rules it failed; null or empty where another stage gave the reason.';
