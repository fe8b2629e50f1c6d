-- What evaluations of a model found: one row for each number.
CREATE TABLE fahr.evaluation_v1 (
    evaluation_id     text PRIMARY KEY,
    kind              text NOT NULL CHECK (kind IN ('age', 'survival', 'robustness', 'saliency')),
    model_id          text NOT NULL,
    preprocessing_id  text NOT NULL,
    weights_sha256    text NOT NULL,
    data              text NOT NULL,
    data_sha256       text NOT NULL,
    method            text NOT NULL,
    remarks           text[] NOT NULL,
    is_synthetic      boolean NOT NULL,
    photos            integer NOT NULL,
    people            integer NOT NULL,
    evaluated_on      date NOT NULL,
    code_version      text NOT NULL,
    run_id            uuid NOT NULL REFERENCES fahr.run_v1
);
COMMENT ON TABLE fahr.evaluation_v1 IS 'Each evaluation of a model on photos it was not trained on. Research use only.';
COMMENT ON COLUMN fahr.evaluation_v1.evaluation_id IS 'Fingerprint of kind, model, preprocessing, data, method and code: the same evaluation has the same id.';
COMMENT ON COLUMN fahr.evaluation_v1.kind IS 'age, survival, robustness or saliency.';
COMMENT ON COLUMN fahr.evaluation_v1.model_id IS 'Model release evaluated.';
COMMENT ON COLUMN fahr.evaluation_v1.preprocessing_id IS 'How photos were turned into network input.';
COMMENT ON COLUMN fahr.evaluation_v1.weights_sha256 IS 'SHA-256 over the weights of the release.';
COMMENT ON COLUMN fahr.evaluation_v1.data IS 'What it was evaluated on, in words: the warehouse, a folder, or drawn faces.';
COMMENT ON COLUMN fahr.evaluation_v1.data_sha256 IS 'SHA-256 of the photos and labels evaluated.';
COMMENT ON COLUMN fahr.evaluation_v1.method IS 'How, where it changes the numbers: resamplings, seed, steps; may be empty.';
COMMENT ON COLUMN fahr.evaluation_v1.remarks IS 'Weaknesses found, and what was left out and why, in sentences.';
COMMENT ON COLUMN fahr.evaluation_v1.is_synthetic IS 'True: the photos are drawn or the patients synthetic; the numbers say nothing about people.';
COMMENT ON COLUMN fahr.evaluation_v1.photos IS 'Photos evaluated.';
COMMENT ON COLUMN fahr.evaluation_v1.people IS 'People in them.';
COMMENT ON COLUMN fahr.evaluation_v1.evaluated_on IS 'Day of the evaluation.';
COMMENT ON COLUMN fahr.evaluation_v1.code_version IS 'Version of this product.';
COMMENT ON COLUMN fahr.evaluation_v1.run_id IS 'Run that evaluated.';

CREATE TABLE fahr.evaluation_metric_v1 (
    evaluation_id  text NOT NULL REFERENCES fahr.evaluation_v1 ON DELETE CASCADE,
    metric         text NOT NULL,
    group_name     text NOT NULL,
    level          text NOT NULL,
    photos         integer,
    people         integer,
    events         integer,
    estimate       double precision,
    lower_95       double precision,
    upper_95       double precision,
    note           text,
    PRIMARY KEY (evaluation_id, metric, group_name, level)
);
COMMENT ON TABLE fahr.evaluation_metric_v1 IS 'The numbers of an evaluation, one a row.';
COMMENT ON COLUMN fahr.evaluation_metric_v1.evaluation_id IS 'fahr.evaluation.evaluation_id.';
COMMENT ON COLUMN fahr.evaluation_metric_v1.metric IS 'What was measured, unit last: face_age_mae_years, c_index …; docs/evaluation.md tells each.';
COMMENT ON COLUMN fahr.evaluation_metric_v1.group_name IS 'What the rows are split by: all, age_decade, sex, skin_tone, quartile, a nuisance, a region …';
COMMENT ON COLUMN fahr.evaluation_metric_v1.level IS 'Level of the group; all for the whole.';
COMMENT ON COLUMN fahr.evaluation_metric_v1.photos IS 'Photos behind the number.';
COMMENT ON COLUMN fahr.evaluation_metric_v1.people IS 'People behind it.';
COMMENT ON COLUMN fahr.evaluation_metric_v1.events IS 'Deaths behind it, where survival is concerned.';
COMMENT ON COLUMN fahr.evaluation_metric_v1.estimate IS 'The number; null where it cannot be computed, and then note says why.';
COMMENT ON COLUMN fahr.evaluation_metric_v1.lower_95 IS 'Lower end of its 95 % interval, where one is given.';
COMMENT ON COLUMN fahr.evaluation_metric_v1.upper_95 IS 'Upper end of its 95 % interval.';
COMMENT ON COLUMN fahr.evaluation_metric_v1.note IS 'Why there is no number, or what must be known to read it.';
