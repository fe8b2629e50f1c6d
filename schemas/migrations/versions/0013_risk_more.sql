-- Covariates that are not known of everybody: counted, and filled several times where the cohort declares it.
CREATE TABLE fahr.risk_missing_v1 (
    analysis_id  text NOT NULL,
    cohort       text NOT NULL,
    column_name  text NOT NULL,
    label        text NOT NULL,
    persons      integer NOT NULL CHECK (persons >= 0),
    missing      integer NOT NULL CHECK (missing BETWEEN 0 AND persons),
    handling     text NOT NULL CHECK (handling IN ('complete', 'left_out', 'imputed')),
    run_id       uuid NOT NULL REFERENCES fahr.run_v1,
    PRIMARY KEY (analysis_id, column_name)
);
COMMENT ON TABLE fahr.risk_missing_v1 IS 'Of how many persons of a cohort a covariate is not known, and what became of them.';
COMMENT ON COLUMN fahr.risk_missing_v1.analysis_id IS 'fahr.risk_model.analysis_id.';
COMMENT ON COLUMN fahr.risk_missing_v1.cohort IS 'Name of the cohort.';
COMMENT ON COLUMN fahr.risk_missing_v1.column_name IS 'Column of the cohort''s SQL.';
COMMENT ON COLUMN fahr.risk_missing_v1.label IS 'The covariate in words.';
COMMENT ON COLUMN fahr.risk_missing_v1.persons IS 'Rows of the cohort with follow-up, of which it was looked at.';
COMMENT ON COLUMN fahr.risk_missing_v1.missing IS 'Those of them in which it is not known.';
COMMENT ON COLUMN fahr.risk_missing_v1.handling IS 'complete: known of all. left_out: who lacks it is not analysed. imputed: filled several times from what is known, results pooled.';
COMMENT ON COLUMN fahr.risk_missing_v1.run_id IS 'Risk run.';

ALTER TABLE fahr.risk_model_v1 ADD COLUMN imputations integer CHECK (imputations > 1);
COMMENT ON COLUMN fahr.risk_model_v1.imputations IS 'How many completed data sets the model was fitted to and pooled over (Rubin); null where nothing was imputed.';
ALTER TABLE fahr.risk_coefficient_v1 ADD COLUMN degrees double precision CHECK (degrees > 0);
ALTER TABLE fahr.risk_coefficient_v1 ADD COLUMN missing_information double precision CHECK (missing_information BETWEEN 0 AND 1);
COMMENT ON COLUMN fahr.risk_coefficient_v1.degrees IS 'Degrees of freedom of Student''s t behind interval and p value, where values were imputed (Barnard and Rubin); null: normal.';
COMMENT ON COLUMN fahr.risk_coefficient_v1.missing_information IS 'Share of the information on this coefficient that is missing with the values; null where nothing was imputed.';
ALTER TABLE fahr.risk_contrast_v1 DROP CONSTRAINT risk_contrast_v1_statistic_check;
ALTER TABLE fahr.risk_contrast_v1 ADD CONSTRAINT risk_contrast_v1_statistic_check
    CHECK (statistic IN ('likelihood_ratio', 'wald', 'pooled_wald'));
ALTER TABLE fahr.risk_contrast_v1 ADD COLUMN denominator_degrees double precision CHECK (denominator_degrees > 0);
COMMENT ON COLUMN fahr.risk_contrast_v1.statistic IS 'likelihood_ratio, wald, or pooled_wald (over imputed data sets, D1): then chi_squared is degrees times the F statistic.';
COMMENT ON COLUMN fahr.risk_contrast_v1.denominator_degrees IS 'Of the F distribution behind p_value, where values were imputed; null: chi-squared.';
ALTER TABLE fahr.risk_subgroup_v1 ADD COLUMN interaction_denominator_degrees double precision
    CHECK (interaction_denominator_degrees > 0);
COMMENT ON COLUMN fahr.risk_subgroup_v1.interaction_denominator_degrees IS 'Of the F distribution behind interaction_p_value, where values were imputed (D2); null: chi-squared.';
ALTER TABLE fahr.risk_diagnostic_v1 ADD COLUMN denominator_degrees double precision CHECK (denominator_degrees > 0);
COMMENT ON COLUMN fahr.risk_diagnostic_v1.denominator_degrees IS 'Of the F distribution behind p_value, where values were imputed (D2); null: chi-squared.';

-- Weights a cohort declares: of how many persons a row stands for, or the inverse of a probability.
ALTER TABLE fahr.cohort_member_v1 ADD COLUMN weight double precision CHECK (weight > 0);
COMMENT ON COLUMN fahr.cohort_member_v1.weight IS 'Weight of the row; null where the cohort declares none.';

CREATE TABLE fahr.risk_validation_flow_v1 (
    validation_id  text NOT NULL,
    step           integer NOT NULL CHECK (step >= 0),
    reason         text NOT NULL,
    label          text NOT NULL,
    left_out       integer NOT NULL CHECK (left_out >= 0),
    remaining      integer NOT NULL CHECK (remaining >= 0),
    run_id         uuid NOT NULL REFERENCES fahr.run_v1,
    PRIMARY KEY (validation_id, step)
);
COMMENT ON TABLE fahr.risk_validation_flow_v1 IS 'Who of a cohort a frozen model was judged on, and who was left out, step by step.';
COMMENT ON COLUMN fahr.risk_validation_flow_v1.validation_id IS 'fahr.risk_validation.validation_id.';
COMMENT ON COLUMN fahr.risk_validation_flow_v1.step IS 'Counts the steps from 0, everybody in the cohort.';
COMMENT ON COLUMN fahr.risk_validation_flow_v1.reason IS 'Why persons were left out at this step, as a name.';
COMMENT ON COLUMN fahr.risk_validation_flow_v1.label IS 'The same in words.';
COMMENT ON COLUMN fahr.risk_validation_flow_v1.left_out IS 'Persons left out at this step.';
COMMENT ON COLUMN fahr.risk_validation_flow_v1.remaining IS 'Persons left after it.';
COMMENT ON COLUMN fahr.risk_validation_flow_v1.run_id IS 'Risk run.';
