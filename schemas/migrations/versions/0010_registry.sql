-- What the declarations in YAML say, for SQL to join: concept sets, rules for deaths told twice, reasons of the registry.
CREATE TABLE fahr.concept_set_v1 (
    concept_set       text NOT NULL,
    member            text NOT NULL,
    member_number     integer NOT NULL,
    concept_id        integer NOT NULL,
    concept_name      text NOT NULL,
    with_descendants  boolean NOT NULL,
    cdm_column        text NOT NULL,
    PRIMARY KEY (concept_set, concept_id)
);
COMMENT ON TABLE fahr.concept_set_v1 IS 'Concept sets as declared in schemas/concepts or the hospital''s own folder (FAHR_CONCEPTS). Refreshed by each migration.';
COMMENT ON COLUMN fahr.concept_set_v1.concept_set IS 'Name of the set, for example cancer_site.';
COMMENT ON COLUMN fahr.concept_set_v1.member IS 'What the concept means in cohorts, for example breast.';
COMMENT ON COLUMN fahr.concept_set_v1.member_number IS 'Place of the member in the declaration, from 1.';
COMMENT ON COLUMN fahr.concept_set_v1.concept_id IS 'cdm.concept.concept_id.';
COMMENT ON COLUMN fahr.concept_set_v1.concept_name IS 'Name the declaration gives it.';
COMMENT ON COLUMN fahr.concept_set_v1.with_descendants IS 'True: concepts below it in cdm.concept_ancestor mean the same.';
COMMENT ON COLUMN fahr.concept_set_v1.cdm_column IS 'Table and column of the CDM in which it stands.';

CREATE TABLE fahr.death_rule_v1 (
    conflict        text PRIMARY KEY,
    believed        text NOT NULL CHECK (believed IN ('cdm', 'registry', 'earliest', 'latest')),
    tolerance_days  integer NOT NULL CHECK (tolerance_days >= 0),
    meaning         text NOT NULL
);
COMMENT ON TABLE fahr.death_rule_v1 IS 'What is believed where registry and hospital tell a death differently, as declared in schemas/registry/deaths.yaml. Refreshed by each migration.';
COMMENT ON COLUMN fahr.death_rule_v1.conflict IS 'The conflict it decides.';
COMMENT ON COLUMN fahr.death_rule_v1.believed IS 'cdm, registry, earliest or latest.';
COMMENT ON COLUMN fahr.death_rule_v1.tolerance_days IS 'Differences up to this many days are no conflict.';
COMMENT ON COLUMN fahr.death_rule_v1.meaning IS 'What the conflict is, in a sentence.';

CREATE TABLE fahr.registry_reason_v1 (
    reason_code  text PRIMARY KEY,
    loses        text NOT NULL CHECK (loses IN ('record', 'tumour', 'follow_up', 'value')),
    meaning      text NOT NULL
);
COMMENT ON TABLE fahr.registry_reason_v1 IS 'Every reason why a registry''s record, or a part of it, is not used. Refreshed by each migration.';
COMMENT ON COLUMN fahr.registry_reason_v1.reason_code IS 'The code as it stands with the record.';
COMMENT ON COLUMN fahr.registry_reason_v1.loses IS 'What is not used for it: the record, its tumour, its follow-up, or one value.';
COMMENT ON COLUMN fahr.registry_reason_v1.meaning IS 'What it means, in a sentence.';

-- What a tumour registry told us, one row a record of its file. Direct identifiers: never shown to analysts.
CREATE TABLE registry.load_v1 (
    load_id         uuid PRIMARY KEY,
    registry        text NOT NULL,
    file_format     text NOT NULL CHECK (file_format IN ('naaccr_xml', 'csv')),
    format_version  text,
    file_as_of      date NOT NULL,
    file_sha256     text NOT NULL,
    mapping_sha256  text NOT NULL,
    loaded_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    code_version    text NOT NULL,
    is_current      boolean NOT NULL,
    counts          jsonb NOT NULL DEFAULT '{}'
);
CREATE UNIQUE INDEX load_one_current ON registry.load_v1 (registry) WHERE is_current;
COMMENT ON TABLE registry.load_v1 IS 'One row for each file that was loaded; the current one of a registry is what its records are.';
COMMENT ON COLUMN registry.load_v1.load_id IS 'Id of this load; every record it wrote carries it.';
COMMENT ON COLUMN registry.load_v1.registry IS 'Name of the registry. A file replaces what the same registry gave before.';
COMMENT ON COLUMN registry.load_v1.file_format IS 'naaccr_xml or csv.';
COMMENT ON COLUMN registry.load_v1.format_version IS 'NAACCR version of the file, for example 250.';
COMMENT ON COLUMN registry.load_v1.file_as_of IS 'Day the file was made; later dates in it are impossible.';
COMMENT ON COLUMN registry.load_v1.file_sha256 IS 'SHA-256 of the file''s bytes.';
COMMENT ON COLUMN registry.load_v1.mapping_sha256 IS 'SHA-256 of the mapping it was read with, and of the site groups.';
COMMENT ON COLUMN registry.load_v1.loaded_at IS 'When it was loaded.';
COMMENT ON COLUMN registry.load_v1.code_version IS 'Version of this product.';
COMMENT ON COLUMN registry.load_v1.is_current IS 'True for the last load of the registry.';
COMMENT ON COLUMN registry.load_v1.counts IS 'What was counted, by name.';

CREATE TABLE registry.record_v1 (
    registry               text NOT NULL,
    record_number          integer NOT NULL,
    load_id                uuid NOT NULL REFERENCES registry.load_v1,
    mrn                    text,
    registry_patient       text,
    tumour_number          text,
    diagnosed_on           date,
    diagnosed_precision    text CHECK (diagnosed_precision IN ('day', 'month', 'year')),
    site_code              text,
    site                   text,
    histology              text,
    behaviour              text,
    stage_code             text,
    stage                  text,
    stage_basis            text CHECK (stage_basis IN ('pathological', 'clinical', 'given')),
    summary_stage          text,
    vital_status           text CHECK (vital_status IN ('alive', 'dead')),
    last_contact_on        date,
    last_contact_precision text CHECK (last_contact_precision IN ('day', 'month', 'year')),
    cause_of_death         text,
    tumour_usable          boolean NOT NULL,
    follow_up_usable       boolean NOT NULL,
    reason_codes           text[] NOT NULL DEFAULT '{}',
    given                  jsonb NOT NULL,
    PRIMARY KEY (registry, record_number),
    CHECK (NOT tumour_usable OR (diagnosed_on IS NOT NULL AND site_code IS NOT NULL)),
    CHECK (NOT follow_up_usable OR (vital_status IS NOT NULL AND last_contact_on IS NOT NULL))
);
CREATE INDEX ON registry.record_v1 (mrn);
COMMENT ON TABLE registry.record_v1 IS 'Every record of the current file of each registry, also those that cannot be used. Holds direct identifiers.';
COMMENT ON COLUMN registry.record_v1.registry IS 'Name of the registry.';
COMMENT ON COLUMN registry.record_v1.record_number IS 'Place of the record in the file, from 1.';
COMMENT ON COLUMN registry.record_v1.load_id IS 'Load that wrote it.';
COMMENT ON COLUMN registry.record_v1.mrn IS 'The hospital''s record number as the registry has it: a direct identifier.';
COMMENT ON COLUMN registry.record_v1.registry_patient IS 'The registry''s own number of the patient: a direct identifier.';
COMMENT ON COLUMN registry.record_v1.tumour_number IS 'The registry''s number of the tumour within the patient.';
COMMENT ON COLUMN registry.record_v1.diagnosed_on IS 'Day of diagnosis; the middle of the month or year where only that is known.';
COMMENT ON COLUMN registry.record_v1.diagnosed_precision IS 'How exactly it is known: day, month or year.';
COMMENT ON COLUMN registry.record_v1.site_code IS 'ICD-O-3 topography, as C50.9.';
COMMENT ON COLUMN registry.record_v1.site IS 'Group of sites, as declared in schemas/registry/sites.yaml; null for others.';
COMMENT ON COLUMN registry.record_v1.histology IS 'ICD-O-3 histology, four digits.';
COMMENT ON COLUMN registry.record_v1.behaviour IS 'ICD-O-3 behaviour, one digit: 3 is malignant.';
COMMENT ON COLUMN registry.record_v1.stage_code IS 'Stage group as the registry tells it, for example 2B.';
COMMENT ON COLUMN registry.record_v1.stage IS '0, I, II, III or IV; null where not known or not applicable.';
COMMENT ON COLUMN registry.record_v1.stage_basis IS 'pathological, clinical, or given (the registry does not say which).';
COMMENT ON COLUMN registry.record_v1.summary_stage IS 'in_situ, localized, regional or distant; null where not known.';
COMMENT ON COLUMN registry.record_v1.vital_status IS 'alive or dead at the last contact.';
COMMENT ON COLUMN registry.record_v1.last_contact_on IS 'Day of the last contact, or of death; the middle of the month or year where only that is known.';
COMMENT ON COLUMN registry.record_v1.last_contact_precision IS 'How exactly it is known: day, month or year.';
COMMENT ON COLUMN registry.record_v1.cause_of_death IS 'Underlying cause of death, ICD-10, as C50.9; null where not dead or not known.';
COMMENT ON COLUMN registry.record_v1.tumour_usable IS 'True: the tumour is shown in fahr.registry_tumour, if its patient is known here.';
COMMENT ON COLUMN registry.record_v1.follow_up_usable IS 'True: vital status and last contact are used.';
COMMENT ON COLUMN registry.record_v1.reason_codes IS 'Why the record, or a part of it, is not used: fahr.registry_problem tells their meaning.';
COMMENT ON COLUMN registry.record_v1.given IS 'The values of the mapped items as they stood in the file.';

-- Where scores are written in OMOP's form.
CREATE TABLE fahr.omop_schema_v1 (
    schema_name   text PRIMARY KEY,
    prepared_at   timestamptz NOT NULL DEFAULT now(),
    code_version  text NOT NULL
);
COMMENT ON TABLE fahr.omop_schema_v1 IS 'Results schemas that `fahr omop prepare` made; persons are copied to these alone.';
COMMENT ON COLUMN fahr.omop_schema_v1.schema_name IS 'Name of the schema.';
COMMENT ON COLUMN fahr.omop_schema_v1.prepared_at IS 'When it was made.';
COMMENT ON COLUMN fahr.omop_schema_v1.code_version IS 'Version of this product.';
