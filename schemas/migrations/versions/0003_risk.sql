-- Cohorts, Cox models and what they say of persons. One analysis = one cohort, one declaration, one state of the data.
CREATE TABLE fahr.cohort_member_v1 (
    analysis_id             text NOT NULL,
    cohort                  text NOT NULL,
    person_id               bigint NOT NULL,
    index_date              date NOT NULL,
    followup_years          double precision NOT NULL CHECK (followup_years > 0),
    event                   boolean NOT NULL,
    age_years               double precision NOT NULL,
    face_age_years          double precision,
    face_survival_log_risk  double precision,
    covariates              jsonb NOT NULL,
    model_id                text NOT NULL,
    run_id                  uuid NOT NULL REFERENCES fahr.run_v1,
    PRIMARY KEY (analysis_id, person_id)
);
COMMENT ON TABLE fahr.cohort_member_v1 IS 'The persons of each analysis, with the values its models saw.';
COMMENT ON COLUMN fahr.cohort_member_v1.analysis_id IS 'Fingerprint of cohort declaration, data and code: same data, same id.';
COMMENT ON COLUMN fahr.cohort_member_v1.cohort IS 'Name of the cohort.';
COMMENT ON COLUMN fahr.cohort_member_v1.person_id IS 'cdm.person.person_id.';
COMMENT ON COLUMN fahr.cohort_member_v1.index_date IS 'Day of the photographs; follow-up starts here.';
COMMENT ON COLUMN fahr.cohort_member_v1.followup_years IS 'Years from index to death or censoring.';
COMMENT ON COLUMN fahr.cohort_member_v1.event IS 'True: died at the end of follow-up. False: censored.';
COMMENT ON COLUMN fahr.cohort_member_v1.age_years IS 'Chronological age at index, years.';
COMMENT ON COLUMN fahr.cohort_member_v1.face_age_years IS 'FaceAge of the session at index, years.';
COMMENT ON COLUMN fahr.cohort_member_v1.face_survival_log_risk IS 'FaceSurvival of the session at index, log risk.';
COMMENT ON COLUMN fahr.cohort_member_v1.covariates IS 'The declared covariates by name.';
COMMENT ON COLUMN fahr.cohort_member_v1.model_id IS 'Model release of the scores.';
COMMENT ON COLUMN fahr.cohort_member_v1.run_id IS 'Risk run.';

CREATE TABLE fahr.risk_model_v1 (
    analysis_id       text NOT NULL,
    model_name        text NOT NULL,
    cohort            text NOT NULL,
    endpoint          text NOT NULL,
    description       text NOT NULL,
    status            text NOT NULL CHECK (status IN ('fitted', 'refused')),
    status_reason     text,
    persons           integer NOT NULL,
    events            integer NOT NULL,
    log_likelihood    double precision,
    aic               double precision,
    concordance       double precision,
    ph_test_p_value   double precision,
    ties              text NOT NULL,
    model_id          text NOT NULL,
    declaration_sha256 text NOT NULL,
    data_sha256       text NOT NULL,
    code_version      text NOT NULL,
    fitted_on         date NOT NULL,
    run_id            uuid NOT NULL REFERENCES fahr.run_v1,
    PRIMARY KEY (analysis_id, model_name)
);
COMMENT ON TABLE fahr.risk_model_v1 IS 'Every Cox model of every analysis: fitted, or refused and why.';
COMMENT ON COLUMN fahr.risk_model_v1.analysis_id IS 'Fingerprint of cohort declaration, data and code.';
COMMENT ON COLUMN fahr.risk_model_v1.model_name IS 'Name of the model in the analysis, for example face_age_adjusted.';
COMMENT ON COLUMN fahr.risk_model_v1.cohort IS 'Name of the cohort.';
COMMENT ON COLUMN fahr.risk_model_v1.endpoint IS 'Event whose hazard is modelled.';
COMMENT ON COLUMN fahr.risk_model_v1.description IS 'The model in words.';
COMMENT ON COLUMN fahr.risk_model_v1.status IS 'fitted or refused.';
COMMENT ON COLUMN fahr.risk_model_v1.status_reason IS 'Why it was refused, or warnings on a fitted model; null where there are none.';
COMMENT ON COLUMN fahr.risk_model_v1.persons IS 'Persons in the fit.';
COMMENT ON COLUMN fahr.risk_model_v1.events IS 'Events among them.';
COMMENT ON COLUMN fahr.risk_model_v1.log_likelihood IS 'Partial log-likelihood at the estimate.';
COMMENT ON COLUMN fahr.risk_model_v1.aic IS 'Partial Akaike information criterion.';
COMMENT ON COLUMN fahr.risk_model_v1.concordance IS 'Harrell''s C on the same persons (apparent), 0 to 1.';
COMMENT ON COLUMN fahr.risk_model_v1.ph_test_p_value IS 'Smallest p value over terms of the test of proportional hazards (lifelines, rank time), not adjusted for multiplicity.';
COMMENT ON COLUMN fahr.risk_model_v1.ties IS 'How ties are handled: efron.';
COMMENT ON COLUMN fahr.risk_model_v1.model_id IS 'Model release of the scores.';
COMMENT ON COLUMN fahr.risk_model_v1.declaration_sha256 IS 'SHA-256 of the cohort''s SQL and YAML.';
COMMENT ON COLUMN fahr.risk_model_v1.data_sha256 IS 'SHA-256 of the cohort''s rows.';
COMMENT ON COLUMN fahr.risk_model_v1.code_version IS 'Version of this product.';
COMMENT ON COLUMN fahr.risk_model_v1.fitted_on IS 'Logical date of the risk run.';
COMMENT ON COLUMN fahr.risk_model_v1.run_id IS 'Risk run.';

CREATE TABLE fahr.risk_coefficient_v1 (
    analysis_id        text NOT NULL,
    model_name         text NOT NULL,
    term               text NOT NULL,
    covariate          text NOT NULL,
    level              text,
    reference_level    text,
    label              text NOT NULL,
    unit               text NOT NULL,
    one_unit           double precision CHECK (one_unit > 0),
    log_hazard_ratio   double precision NOT NULL,
    standard_error     double precision NOT NULL CHECK (standard_error > 0),
    hazard_ratio       double precision NOT NULL CHECK (hazard_ratio > 0),
    ci_lower           double precision NOT NULL,
    ci_upper           double precision NOT NULL,
    z                  double precision NOT NULL,
    p_value            double precision NOT NULL CHECK (p_value BETWEEN 0 AND 1),
    run_id             uuid NOT NULL REFERENCES fahr.run_v1,
    PRIMARY KEY (analysis_id, model_name, term),
    FOREIGN KEY (analysis_id, model_name) REFERENCES fahr.risk_model_v1
);
COMMENT ON TABLE fahr.risk_coefficient_v1 IS 'Coefficients of the fitted Cox models.';
COMMENT ON COLUMN fahr.risk_coefficient_v1.analysis_id IS 'fahr.risk_model.analysis_id.';
COMMENT ON COLUMN fahr.risk_coefficient_v1.model_name IS 'fahr.risk_model.model_name.';
COMMENT ON COLUMN fahr.risk_coefficient_v1.term IS 'Column of the design matrix.';
COMMENT ON COLUMN fahr.risk_coefficient_v1.covariate IS 'Covariate the term belongs to.';
COMMENT ON COLUMN fahr.risk_coefficient_v1.level IS 'Level, for a categorical covariate.';
COMMENT ON COLUMN fahr.risk_coefficient_v1.reference_level IS 'Level it is compared with.';
COMMENT ON COLUMN fahr.risk_coefficient_v1.label IS 'The covariate''s name in tables for readers.';
COMMENT ON COLUMN fahr.risk_coefficient_v1.unit IS 'What one unit is: per 10 years, per SD, against the reference.';
COMMENT ON COLUMN fahr.risk_coefficient_v1.one_unit IS 'How much of a continuous covariate one unit is: 10 for years per decade, the standard deviation of the cohort for per SD; null for levels.';
COMMENT ON COLUMN fahr.risk_coefficient_v1.log_hazard_ratio IS 'Coefficient.';
COMMENT ON COLUMN fahr.risk_coefficient_v1.standard_error IS 'Its standard error.';
COMMENT ON COLUMN fahr.risk_coefficient_v1.hazard_ratio IS 'exp(log_hazard_ratio).';
COMMENT ON COLUMN fahr.risk_coefficient_v1.ci_lower IS 'Lower end of the 95 % confidence interval of the hazard ratio.';
COMMENT ON COLUMN fahr.risk_coefficient_v1.ci_upper IS 'Upper end of the 95 % confidence interval of the hazard ratio.';
COMMENT ON COLUMN fahr.risk_coefficient_v1.z IS 'Wald statistic.';
COMMENT ON COLUMN fahr.risk_coefficient_v1.p_value IS 'Two-sided Wald p value, not adjusted for multiplicity.';
COMMENT ON COLUMN fahr.risk_coefficient_v1.run_id IS 'Risk run.';

CREATE TABLE fahr.survival_curve_v1 (
    analysis_id   text NOT NULL,
    stratifier    text NOT NULL,
    stratum       text NOT NULL,
    time_years    double precision NOT NULL CHECK (time_years >= 0),
    survival      double precision NOT NULL CHECK (survival BETWEEN 0 AND 1),
    ci_lower      double precision,
    ci_upper      double precision,
    at_risk       integer NOT NULL,
    events        integer NOT NULL,
    run_id        uuid NOT NULL REFERENCES fahr.run_v1,
    PRIMARY KEY (analysis_id, stratifier, stratum, time_years)
);
COMMENT ON TABLE fahr.survival_curve_v1 IS 'Kaplan-Meier curves by quartile of a biomarker.';
COMMENT ON COLUMN fahr.survival_curve_v1.analysis_id IS 'fahr.risk_model.analysis_id.';
COMMENT ON COLUMN fahr.survival_curve_v1.stratifier IS 'What the strata are, for example face_survival_quartile.';
COMMENT ON COLUMN fahr.survival_curve_v1.stratum IS 'The stratum: Q1 is the lowest quarter.';
COMMENT ON COLUMN fahr.survival_curve_v1.time_years IS 'Years since index.';
COMMENT ON COLUMN fahr.survival_curve_v1.survival IS 'Kaplan-Meier estimate.';
COMMENT ON COLUMN fahr.survival_curve_v1.ci_lower IS 'Lower end of its 95 % interval (log-log); null where survival is 0, which has no interval.';
COMMENT ON COLUMN fahr.survival_curve_v1.ci_upper IS 'Upper end of its 95 % interval (log-log); null where survival is 0, which has no interval.';
COMMENT ON COLUMN fahr.survival_curve_v1.at_risk IS 'Persons at risk just before this time.';
COMMENT ON COLUMN fahr.survival_curve_v1.events IS 'Events at this time; rows stand at 0, at every event, at whole years and at the end of follow-up.';
COMMENT ON COLUMN fahr.survival_curve_v1.run_id IS 'Risk run.';

CREATE TABLE fahr.patient_risk_v1 (
    analysis_id      text NOT NULL,
    person_id        bigint NOT NULL,
    model_name       text NOT NULL,
    fold             smallint NOT NULL,
    log_risk         double precision NOT NULL,
    percentile       double precision NOT NULL CHECK (percentile BETWEEN 0 AND 100),
    quartile         smallint NOT NULL CHECK (quartile BETWEEN 1 AND 4),
    survival_1_year  double precision NOT NULL CHECK (survival_1_year BETWEEN 0 AND 1),
    survival_3_year  double precision NOT NULL CHECK (survival_3_year BETWEEN 0 AND 1),
    run_id           uuid NOT NULL REFERENCES fahr.run_v1,
    PRIMARY KEY (analysis_id, person_id),
    FOREIGN KEY (analysis_id, model_name) REFERENCES fahr.risk_model_v1
);
COMMENT ON TABLE fahr.patient_risk_v1 IS 'Cross-fitted prediction for each person, from a model fitted on other persons. Research only, not for care.';
COMMENT ON COLUMN fahr.patient_risk_v1.analysis_id IS 'fahr.risk_model.analysis_id.';
COMMENT ON COLUMN fahr.patient_risk_v1.person_id IS 'cdm.person.person_id.';
COMMENT ON COLUMN fahr.patient_risk_v1.model_name IS 'Model whose terms were refitted without this person''s fold.';
COMMENT ON COLUMN fahr.patient_risk_v1.fold IS 'Fold the person was left out in.';
COMMENT ON COLUMN fahr.patient_risk_v1.log_risk IS 'Linear predictor, centred on the persons of the fit; log hazard ratio.';
COMMENT ON COLUMN fahr.patient_risk_v1.percentile IS 'Percentile of log_risk in the cohort; 100 is the highest risk.';
COMMENT ON COLUMN fahr.patient_risk_v1.quartile IS 'Quarter of log_risk in the cohort; 4 is the highest risk.';
COMMENT ON COLUMN fahr.patient_risk_v1.survival_1_year IS 'Predicted probability to be alive one year after index.';
COMMENT ON COLUMN fahr.patient_risk_v1.survival_3_year IS 'Predicted probability to be alive three years after index.';
COMMENT ON COLUMN fahr.patient_risk_v1.run_id IS 'Risk run.';
