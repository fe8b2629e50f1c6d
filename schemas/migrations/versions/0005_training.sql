-- Training data: which photo taught which model, and what networks that had not seen a photo say of it.
CREATE TABLE fahr.training_set_v1 (
    data_set_id       text PRIMARY KEY,
    name              text,
    source            text NOT NULL CHECK (source IN ('warehouse', 'folder')),
    is_synthetic      boolean NOT NULL,
    preprocessing_id  text NOT NULL,
    photos            integer NOT NULL CHECK (photos > 0),
    people            integer NOT NULL CHECK (people > 0),
    deaths            integer NOT NULL CHECK (deaths BETWEEN 0 AND people),
    refused           jsonb NOT NULL,
    split_seed        bigint NOT NULL,
    validation_share  double precision NOT NULL CHECK (validation_share BETWEEN 0 AND 1),
    test_share        double precision NOT NULL CHECK (test_share BETWEEN 0 AND 1),
    folds             smallint NOT NULL CHECK (folds >= 2),
    built_on          date NOT NULL,
    code_version      text NOT NULL,
    run_id            uuid NOT NULL REFERENCES fahr.run_v1
);
COMMENT ON TABLE fahr.training_set_v1 IS 'Data sets for training: aligned faces with labels, split by person. The crops lie under FAHR_HOME/training.';
COMMENT ON COLUMN fahr.training_set_v1.data_set_id IS 'Fingerprint of photos, labels, preprocessing and the recipe of the splits: the same data set has the same id.';
COMMENT ON COLUMN fahr.training_set_v1.name IS 'What people call it; no part of its id.';
COMMENT ON COLUMN fahr.training_set_v1.source IS 'warehouse: accepted photos of this hospital; folder: photos with a label file.';
COMMENT ON COLUMN fahr.training_set_v1.is_synthetic IS 'True: the photos are drawn or the people made up.';
COMMENT ON COLUMN fahr.training_set_v1.preprocessing_id IS 'How photos were turned into aligned faces.';
COMMENT ON COLUMN fahr.training_set_v1.photos IS 'Photos in it.';
COMMENT ON COLUMN fahr.training_set_v1.people IS 'People in them.';
COMMENT ON COLUMN fahr.training_set_v1.deaths IS 'People of whom a follow-up ends in death.';
COMMENT ON COLUMN fahr.training_set_v1.refused IS 'Photos left out, counted by reason.';
COMMENT ON COLUMN fahr.training_set_v1.split_seed IS 'Seed of the keyed hash that deals people to splits and folds.';
COMMENT ON COLUMN fahr.training_set_v1.validation_share IS 'Share of people dealt to validation.';
COMMENT ON COLUMN fahr.training_set_v1.test_share IS 'Share of people dealt to test.';
COMMENT ON COLUMN fahr.training_set_v1.folds IS 'Folds for cross-fitting.';
COMMENT ON COLUMN fahr.training_set_v1.built_on IS 'Night up to whose end photos and follow-up were used.';
COMMENT ON COLUMN fahr.training_set_v1.code_version IS 'Version of this product that built it.';
COMMENT ON COLUMN fahr.training_set_v1.run_id IS 'Run that built it.';

CREATE TABLE fahr.training_photo_v1 (
    data_set_id     text NOT NULL REFERENCES fahr.training_set_v1,
    content_sha256  text NOT NULL,
    person_id       bigint,
    split           text NOT NULL CHECK (split IN ('train', 'validation', 'test')),
    fold            smallint NOT NULL CHECK (fold >= 0),
    PRIMARY KEY (data_set_id, content_sha256),
    UNIQUE (data_set_id, content_sha256, fold)
);
CREATE INDEX ON fahr.training_photo_v1 (content_sha256);
COMMENT ON TABLE fahr.training_photo_v1 IS 'The photos of each data set, with the split and fold of their person.';
COMMENT ON COLUMN fahr.training_photo_v1.data_set_id IS 'fahr.training_set.data_set_id.';
COMMENT ON COLUMN fahr.training_photo_v1.content_sha256 IS 'SHA-256 of the photo''s bytes.';
COMMENT ON COLUMN fahr.training_photo_v1.person_id IS 'cdm.person.person_id; null for photos of a folder, whose people are not this hospital''s.';
COMMENT ON COLUMN fahr.training_photo_v1.split IS 'train, validation or test; the same for all photos of a person.';
COMMENT ON COLUMN fahr.training_photo_v1.fold IS 'Fold for cross-fitting; the same for all photos of a person.';

CREATE TABLE fahr.model_training_v1 (
    model_id        text NOT NULL,
    biomarker       text NOT NULL CHECK (biomarker IN ('age', 'survival', 'encoder')),
    network_sha256  text NOT NULL,
    data_set_id     text NOT NULL REFERENCES fahr.training_set_v1,
    split           text NOT NULL CHECK (split IN ('train', 'validation', 'test')),
    fold            smallint NOT NULL CHECK (fold >= 0),
    trained_on      date NOT NULL,
    run_id          uuid NOT NULL REFERENCES fahr.run_v1,
    PRIMARY KEY (model_id, biomarker, data_set_id, split, fold)
);
COMMENT ON TABLE fahr.model_training_v1 IS 'Which parts of which data sets taught a network, choosing its checkpoint and whatever it started from included.';
COMMENT ON COLUMN fahr.model_training_v1.model_id IS 'Model release.';
COMMENT ON COLUMN fahr.model_training_v1.biomarker IS 'Network that was taught: age, survival, or encoder (pre-training).';
COMMENT ON COLUMN fahr.model_training_v1.network_sha256 IS 'SHA-256 of the network''s weights file: a release that takes the network over was taught by the same photos.';
COMMENT ON COLUMN fahr.model_training_v1.data_set_id IS 'fahr.training_set.data_set_id.';
COMMENT ON COLUMN fahr.model_training_v1.split IS 'Split that taught it.';
COMMENT ON COLUMN fahr.model_training_v1.fold IS 'Fold of that split that taught it.';
COMMENT ON COLUMN fahr.model_training_v1.trained_on IS 'Logical date of the training.';
COMMENT ON COLUMN fahr.model_training_v1.run_id IS 'Run that trained it.';

CREATE TABLE fahr.out_of_fold_score_v1 (
    content_sha256    text NOT NULL,
    model_id          text NOT NULL,
    preprocessing_id  text NOT NULL,
    biomarker         text NOT NULL CHECK (biomarker IN ('age', 'survival')),
    network_sha256    text NOT NULL,
    value             double precision NOT NULL,
    data_set_id       text NOT NULL,
    fold              smallint NOT NULL,
    run_id            uuid NOT NULL REFERENCES fahr.run_v1,
    PRIMARY KEY (content_sha256, network_sha256, preprocessing_id, biomarker),
    FOREIGN KEY (data_set_id, content_sha256, fold)
        REFERENCES fahr.training_photo_v1 (data_set_id, content_sha256, fold),
    CHECK (CASE biomarker WHEN 'age' THEN value BETWEEN -20 AND 150 ELSE abs(value) < 100 END)
);
COMMENT ON TABLE fahr.out_of_fold_score_v1 IS 'What a network trained without the person''s fold says of a photo that taught the released network.';
COMMENT ON COLUMN fahr.out_of_fold_score_v1.content_sha256 IS 'SHA-256 of the photo''s bytes.';
COMMENT ON COLUMN fahr.out_of_fold_score_v1.model_id IS 'Model release it was made for.';
COMMENT ON COLUMN fahr.out_of_fold_score_v1.preprocessing_id IS 'How the photo was turned into network input.';
COMMENT ON COLUMN fahr.out_of_fold_score_v1.biomarker IS 'age (years) or survival (log risk).';
COMMENT ON COLUMN fahr.out_of_fold_score_v1.network_sha256 IS 'SHA-256 of the weights file of the released network, in whose place it stands.';
COMMENT ON COLUMN fahr.out_of_fold_score_v1.value IS 'The score: years for age, log risk for survival.';
COMMENT ON COLUMN fahr.out_of_fold_score_v1.data_set_id IS 'fahr.training_set.data_set_id.';
COMMENT ON COLUMN fahr.out_of_fold_score_v1.fold IS 'Fold of the person, which the network had not seen.';
COMMENT ON COLUMN fahr.out_of_fold_score_v1.run_id IS 'Run that wrote it.';
