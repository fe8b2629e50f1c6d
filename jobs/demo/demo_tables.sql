-- What is true in the demo hospital, and what was done to its photos on purpose. This schema exists in demo warehouses only.
CREATE SCHEMA demo;
COMMENT ON SCHEMA demo IS 'SYNTHETIC: the truth behind the demo hospital. Exists in demo warehouses only; no job reads it.';

CREATE TABLE demo.hospital (
    seed      bigint NOT NULL,
    patients  integer NOT NULL,
    version   integer NOT NULL,
    counts    jsonb NOT NULL
);
COMMENT ON TABLE demo.hospital IS 'SYNTHETIC: the one demo hospital that stands in this warehouse.';
COMMENT ON COLUMN demo.hospital.seed IS 'Seed everything was drawn from.';
COMMENT ON COLUMN demo.hospital.patients IS 'Patients asked for.';
COMMENT ON COLUMN demo.hospital.version IS 'Version of the builder: another one draws another hospital.';
COMMENT ON COLUMN demo.hospital.counts IS 'What was built, counts by name.';

CREATE TABLE demo.truth_patient (
    person_id                 bigint PRIMARY KEY,
    index_date                date NOT NULL,
    age_at_index_years        double precision NOT NULL,
    biological_age_at_index   double precision NOT NULL,
    biological_age_gap_years  double precision NOT NULL,
    frailty                   double precision NOT NULL,
    sex                       text NOT NULL,
    site                      text NOT NULL,
    stage                     text NOT NULL,
    ecog                      smallint NOT NULL,
    followup_days             integer NOT NULL,
    died                      boolean NOT NULL,
    log_hazard                double precision NOT NULL
);
COMMENT ON TABLE demo.truth_patient IS 'SYNTHETIC: what is true of each patient at the first photographs.';
COMMENT ON COLUMN demo.truth_patient.person_id IS 'cdm.person.person_id.';
COMMENT ON COLUMN demo.truth_patient.index_date IS 'Day of the first photographs; survival counts from here.';
COMMENT ON COLUMN demo.truth_patient.age_at_index_years IS 'Chronological age, years.';
COMMENT ON COLUMN demo.truth_patient.biological_age_at_index IS 'Biological age, years: what the face shows.';
COMMENT ON COLUMN demo.truth_patient.biological_age_gap_years IS 'Biological minus chronological age, years.';
COMMENT ON COLUMN demo.truth_patient.frailty IS 'Frailty, standard normal; higher is frailer. Shows in the face.';
COMMENT ON COLUMN demo.truth_patient.sex IS 'F or M.';
COMMENT ON COLUMN demo.truth_patient.site IS 'Site of the cancer.';
COMMENT ON COLUMN demo.truth_patient.stage IS 'AJCC stage group, I to IV.';
COMMENT ON COLUMN demo.truth_patient.ecog IS 'ECOG performance status, 0 to 4.';
COMMENT ON COLUMN demo.truth_patient.followup_days IS 'Days from index to death or the end of follow-up.';
COMMENT ON COLUMN demo.truth_patient.died IS 'True: followed to death.';
COMMENT ON COLUMN demo.truth_patient.log_hazard IS 'True log hazard relative to the model''s baseline person.';

CREATE TABLE demo.truth_coefficient (
    term              text PRIMARY KEY,
    covariate         text NOT NULL,
    level             text,
    reference_level   text,
    unit              text NOT NULL,
    log_hazard_ratio  double precision NOT NULL
);
COMMENT ON TABLE demo.truth_coefficient IS 'SYNTHETIC: the Cox model all survival times were drawn from.';
COMMENT ON COLUMN demo.truth_coefficient.term IS 'Name of the coefficient: covariate, or covariate=level.';
COMMENT ON COLUMN demo.truth_coefficient.covariate IS 'Covariate, called as in fahr.risk_coefficient.';
COMMENT ON COLUMN demo.truth_coefficient.level IS 'Level, for a categorical covariate.';
COMMENT ON COLUMN demo.truth_coefficient.reference_level IS 'Level it is compared with.';
COMMENT ON COLUMN demo.truth_coefficient.unit IS 'What one unit is.';
COMMENT ON COLUMN demo.truth_coefficient.log_hazard_ratio IS 'Natural logarithm of the hazard ratio for one unit.';

CREATE TABLE demo.truth_photo (
    source                text NOT NULL,
    source_key            text NOT NULL,
    person_id             bigint NOT NULL,
    captured_on           date NOT NULL,
    biological_age_years  double precision NOT NULL,
    frailty               double precision NOT NULL,
    PRIMARY KEY (source, source_key)
);
COMMENT ON TABLE demo.truth_photo IS 'SYNTHETIC: what the drawn face of each ordinary photo shows.';
COMMENT ON COLUMN demo.truth_photo.source IS 'share or dicom_folder.';
COMMENT ON COLUMN demo.truth_photo.source_key IS 'Key of the photo at its source.';
COMMENT ON COLUMN demo.truth_photo.person_id IS 'Who sat for it.';
COMMENT ON COLUMN demo.truth_photo.captured_on IS 'Day of the sitting.';
COMMENT ON COLUMN demo.truth_photo.biological_age_years IS 'Biological age on that day, years.';
COMMENT ON COLUMN demo.truth_photo.frailty IS 'Frailty on that day.';

CREATE TABLE demo.odd_photo (
    source           text NOT NULL,
    source_key       text NOT NULL,
    oddity           text NOT NULL,
    expected_reason  text,
    PRIMARY KEY (source, source_key)
);
COMMENT ON TABLE demo.odd_photo IS 'SYNTHETIC: the photos that are odd on purpose, and what the night must make of them.';
COMMENT ON COLUMN demo.odd_photo.source IS 'share or dicom_folder.';
COMMENT ON COLUMN demo.odd_photo.source_key IS 'Key of the photo at its source.';
COMMENT ON COLUMN demo.odd_photo.oddity IS 'What is odd about it.';
COMMENT ON COLUMN demo.odd_photo.expected_reason IS 'Reason code the night must give it; null: it must be scored.';
