-- The ledger of the nights: runs, photos, validation decisions, scores, failures, models, reason codes.
CREATE SCHEMA IF NOT EXISTS fahr;
COMMENT ON SCHEMA fahr IS 'Facial biomarkers, their coverage ledger and risk tables. Query the unversioned views; tables end in _v<N>. Research use only.';
CREATE SCHEMA IF NOT EXISTS fahr_stage;
COMMENT ON SCHEMA fahr_stage IS 'Scores that a publish is checking; emptied when it ends.';

COMMENT ON TABLE fahr.alembic_version IS 'The last migration that was applied, kept by alembic.';
COMMENT ON COLUMN fahr.alembic_version.version_num IS 'Its revision.';

CREATE TABLE fahr.schema_state_v1 (
    definition_sha256  text NOT NULL,
    small_cell         integer NOT NULL CHECK (small_cell >= 1),
    migrated_at        timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX schema_state_one_row ON fahr.schema_state_v1 ((true));
COMMENT ON TABLE fahr.schema_state_v1 IS 'One row: which definition of tables, views, roles and reason codes this schema has.';
COMMENT ON COLUMN fahr.schema_state_v1.definition_sha256 IS 'SHA-256 over the definition; another one means `fahr warehouse migrate`.';
COMMENT ON COLUMN fahr.schema_state_v1.small_cell IS 'Researchers'' views show no count of people or photos below this.';
COMMENT ON COLUMN fahr.schema_state_v1.migrated_at IS 'When the definition was last applied.';

CREATE TABLE fahr.run_v1 (
    run_id        uuid PRIMARY KEY,
    stage         text NOT NULL CHECK (stage IN ('pull', 'validate', 'score', 'publish', 'risk')),
    logical_date  date NOT NULL,
    status        text NOT NULL CHECK (status IN ('running', 'succeeded', 'partial', 'rejected', 'failed', 'abandoned')),
    started_at    timestamptz NOT NULL DEFAULT now(),
    finished_at   timestamptz,
    model_id      text,
    code_version  text NOT NULL,
    counts        jsonb NOT NULL DEFAULT '{}',
    error_type    text,
    exit_code     smallint
);
CREATE INDEX ON fahr.run_v1 (stage, logical_date);
COMMENT ON TABLE fahr.run_v1 IS 'One row for each execution of a stage that changed something or failed; a rerun that finds nothing to do leaves no row.';
COMMENT ON COLUMN fahr.run_v1.run_id IS 'Id of this execution; every row it wrote carries it.';
COMMENT ON COLUMN fahr.run_v1.stage IS 'pull, validate, score, publish or risk.';
COMMENT ON COLUMN fahr.run_v1.logical_date IS 'The night: only what was known up to the end of this day was used.';
COMMENT ON COLUMN fahr.run_v1.status IS 'running; succeeded; partial (some sources unreachable); rejected (a dataset gate failed); failed; abandoned (killed, found by a later run).';
COMMENT ON COLUMN fahr.run_v1.started_at IS 'When the stage started.';
COMMENT ON COLUMN fahr.run_v1.finished_at IS 'When it ended; null while running or if killed.';
COMMENT ON COLUMN fahr.run_v1.model_id IS 'Model release used, for stages that use one.';
COMMENT ON COLUMN fahr.run_v1.code_version IS 'Version of this product.';
COMMENT ON COLUMN fahr.run_v1.counts IS 'Counts of the stage by name, for example {"landed": 980, "file_missing": 1}.';
COMMENT ON COLUMN fahr.run_v1.error_type IS 'Type of the error that ended it, where one did.';
COMMENT ON COLUMN fahr.run_v1.exit_code IS 'Exit code of the stage as documented in docs/operations.md.';

CREATE TABLE fahr.reason_code_v1 (
    reason_code  text PRIMARY KEY,
    stage        text NOT NULL,
    permanent    boolean NOT NULL,
    meaning      text NOT NULL
);
COMMENT ON TABLE fahr.reason_code_v1 IS 'Every reason why a photo has no score. Refreshed by each migration.';
COMMENT ON COLUMN fahr.reason_code_v1.reason_code IS 'The code as it stands in coverage and quarantine.';
COMMENT ON COLUMN fahr.reason_code_v1.stage IS 'Stage that gives it: pull, validate or score.';
COMMENT ON COLUMN fahr.reason_code_v1.permanent IS 'True: not tried again until the bytes or the model change. False: tried again on later nights.';
COMMENT ON COLUMN fahr.reason_code_v1.meaning IS 'What it means, in a sentence.';

CREATE TABLE fahr.photo_v1 (
    photo_id             bigint PRIMARY KEY,
    source               text NOT NULL CHECK (source IN ('share', 'dicom_folder', 'dicomweb')),
    source_key           text NOT NULL,
    source_version       text NOT NULL,
    person_id            bigint,
    captured_at          timestamp,
    content_sha256       text,
    byte_count           bigint,
    image_format         text,
    width_px             integer,
    height_px            integer,
    frame_count          integer,
    sop_class_uid        text,
    transfer_syntax_uid  text,
    exif_orientation     smallint,
    landing_run_id       uuid REFERENCES fahr.run_v1,
    reason_code          text REFERENCES fahr.reason_code_v1,
    first_seen_on        date NOT NULL,
    last_tried_on        date NOT NULL,
    tries                integer NOT NULL DEFAULT 1,
    run_id               uuid NOT NULL REFERENCES fahr.run_v1,
    UNIQUE (source, source_key),
    CHECK ((landing_run_id IS NULL) = (content_sha256 IS NULL)),
    CHECK ((landing_run_id IS NULL) = (reason_code IS NOT NULL))
);
CREATE INDEX ON fahr.photo_v1 (content_sha256);
CREATE INDEX ON fahr.photo_v1 (person_id, captured_at);
COMMENT ON TABLE fahr.photo_v1 IS 'Every photograph a source ever listed, as it was last pulled. source_key is the hospital''s: not for analysts.';
COMMENT ON COLUMN fahr.photo_v1.photo_id IS 'Our own number of the photo, the only one that appears in logs and reports.';
COMMENT ON COLUMN fahr.photo_v1.source IS 'share, dicom_folder or dicomweb.';
COMMENT ON COLUMN fahr.photo_v1.source_key IS 'Key at the source (manifest key, file in the DICOM folder, SOP instance UID): may identify a patient.';
COMMENT ON COLUMN fahr.photo_v1.source_version IS 'What changes at the source when the photo changes; compared, never parsed.';
COMMENT ON COLUMN fahr.photo_v1.person_id IS 'cdm.person.person_id through hospital.patient_id_map; null where nothing matches.';
COMMENT ON COLUMN fahr.photo_v1.captured_at IS 'When the photo was taken, local time of the hospital.';
COMMENT ON COLUMN fahr.photo_v1.content_sha256 IS 'SHA-256 of the file''s bytes, hexadecimal; null if it could not be pulled.';
COMMENT ON COLUMN fahr.photo_v1.byte_count IS 'Size of the file, bytes.';
COMMENT ON COLUMN fahr.photo_v1.image_format IS 'Format the header tells: jpeg, png, tiff, dicom …; null if it is no image.';
COMMENT ON COLUMN fahr.photo_v1.width_px IS 'Width the header tells, pixels as stored.';
COMMENT ON COLUMN fahr.photo_v1.height_px IS 'Height the header tells, pixels as stored.';
COMMENT ON COLUMN fahr.photo_v1.frame_count IS 'Frames the header tells.';
COMMENT ON COLUMN fahr.photo_v1.sop_class_uid IS 'DICOM SOP class.';
COMMENT ON COLUMN fahr.photo_v1.transfer_syntax_uid IS 'DICOM transfer syntax.';
COMMENT ON COLUMN fahr.photo_v1.exif_orientation IS 'EXIF orientation, 1 to 8.';
COMMENT ON COLUMN fahr.photo_v1.landing_run_id IS 'Pull whose landing partition holds the bytes.';
COMMENT ON COLUMN fahr.photo_v1.reason_code IS 'Why it could not be pulled; null if it was.';
COMMENT ON COLUMN fahr.photo_v1.first_seen_on IS 'Night on which the source first listed it.';
COMMENT ON COLUMN fahr.photo_v1.last_tried_on IS 'Last night on which a pull was tried.';
COMMENT ON COLUMN fahr.photo_v1.tries IS 'Nights on which a pull of this version was tried.';
COMMENT ON COLUMN fahr.photo_v1.run_id IS 'Run that wrote this row.';

CREATE TABLE fahr.validation_v1 (
    photo_id        bigint NOT NULL REFERENCES fahr.photo_v1,
    content_sha256  text NOT NULL,
    accepted        boolean NOT NULL,
    reason_code     text REFERENCES fahr.reason_code_v1,
    failed_rules    text[] NOT NULL,
    decided_on      date NOT NULL,
    run_id          uuid NOT NULL REFERENCES fahr.run_v1,
    PRIMARY KEY (photo_id, content_sha256),
    CHECK (accepted = (reason_code IS NULL))
);
COMMENT ON TABLE fahr.validation_v1 IS 'The decision on every landed photo: accepted, or quarantined with a reason.';
COMMENT ON COLUMN fahr.validation_v1.photo_id IS 'fahr.photo.photo_id.';
COMMENT ON COLUMN fahr.validation_v1.content_sha256 IS 'The bytes that were judged.';
COMMENT ON COLUMN fahr.validation_v1.accepted IS 'True: goes to scoring.';
COMMENT ON COLUMN fahr.validation_v1.reason_code IS 'Reason of the first failed rule, in the order of the rules.';
COMMENT ON COLUMN fahr.validation_v1.failed_rules IS 'Names of all rules it failed.';
COMMENT ON COLUMN fahr.validation_v1.decided_on IS 'Night of the decision.';
COMMENT ON COLUMN fahr.validation_v1.run_id IS 'Run that decided.';

CREATE TABLE fahr.model_version_v1 (
    model_id                 text NOT NULL,
    preprocessing_id         text NOT NULL,
    weights_sha256           text NOT NULL,
    age_weights_sha256       text,
    survival_weights_sha256  text,
    trained_on_synthetic     boolean NOT NULL,
    training_data            text NOT NULL,
    licence                  text NOT NULL,
    intended_use             text NOT NULL,
    metrics                  jsonb NOT NULL,
    registered_on            date NOT NULL,
    is_current               boolean NOT NULL,
    run_id                   uuid NOT NULL REFERENCES fahr.run_v1,
    PRIMARY KEY (model_id, preprocessing_id)
);
CREATE UNIQUE INDEX model_version_one_current ON fahr.model_version_v1 (is_current) WHERE is_current;
COMMENT ON TABLE fahr.model_version_v1 IS 'Every model release that has scored photos here.';
COMMENT ON COLUMN fahr.model_version_v1.model_id IS 'Name of the release.';
COMMENT ON COLUMN fahr.model_version_v1.preprocessing_id IS 'How photos were turned into network input; changes whenever that changes a pixel.';
COMMENT ON COLUMN fahr.model_version_v1.weights_sha256 IS 'SHA-256 over the weights of the release.';
COMMENT ON COLUMN fahr.model_version_v1.age_weights_sha256 IS 'SHA-256 of the FaceAge network''s weights file.';
COMMENT ON COLUMN fahr.model_version_v1.survival_weights_sha256 IS 'SHA-256 of the FaceSurvival network''s weights file.';
COMMENT ON COLUMN fahr.model_version_v1.trained_on_synthetic IS 'True: trained on drawn faces. Its scores of real people mean nothing.';
COMMENT ON COLUMN fahr.model_version_v1.training_data IS 'What it was trained on.';
COMMENT ON COLUMN fahr.model_version_v1.licence IS 'Licence of the weights.';
COMMENT ON COLUMN fahr.model_version_v1.intended_use IS 'What it may be used for.';
COMMENT ON COLUMN fahr.model_version_v1.metrics IS 'Metrics its training measured on held-out people.';
COMMENT ON COLUMN fahr.model_version_v1.registered_on IS 'First night it scored here.';
COMMENT ON COLUMN fahr.model_version_v1.is_current IS 'True for the one release that nightly scoring uses; coverage is told for this one.';
COMMENT ON COLUMN fahr.model_version_v1.run_id IS 'Run that registered it.';

CREATE TABLE fahr.face_score_v1 (
    content_sha256          text NOT NULL,
    model_id                text NOT NULL,
    preprocessing_id        text NOT NULL,
    face_age_years          double precision CHECK (face_age_years BETWEEN -20 AND 150),
    face_survival_log_risk  double precision CHECK (abs(face_survival_log_risk) < 100),
    detection_probability   double precision NOT NULL CHECK (detection_probability BETWEEN 0 AND 1),
    face_width_px           double precision NOT NULL CHECK (face_width_px > 0),
    sharpness               double precision NOT NULL,
    weights_sha256          text NOT NULL,
    code_version            text NOT NULL,
    scored_on               date NOT NULL,
    run_id                  uuid NOT NULL REFERENCES fahr.run_v1,
    PRIMARY KEY (content_sha256, model_id, preprocessing_id),
    FOREIGN KEY (model_id, preprocessing_id) REFERENCES fahr.model_version_v1,
    CHECK (face_age_years IS NOT NULL OR face_survival_log_risk IS NOT NULL)
);
COMMENT ON TABLE fahr.face_score_v1 IS 'One row for the bytes of a photo scored by one model after one preprocessing.';
COMMENT ON COLUMN fahr.face_score_v1.content_sha256 IS 'SHA-256 of the photo''s bytes.';
COMMENT ON COLUMN fahr.face_score_v1.model_id IS 'Model release.';
COMMENT ON COLUMN fahr.face_score_v1.preprocessing_id IS 'Preprocessing.';
COMMENT ON COLUMN fahr.face_score_v1.face_age_years IS 'FaceAge: biological age the face shows, years. Null if the release has no age network.';
COMMENT ON COLUMN fahr.face_score_v1.face_survival_log_risk IS 'FaceSurvival: relative mortality risk, natural logarithm, no unit; higher is worse. Null if the release has no survival network.';
COMMENT ON COLUMN fahr.face_score_v1.detection_probability IS 'Face detector''s probability, 0 to 1.';
COMMENT ON COLUMN fahr.face_score_v1.face_width_px IS 'Width of the face in the upright photo at full size, pixels.';
COMMENT ON COLUMN fahr.face_score_v1.sharpness IS 'Variance of the Laplacian of the aligned face, grey levels squared; low is blurred.';
COMMENT ON COLUMN fahr.face_score_v1.weights_sha256 IS 'SHA-256 over the weights of the release.';
COMMENT ON COLUMN fahr.face_score_v1.code_version IS 'Version of this product that scored it.';
COMMENT ON COLUMN fahr.face_score_v1.scored_on IS 'Night of the score.';
COMMENT ON COLUMN fahr.face_score_v1.run_id IS 'Scoring run.';

CREATE TABLE fahr.score_failure_v1 (
    content_sha256    text NOT NULL,
    model_id          text NOT NULL,
    preprocessing_id  text NOT NULL,
    reason_code       text NOT NULL REFERENCES fahr.reason_code_v1,
    first_failed_on   date NOT NULL,
    last_failed_on    date NOT NULL,
    tries             integer NOT NULL DEFAULT 1,
    weights_sha256    text NOT NULL,
    code_version      text NOT NULL,
    run_id            uuid NOT NULL REFERENCES fahr.run_v1,
    PRIMARY KEY (content_sha256, model_id, preprocessing_id),
    FOREIGN KEY (model_id, preprocessing_id) REFERENCES fahr.model_version_v1
);
COMMENT ON TABLE fahr.score_failure_v1 IS 'Why an accepted photo has no score by a model; the row goes when a later night scores it.';
COMMENT ON COLUMN fahr.score_failure_v1.content_sha256 IS 'SHA-256 of the photo''s bytes.';
COMMENT ON COLUMN fahr.score_failure_v1.model_id IS 'Model release.';
COMMENT ON COLUMN fahr.score_failure_v1.preprocessing_id IS 'Preprocessing.';
COMMENT ON COLUMN fahr.score_failure_v1.reason_code IS 'fahr.reason_code tells its meaning and whether it is permanent.';
COMMENT ON COLUMN fahr.score_failure_v1.first_failed_on IS 'First night it failed.';
COMMENT ON COLUMN fahr.score_failure_v1.last_failed_on IS 'Last night it failed.';
COMMENT ON COLUMN fahr.score_failure_v1.tries IS 'Nights on which it was tried.';
COMMENT ON COLUMN fahr.score_failure_v1.weights_sha256 IS 'SHA-256 over the weights of the release.';
COMMENT ON COLUMN fahr.score_failure_v1.code_version IS 'Version of this product.';
COMMENT ON COLUMN fahr.score_failure_v1.run_id IS 'Scoring run.';

CREATE TABLE fahr_stage.face_score (
    run_id                  uuid NOT NULL,
    content_sha256          text,
    model_id                text,
    preprocessing_id        text,
    weights_sha256          text,
    code_version            text,
    face_age_years          double precision,
    face_survival_log_risk  double precision,
    detection_probability   double precision,
    face_width_px           double precision,
    sharpness               double precision,
    reason_code             text
);
COMMENT ON TABLE fahr_stage.face_score IS 'What a scoring run staged, before it is checked: no constraint holds here. Empty between publishes.';
COMMENT ON COLUMN fahr_stage.face_score.run_id IS 'Scoring run.';
COMMENT ON COLUMN fahr_stage.face_score.content_sha256 IS 'SHA-256 of the photo''s bytes.';
COMMENT ON COLUMN fahr_stage.face_score.model_id IS 'Model release.';
COMMENT ON COLUMN fahr_stage.face_score.preprocessing_id IS 'Preprocessing.';
COMMENT ON COLUMN fahr_stage.face_score.weights_sha256 IS 'SHA-256 over the weights of the release.';
COMMENT ON COLUMN fahr_stage.face_score.code_version IS 'Version of this product that scored it.';
COMMENT ON COLUMN fahr_stage.face_score.face_age_years IS 'FaceAge, years; null where there is a reason.';
COMMENT ON COLUMN fahr_stage.face_score.face_survival_log_risk IS 'FaceSurvival, log risk; null where there is a reason.';
COMMENT ON COLUMN fahr_stage.face_score.detection_probability IS 'Face detector''s probability, 0 to 1.';
COMMENT ON COLUMN fahr_stage.face_score.face_width_px IS 'Width of the face in the upright photo at full size, pixels.';
COMMENT ON COLUMN fahr_stage.face_score.sharpness IS 'Variance of the Laplacian of the aligned face, grey levels squared.';
COMMENT ON COLUMN fahr_stage.face_score.reason_code IS 'Why there is no score; null where there is one.';
