-- What lets one night follow another: how far a source was read, who became whom, what is due, what is to be removed.
ALTER TABLE fahr.run_v1 DROP CONSTRAINT run_v1_stage_check;
ALTER TABLE fahr.run_v1 ADD CONSTRAINT run_v1_stage_check CHECK (stage ~ '^[a-z_]+$');
COMMENT ON COLUMN fahr.run_v1.stage IS 'pull, follow, validate, score, archive, publish, risk, dataset, train, evaluate, promote and others.';

-- The hospital says so when two person ids turn out to be one patient.
CREATE TABLE hospital.person_merge (
    retired_person_id  bigint PRIMARY KEY,
    kept_person_id     bigint NOT NULL,
    merged_on          date NOT NULL,
    CHECK (retired_person_id <> kept_person_id)
);
COMMENT ON TABLE hospital.person_merge IS 'Person ids that were given up because they are another person''s, written by the hospital. A row taken away undoes the merge.';
COMMENT ON COLUMN hospital.person_merge.retired_person_id IS 'The person id that is no longer used.';
COMMENT ON COLUMN hospital.person_merge.kept_person_id IS 'The person id that stands for the patient from now on; it may itself be retired into another.';
COMMENT ON COLUMN hospital.person_merge.merged_on IS 'Day from which this holds.';

CREATE TABLE fahr.person_merge_v1 (
    retired_person_id  bigint PRIMARY KEY,
    kept_person_id     bigint NOT NULL,
    run_id             uuid NOT NULL REFERENCES fahr.run_v1
);
COMMENT ON TABLE fahr.person_merge_v1 IS 'The merges of hospital.person_merge that the ledger follows now, chains followed to their end.';
COMMENT ON COLUMN fahr.person_merge_v1.retired_person_id IS 'The person id that is no longer used.';
COMMENT ON COLUMN fahr.person_merge_v1.kept_person_id IS 'The person that the photos are filed under.';
COMMENT ON COLUMN fahr.person_merge_v1.run_id IS 'Run that began to follow it.';

CREATE TABLE fahr.source_watermark_v1 (
    source        text PRIMARY KEY,
    seen_through  date NOT NULL,
    compared_on   date NOT NULL,
    run_id        uuid NOT NULL REFERENCES fahr.run_v1
);
COMMENT ON TABLE fahr.source_watermark_v1 IS 'How far each source was read.';
COMMENT ON COLUMN fahr.source_watermark_v1.source IS 'Name of the source, as in fahr.photo.';
COMMENT ON COLUMN fahr.source_watermark_v1.seen_through IS 'Night up to whose end every row was seen.';
COMMENT ON COLUMN fahr.source_watermark_v1.compared_on IS 'Last night on which all it lists was compared with all the ledger knows, so that deletions were noticed.';
COMMENT ON COLUMN fahr.source_watermark_v1.run_id IS 'Pull that saw them.';

ALTER TABLE fahr.photo_v1
    ADD COLUMN listed_person_id bigint,
    ADD COLUMN first_failed_on date,
    ADD COLUMN pull_again boolean NOT NULL DEFAULT false,
    ADD COLUMN decision_due boolean NOT NULL DEFAULT true,
    ADD COLUMN bytes_purged_on date;
UPDATE fahr.photo_v1
SET listed_person_id = person_id,
    first_failed_on = CASE WHEN reason_code IS NOT NULL THEN first_seen_on END;
COMMENT ON COLUMN fahr.photo_v1.listed_person_id IS 'The person its source gives it to, before merges of persons are followed.';
COMMENT ON COLUMN fahr.photo_v1.first_failed_on IS 'First night on which this version of it could not be pulled; null if it was.';
COMMENT ON COLUMN fahr.photo_v1.pull_again IS 'True: the next pull reads it again although its source tells of no change.';
COMMENT ON COLUMN fahr.photo_v1.decision_due IS 'True: validate has to look whether it needs a decision.';
COMMENT ON COLUMN fahr.photo_v1.bytes_purged_on IS 'Night on which its landed bytes were purged after the retention time; null while they are there.';
CREATE INDEX photo_to_pull ON fahr.photo_v1 (source, source_key) WHERE reason_code IS NOT NULL OR pull_again;
CREATE INDEX photo_to_judge ON fahr.photo_v1 (photo_id) WHERE decision_due AND landing_run_id IS NOT NULL;
CREATE INDEX photo_with_bytes ON fahr.photo_v1 (landing_run_id) WHERE bytes_purged_on IS NULL;
CREATE INDEX ON fahr.photo_v1 (listed_person_id);

ALTER TABLE fahr.validation_v1 ADD COLUMN score_due boolean NOT NULL DEFAULT true;
COMMENT ON COLUMN fahr.validation_v1.score_due IS 'True: scoring has to look whether these bytes need a score; false once a model has judged them.';
CREATE INDEX validation_to_score ON fahr.validation_v1 (photo_id) WHERE accepted AND score_due;
CREATE INDEX validation_too_early ON fahr.validation_v1 (photo_id) WHERE reason_code = 'captured_in_future';
CREATE INDEX ON fahr.validation_v1 (decided_on);
CREATE INDEX ON fahr.validation_v1 (content_sha256);

ALTER TABLE fahr.score_failure_v1 ADD COLUMN try_again boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN fahr.score_failure_v1.try_again IS 'True: the next scoring tries again although the reason is permanent.';
CREATE INDEX score_failure_to_try ON fahr.score_failure_v1 (content_sha256) WHERE try_again;

ALTER TABLE fahr.model_version_v1 ADD COLUMN archive_scored boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN fahr.model_version_v1.archive_scored IS 'True: no photo is left that another release scored and this one, the current one, has yet to score.';

CREATE TABLE fahr.withdrawn_photo_v1 (
    photo_id      bigint PRIMARY KEY,
    withdrawn_on  date NOT NULL,
    run_id        uuid NOT NULL REFERENCES fahr.run_v1
);
COMMENT ON TABLE fahr.withdrawn_photo_v1 IS 'Numbers of photos that left the ledger because their source deleted them. They are not given again.';
COMMENT ON COLUMN fahr.withdrawn_photo_v1.photo_id IS 'The number it had.';
COMMENT ON COLUMN fahr.withdrawn_photo_v1.withdrawn_on IS 'Night that noticed it.';
COMMENT ON COLUMN fahr.withdrawn_photo_v1.run_id IS 'Pull that noticed it.';

-- Work that a kill must not lose: it stands here from the transaction that decides on it until it is done.
CREATE TABLE fahr.landing_removal_v1 (
    landing_run_id  uuid NOT NULL,
    photo_id        bigint NOT NULL,
    keeps_facts     boolean NOT NULL,
    noted_on        date NOT NULL,
    PRIMARY KEY (landing_run_id, photo_id)
);
COMMENT ON TABLE fahr.landing_removal_v1 IS 'Landed bytes that are still to be removed from the landing zone; a row goes when they are gone.';
COMMENT ON COLUMN fahr.landing_removal_v1.landing_run_id IS 'Pull whose partition holds them.';
COMMENT ON COLUMN fahr.landing_removal_v1.photo_id IS 'fahr.photo.photo_id.';
COMMENT ON COLUMN fahr.landing_removal_v1.keeps_facts IS 'True: the bytes go, and what their header told stays. False: the whole row goes.';
COMMENT ON COLUMN fahr.landing_removal_v1.noted_on IS 'Night that decided on it.';

CREATE TABLE fahr.loose_content_v1 (
    content_sha256  text PRIMARY KEY,
    noted_on        date NOT NULL
);
COMMENT ON TABLE fahr.loose_content_v1 IS 'Bytes that a photo gave up: publish removes their scores where no accepted photo has them, and then the row.';
COMMENT ON COLUMN fahr.loose_content_v1.content_sha256 IS 'SHA-256 of the bytes.';
COMMENT ON COLUMN fahr.loose_content_v1.noted_on IS 'Night on which a photo gave them up.';

-- A run that finds nothing new takes its row back, and PostgreSQL then looks for rows that refer to it: without an index
-- it would read every table of photos and scores, night after night. They also answer what a run wrote.
DO $$
DECLARE
    reference record;
BEGIN
    FOR reference IN
        SELECT fk.conrelid::regclass AS relation, a.attname AS column_name
        FROM pg_constraint AS fk
        JOIN pg_attribute AS a ON a.attrelid = fk.conrelid AND a.attnum = fk.conkey[1]
        WHERE fk.contype = 'f' AND fk.confrelid = 'fahr.run_v1'::regclass
        ORDER BY 1, 2
    LOOP
        EXECUTE format('CREATE INDEX ON %s (%I)', reference.relation, reference.column_name);
    END LOOP;
END
$$;
