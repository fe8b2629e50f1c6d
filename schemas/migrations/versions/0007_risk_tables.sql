-- Cohorts that read no scores have no model, and may know no ages; a cohort with clusters may have several rows a person.
ALTER TABLE fahr.cohort_member_v1 ALTER COLUMN model_id DROP NOT NULL;
ALTER TABLE fahr.cohort_member_v1 ALTER COLUMN age_years DROP NOT NULL;
ALTER TABLE fahr.cohort_member_v1 ADD COLUMN episode integer NOT NULL DEFAULT 1 CHECK (episode > 0);
ALTER TABLE fahr.cohort_member_v1 ADD COLUMN entry_years double precision;
ALTER TABLE fahr.cohort_member_v1 ADD COLUMN ending text;
ALTER TABLE fahr.cohort_member_v1 ADD COLUMN cluster_key text;
ALTER TABLE fahr.cohort_member_v1 ADD CHECK (entry_years >= 0 AND entry_years < followup_years);
ALTER TABLE fahr.cohort_member_v1 DROP CONSTRAINT cohort_member_v1_pkey;
ALTER TABLE fahr.cohort_member_v1 ADD PRIMARY KEY (analysis_id, person_id, episode);
COMMENT ON COLUMN fahr.cohort_member_v1.model_id IS 'Model release of the scores; null where the cohort reads none.';
COMMENT ON COLUMN fahr.cohort_member_v1.age_years IS 'Chronological age at index, years; null where the cohort has none.';
COMMENT ON COLUMN fahr.cohort_member_v1.episode IS 'Counts the rows of a person, by index date; above 1 only in cohorts that declare clusters.';
COMMENT ON COLUMN fahr.cohort_member_v1.entry_years IS 'Years after the origin at which observation began (left truncation); null where it began at the origin.';
COMMENT ON COLUMN fahr.cohort_member_v1.ending IS 'How follow-up ended, where events compete: the name of the event; null if censored, or where none compete.';
COMMENT ON COLUMN fahr.cohort_member_v1.cluster_key IS 'Cluster of the row; rows of one cluster are not independent. Null where the cohort declares none.';

ALTER TABLE fahr.risk_model_v1 ALTER COLUMN model_id DROP NOT NULL;
ALTER TABLE fahr.risk_model_v1 ADD COLUMN method text NOT NULL DEFAULT 'cox'
    CHECK (method IN ('cox', 'cause_specific', 'fine_gray'));
ALTER TABLE fahr.risk_model_v1 ADD COLUMN strata text[] NOT NULL DEFAULT '{}';
ALTER TABLE fahr.risk_model_v1 ADD COLUMN is_robust boolean NOT NULL DEFAULT false;
ALTER TABLE fahr.risk_model_v1 ADD COLUMN terms integer CHECK (terms > 0);
ALTER TABLE fahr.risk_model_v1 ADD COLUMN null_log_likelihood double precision;
ALTER TABLE fahr.risk_model_v1 ADD COLUMN ph_global_p_value double precision CHECK (ph_global_p_value BETWEEN 0 AND 1);
COMMENT ON COLUMN fahr.risk_model_v1.model_id IS 'Model release of the scores; null where the cohort reads none.';
COMMENT ON COLUMN fahr.risk_model_v1.ph_test_p_value IS 'Smallest p value over terms of the test of proportional hazards, not adjusted for multiplicity; each term''s is in risk_diagnostic.';
COMMENT ON COLUMN fahr.risk_model_v1.method IS 'cox: hazard of the endpoint. cause_specific: hazard of the event of interest, others censor. fine_gray: subdistribution hazard of the event of interest.';
COMMENT ON COLUMN fahr.risk_model_v1.strata IS 'Covariates with a baseline hazard for each level; empty: one baseline.';
COMMENT ON COLUMN fahr.risk_model_v1.is_robust IS 'True: standard errors allow for rows of one cluster being alike, or are those of a weighted likelihood.';
COMMENT ON COLUMN fahr.risk_model_v1.terms IS 'Coefficients of the model; null where it was refused.';
COMMENT ON COLUMN fahr.risk_model_v1.null_log_likelihood IS 'Partial log-likelihood with all coefficients 0.';
COMMENT ON COLUMN fahr.risk_model_v1.ph_global_p_value IS 'Test of proportional hazards of all terms together; null where it was not made.';

ALTER TABLE fahr.survival_curve_v1 ADD COLUMN method text NOT NULL DEFAULT 'kaplan_meier'
    CHECK (method IN ('kaplan_meier', 'adjusted', 'cumulative_incidence'));
ALTER TABLE fahr.survival_curve_v1 ADD COLUMN model_name text;
ALTER TABLE fahr.survival_curve_v1 ADD FOREIGN KEY (analysis_id, model_name) REFERENCES fahr.risk_model_v1;
ALTER TABLE fahr.survival_curve_v1 DROP CONSTRAINT survival_curve_v1_pkey;
ALTER TABLE fahr.survival_curve_v1 ADD PRIMARY KEY (analysis_id, method, stratifier, stratum, time_years);
COMMENT ON TABLE fahr.survival_curve_v1 IS 'Survival curves by level or quartile of a covariate: Kaplan-Meier, adjusted, or of one of several competing events.';
COMMENT ON COLUMN fahr.survival_curve_v1.method IS 'kaplan_meier: as observed. adjusted: everybody given this level, averaged over the cohort. cumulative_incidence: Aalen-Johansen, event of interest.';
COMMENT ON COLUMN fahr.survival_curve_v1.model_name IS 'Model behind an adjusted curve; null for the others.';
COMMENT ON COLUMN fahr.survival_curve_v1.survival IS 'Probability not to have had the event by this time; for cumulative_incidence 1 minus the incidence.';
COMMENT ON COLUMN fahr.survival_curve_v1.ci_lower IS 'Lower end of its 95 % interval; null where it has none.';
COMMENT ON COLUMN fahr.survival_curve_v1.ci_upper IS 'Upper end of its 95 % interval; null where it has none.';
COMMENT ON COLUMN fahr.survival_curve_v1.at_risk IS 'Persons of the stratum at risk just before this time.';
COMMENT ON COLUMN fahr.survival_curve_v1.events IS 'Events of the stratum at this time; Kaplan-Meier has rows at 0, at every event, at whole years and at the end of follow-up.';

ALTER TABLE fahr.patient_risk_v1 ADD COLUMN episode integer NOT NULL DEFAULT 1 CHECK (episode > 0);
ALTER TABLE fahr.patient_risk_v1 ADD COLUMN log_risk_standard_error double precision CHECK (log_risk_standard_error >= 0);
ALTER TABLE fahr.patient_risk_v1 ALTER COLUMN survival_1_year DROP NOT NULL;
ALTER TABLE fahr.patient_risk_v1 ALTER COLUMN survival_3_year DROP NOT NULL;
ALTER TABLE fahr.patient_risk_v1 DROP CONSTRAINT patient_risk_v1_pkey;
ALTER TABLE fahr.patient_risk_v1 ADD PRIMARY KEY (analysis_id, person_id, episode);
COMMENT ON COLUMN fahr.patient_risk_v1.episode IS 'Row of the person, as in cohort_member.';
COMMENT ON COLUMN fahr.patient_risk_v1.log_risk_standard_error IS 'Standard error of log_risk: uncertainty of the coefficients, not of the person''s fate.';
COMMENT ON COLUMN fahr.patient_risk_v1.survival_1_year IS 'Predicted probability to be alive one year after index; null where one year is no horizon of the cohort.';
COMMENT ON COLUMN fahr.patient_risk_v1.survival_3_year IS 'Predicted probability to be alive three years after index; null where three years are no horizon of the cohort.';

CREATE TABLE fahr.patient_survival_v1 (
    analysis_id    text NOT NULL,
    person_id      bigint NOT NULL,
    episode        integer NOT NULL,
    horizon_years  double precision NOT NULL CHECK (horizon_years > 0),
    survival       double precision NOT NULL CHECK (survival BETWEEN 0 AND 1),
    ci_lower       double precision NOT NULL CHECK (ci_lower BETWEEN 0 AND 1),
    ci_upper       double precision NOT NULL CHECK (ci_upper BETWEEN 0 AND 1),
    run_id         uuid NOT NULL REFERENCES fahr.run_v1,
    PRIMARY KEY (analysis_id, person_id, episode, horizon_years),
    FOREIGN KEY (analysis_id, person_id, episode) REFERENCES fahr.patient_risk_v1 ON DELETE CASCADE
);
COMMENT ON TABLE fahr.patient_survival_v1 IS 'Cross-fitted survival of each person at each horizon of the cohort, with its interval. Research only, not for care.';
COMMENT ON COLUMN fahr.patient_survival_v1.analysis_id IS 'fahr.risk_model.analysis_id.';
COMMENT ON COLUMN fahr.patient_survival_v1.person_id IS 'cdm.person.person_id.';
COMMENT ON COLUMN fahr.patient_survival_v1.episode IS 'Row of the person, as in cohort_member.';
COMMENT ON COLUMN fahr.patient_survival_v1.horizon_years IS 'Years after index.';
COMMENT ON COLUMN fahr.patient_survival_v1.survival IS 'Predicted probability to be free of the endpoint at the horizon, by a model of other persons.';
COMMENT ON COLUMN fahr.patient_survival_v1.ci_lower IS 'Lower end of the 95 % interval of that probability (log-log): how well the model knows it, not what happens to the person.';
COMMENT ON COLUMN fahr.patient_survival_v1.ci_upper IS 'Upper end of it.';
COMMENT ON COLUMN fahr.patient_survival_v1.run_id IS 'Risk run.';

CREATE TABLE fahr.risk_flow_v1 (
    analysis_id  text NOT NULL,
    step         integer NOT NULL CHECK (step >= 0),
    reason       text NOT NULL,
    label        text NOT NULL,
    left_out     integer NOT NULL CHECK (left_out >= 0),
    remaining    integer NOT NULL CHECK (remaining >= 0),
    cohort       text NOT NULL,
    run_id       uuid NOT NULL REFERENCES fahr.run_v1,
    PRIMARY KEY (analysis_id, step)
);
COMMENT ON TABLE fahr.risk_flow_v1 IS 'From the persons of a cohort to those analysed: who was left out at which step, each once (a CONSORT-style flow).';
COMMENT ON COLUMN fahr.risk_flow_v1.analysis_id IS 'fahr.risk_model.analysis_id.';
COMMENT ON COLUMN fahr.risk_flow_v1.step IS 'Order of the steps; 0 is everybody the cohort''s SQL gives.';
COMMENT ON COLUMN fahr.risk_flow_v1.reason IS 'Why: a name the cohort''s SQL gives, without_followup, or missing_<column>.';
COMMENT ON COLUMN fahr.risk_flow_v1.label IS 'The reason in words.';
COMMENT ON COLUMN fahr.risk_flow_v1.left_out IS 'Persons left out at this step.';
COMMENT ON COLUMN fahr.risk_flow_v1.remaining IS 'Persons left after it.';
COMMENT ON COLUMN fahr.risk_flow_v1.cohort IS 'Name of the cohort.';
COMMENT ON COLUMN fahr.risk_flow_v1.run_id IS 'Risk run.';

CREATE TABLE fahr.risk_contrast_v1 (
    analysis_id               text NOT NULL,
    contrast                  text NOT NULL,
    kind                      text NOT NULL CHECK (kind IN ('nested', 'joint', 'trend', 'nonlinearity')),
    label                     text NOT NULL,
    model_name                text NOT NULL,
    smaller_model_name        text,
    covariate                 text,
    status                    text NOT NULL CHECK (status IN ('computed', 'refused')),
    status_reason             text,
    statistic                 text CHECK (statistic IN ('likelihood_ratio', 'wald')),
    chi_squared               double precision CHECK (chi_squared >= 0),
    degrees                   integer CHECK (degrees > 0),
    p_value                   double precision CHECK (p_value BETWEEN 0 AND 1),
    p_value_holm              double precision CHECK (p_value_holm BETWEEN 0 AND 1),
    hazard_ratio              double precision CHECK (hazard_ratio > 0),
    hazard_ratio_lower        double precision,
    hazard_ratio_upper        double precision,
    delta_aic                 double precision,
    delta_concordance         double precision,
    delta_concordance_lower   double precision,
    delta_concordance_upper   double precision,
    run_id                    uuid NOT NULL REFERENCES fahr.run_v1,
    PRIMARY KEY (analysis_id, contrast),
    FOREIGN KEY (analysis_id, model_name) REFERENCES fahr.risk_model_v1,
    FOREIGN KEY (analysis_id, smaller_model_name) REFERENCES fahr.risk_model_v1 (analysis_id, model_name),
    CHECK (status = 'refused' OR (chi_squared, degrees, p_value) IS NOT NULL),
    CHECK (status = 'computed' OR status_reason IS NOT NULL)
);
COMMENT ON TABLE fahr.risk_contrast_v1 IS 'Tests of several terms at once: nested models, whole covariates, trends over quarters, departures from a straight line.';
COMMENT ON COLUMN fahr.risk_contrast_v1.analysis_id IS 'fahr.risk_model.analysis_id.';
COMMENT ON COLUMN fahr.risk_contrast_v1.contrast IS 'Name of the test in the analysis.';
COMMENT ON COLUMN fahr.risk_contrast_v1.kind IS 'nested: what a larger model adds to a smaller. joint: all terms of a covariate. trend: over quarters in order. nonlinearity: the curved terms of a spline.';
COMMENT ON COLUMN fahr.risk_contrast_v1.label IS 'The test in words.';
COMMENT ON COLUMN fahr.risk_contrast_v1.model_name IS 'Model tested; of nested models the larger.';
COMMENT ON COLUMN fahr.risk_contrast_v1.smaller_model_name IS 'Smaller of two nested models.';
COMMENT ON COLUMN fahr.risk_contrast_v1.covariate IS 'Covariate tested; null for nested models.';
COMMENT ON COLUMN fahr.risk_contrast_v1.status IS 'computed or refused.';
COMMENT ON COLUMN fahr.risk_contrast_v1.status_reason IS 'Why it was refused, or what is doubtful; null where nothing is.';
COMMENT ON COLUMN fahr.risk_contrast_v1.statistic IS 'likelihood_ratio or wald.';
COMMENT ON COLUMN fahr.risk_contrast_v1.chi_squared IS 'Its value.';
COMMENT ON COLUMN fahr.risk_contrast_v1.degrees IS 'Degrees of freedom.';
COMMENT ON COLUMN fahr.risk_contrast_v1.p_value IS 'Its p value, not adjusted for multiplicity.';
COMMENT ON COLUMN fahr.risk_contrast_v1.p_value_holm IS 'Adjusted by Holm over the nested tests of the analysis; null for the other kinds.';
COMMENT ON COLUMN fahr.risk_contrast_v1.hazard_ratio IS 'Of a trend: hazard ratio from one quarter to the next.';
COMMENT ON COLUMN fahr.risk_contrast_v1.hazard_ratio_lower IS 'Lower end of its 95 % interval.';
COMMENT ON COLUMN fahr.risk_contrast_v1.hazard_ratio_upper IS 'Upper end of its 95 % interval.';
COMMENT ON COLUMN fahr.risk_contrast_v1.delta_aic IS 'Of nested models: AIC of the larger minus that of the smaller; below 0 the larger is preferred.';
COMMENT ON COLUMN fahr.risk_contrast_v1.delta_concordance IS 'Of nested models: gain in Harrell''s C of cross-fitted predictions.';
COMMENT ON COLUMN fahr.risk_contrast_v1.delta_concordance_lower IS 'Lower end of its 95 % interval (bootstrap of persons).';
COMMENT ON COLUMN fahr.risk_contrast_v1.delta_concordance_upper IS 'Upper end of its 95 % interval (bootstrap of persons).';
COMMENT ON COLUMN fahr.risk_contrast_v1.run_id IS 'Risk run.';

CREATE TABLE fahr.risk_diagnostic_v1 (
    analysis_id  text NOT NULL,
    model_name   text NOT NULL,
    diagnostic   text NOT NULL,
    term         text NOT NULL,
    chi_squared  double precision CHECK (chi_squared >= 0),
    degrees      integer CHECK (degrees > 0),
    p_value      double precision CHECK (p_value BETWEEN 0 AND 1),
    value        double precision,
    note         text,
    run_id       uuid NOT NULL REFERENCES fahr.run_v1,
    PRIMARY KEY (analysis_id, model_name, diagnostic, term),
    FOREIGN KEY (analysis_id, model_name) REFERENCES fahr.risk_model_v1,
    CHECK (coalesce(value, p_value) IS NOT NULL OR note IS NOT NULL)
);
COMMENT ON TABLE fahr.risk_diagnostic_v1 IS 'Whether a model may be believed: proportional hazards, events for each term, influence of single persons.';
COMMENT ON COLUMN fahr.risk_diagnostic_v1.analysis_id IS 'fahr.risk_model.analysis_id.';
COMMENT ON COLUMN fahr.risk_diagnostic_v1.model_name IS 'fahr.risk_model.model_name.';
COMMENT ON COLUMN fahr.risk_diagnostic_v1.diagnostic IS 'proportional_hazards (a test), proportional_hazards_covariate (all terms of a covariate), events_per_term, largest_dfbetas, influential_persons, largest_likelihood_displacement.';
COMMENT ON COLUMN fahr.risk_diagnostic_v1.term IS 'Term or covariate; all: the model as a whole.';
COMMENT ON COLUMN fahr.risk_diagnostic_v1.chi_squared IS 'Of a test: its statistic.';
COMMENT ON COLUMN fahr.risk_diagnostic_v1.degrees IS 'Of a test: degrees of freedom.';
COMMENT ON COLUMN fahr.risk_diagnostic_v1.p_value IS 'Of a test: p value, not adjusted for multiplicity.';
COMMENT ON COLUMN fahr.risk_diagnostic_v1.value IS 'Of a measure: its value.';
COMMENT ON COLUMN fahr.risk_diagnostic_v1.note IS 'What must be known to read it, or why it could not be had.';
COMMENT ON COLUMN fahr.risk_diagnostic_v1.run_id IS 'Risk run.';

CREATE TABLE fahr.risk_subgroup_v1 (
    analysis_id              text NOT NULL,
    model_name               text NOT NULL,
    exposure                 text NOT NULL,
    group_name               text NOT NULL,
    level                    text NOT NULL,
    label                    text NOT NULL,
    unit                     text NOT NULL,
    persons                  integer NOT NULL,
    events                   integer NOT NULL,
    status                   text NOT NULL CHECK (status IN ('computed', 'refused')),
    status_reason            text,
    log_hazard_ratio         double precision,
    standard_error           double precision CHECK (standard_error > 0),
    hazard_ratio             double precision CHECK (hazard_ratio > 0),
    ci_lower                 double precision,
    ci_upper                 double precision,
    interaction_chi_squared  double precision CHECK (interaction_chi_squared >= 0),
    interaction_degrees      integer CHECK (interaction_degrees > 0),
    interaction_p_value      double precision CHECK (interaction_p_value BETWEEN 0 AND 1),
    interaction_p_value_holm double precision CHECK (interaction_p_value_holm BETWEEN 0 AND 1),
    run_id                   uuid NOT NULL REFERENCES fahr.run_v1,
    PRIMARY KEY (analysis_id, exposure, group_name, level),
    FOREIGN KEY (analysis_id, model_name) REFERENCES fahr.risk_model_v1,
    CHECK (status = 'refused' OR (hazard_ratio, ci_lower, ci_upper) IS NOT NULL),
    CHECK (status = 'computed' OR status_reason IS NOT NULL)
);
COMMENT ON TABLE fahr.risk_subgroup_v1 IS 'Hazard ratios of an exposure within subgroups, adjusted as its model, with the test whether they differ.';
COMMENT ON COLUMN fahr.risk_subgroup_v1.analysis_id IS 'fahr.risk_model.analysis_id.';
COMMENT ON COLUMN fahr.risk_subgroup_v1.model_name IS 'Model to which the interaction was added.';
COMMENT ON COLUMN fahr.risk_subgroup_v1.exposure IS 'Covariate whose hazard ratio it is.';
COMMENT ON COLUMN fahr.risk_subgroup_v1.group_name IS 'Covariate that splits the persons; all: everybody.';
COMMENT ON COLUMN fahr.risk_subgroup_v1.level IS 'Its level.';
COMMENT ON COLUMN fahr.risk_subgroup_v1.label IS 'The group in words.';
COMMENT ON COLUMN fahr.risk_subgroup_v1.unit IS 'What one unit of the exposure is; the same in every group.';
COMMENT ON COLUMN fahr.risk_subgroup_v1.persons IS 'Persons of the group.';
COMMENT ON COLUMN fahr.risk_subgroup_v1.events IS 'Events among them.';
COMMENT ON COLUMN fahr.risk_subgroup_v1.status IS 'computed or refused.';
COMMENT ON COLUMN fahr.risk_subgroup_v1.status_reason IS 'Why it was refused; null where it was not.';
COMMENT ON COLUMN fahr.risk_subgroup_v1.log_hazard_ratio IS 'Of one unit of the exposure within the group.';
COMMENT ON COLUMN fahr.risk_subgroup_v1.standard_error IS 'Its standard error.';
COMMENT ON COLUMN fahr.risk_subgroup_v1.hazard_ratio IS 'exp(log_hazard_ratio).';
COMMENT ON COLUMN fahr.risk_subgroup_v1.ci_lower IS 'Lower end of the 95 % confidence interval of the hazard ratio.';
COMMENT ON COLUMN fahr.risk_subgroup_v1.ci_upper IS 'Upper end of the 95 % confidence interval of the hazard ratio.';
COMMENT ON COLUMN fahr.risk_subgroup_v1.interaction_chi_squared IS 'Likelihood-ratio test that the hazard ratio is the same in every level of the group; repeated on each of its levels.';
COMMENT ON COLUMN fahr.risk_subgroup_v1.interaction_degrees IS 'Its degrees of freedom.';
COMMENT ON COLUMN fahr.risk_subgroup_v1.interaction_p_value IS 'Its p value.';
COMMENT ON COLUMN fahr.risk_subgroup_v1.interaction_p_value_holm IS 'Adjusted by Holm over the interaction tests of the analysis.';
COMMENT ON COLUMN fahr.risk_subgroup_v1.run_id IS 'Risk run.';

CREATE TABLE fahr.risk_performance_v1 (
    analysis_id    text NOT NULL,
    model_name     text NOT NULL,
    metric         text NOT NULL,
    horizon_years  double precision CHECK (horizon_years > 0),
    group_name     text NOT NULL,
    level          text NOT NULL,
    persons        integer NOT NULL,
    events         integer NOT NULL,
    estimate       double precision,
    lower_95       double precision,
    upper_95       double precision,
    note           text,
    run_id         uuid NOT NULL REFERENCES fahr.run_v1,
    UNIQUE NULLS NOT DISTINCT (analysis_id, model_name, metric, horizon_years, group_name, level),
    FOREIGN KEY (analysis_id, model_name) REFERENCES fahr.risk_model_v1,
    CHECK (estimate IS NOT NULL OR note IS NOT NULL)
);
COMMENT ON TABLE fahr.risk_performance_v1 IS 'How well a model predicts persons it was not fitted on (cross-fitted): discrimination, calibration, error; overall and by group.';
COMMENT ON COLUMN fahr.risk_performance_v1.analysis_id IS 'fahr.risk_model.analysis_id.';
COMMENT ON COLUMN fahr.risk_performance_v1.model_name IS 'fahr.risk_model.model_name.';
COMMENT ON COLUMN fahr.risk_performance_v1.metric IS 'harrells_c, unos_c, auc, brier, integrated_brier, calibration_slope, calibration_in_the_large, integrated_calibration_index; apparent_c, c_optimism, corrected_c, corrected_slope (bootstrap).';
COMMENT ON COLUMN fahr.risk_performance_v1.horizon_years IS 'Years after index, for what is measured at a horizon; null for the others.';
COMMENT ON COLUMN fahr.risk_performance_v1.group_name IS 'Covariate that splits the persons; all: everybody.';
COMMENT ON COLUMN fahr.risk_performance_v1.level IS 'Its level; all: everybody.';
COMMENT ON COLUMN fahr.risk_performance_v1.persons IS 'Persons it was measured on.';
COMMENT ON COLUMN fahr.risk_performance_v1.events IS 'Events among them.';
COMMENT ON COLUMN fahr.risk_performance_v1.estimate IS 'The number; null where it cannot be computed, and note says why.';
COMMENT ON COLUMN fahr.risk_performance_v1.lower_95 IS 'Lower end of its 95 % interval (bootstrap of persons); null where it has none.';
COMMENT ON COLUMN fahr.risk_performance_v1.upper_95 IS 'Upper end of its 95 % interval (bootstrap of persons); null where it has none.';
COMMENT ON COLUMN fahr.risk_performance_v1.note IS 'What must be known to read it, or why there is no number.';
COMMENT ON COLUMN fahr.risk_performance_v1.run_id IS 'Risk run.';

CREATE TABLE fahr.risk_calibration_v1 (
    analysis_id    text NOT NULL,
    model_name     text NOT NULL,
    horizon_years  double precision NOT NULL CHECK (horizon_years > 0),
    group_number   integer NOT NULL CHECK (group_number > 0),
    persons        integer NOT NULL,
    events         integer NOT NULL,
    predicted      double precision NOT NULL CHECK (predicted BETWEEN 0 AND 1),
    observed       double precision CHECK (observed BETWEEN 0 AND 1),
    ci_lower       double precision,
    ci_upper       double precision,
    run_id         uuid NOT NULL REFERENCES fahr.run_v1,
    PRIMARY KEY (analysis_id, model_name, horizon_years, group_number),
    FOREIGN KEY (analysis_id, model_name) REFERENCES fahr.risk_model_v1
);
COMMENT ON TABLE fahr.risk_calibration_v1 IS 'Predicted beside observed probability of the event by a horizon, in groups of cross-fitted prediction.';
COMMENT ON COLUMN fahr.risk_calibration_v1.analysis_id IS 'fahr.risk_model.analysis_id.';
COMMENT ON COLUMN fahr.risk_calibration_v1.model_name IS 'fahr.risk_model.model_name.';
COMMENT ON COLUMN fahr.risk_calibration_v1.horizon_years IS 'Years after index.';
COMMENT ON COLUMN fahr.risk_calibration_v1.group_number IS 'Group of persons by predicted probability; 1 is the lowest.';
COMMENT ON COLUMN fahr.risk_calibration_v1.persons IS 'Persons of the group.';
COMMENT ON COLUMN fahr.risk_calibration_v1.events IS 'Events among them by the horizon.';
COMMENT ON COLUMN fahr.risk_calibration_v1.predicted IS 'Mean predicted probability of the event by the horizon.';
COMMENT ON COLUMN fahr.risk_calibration_v1.observed IS 'Observed probability (1 minus Kaplan-Meier); null where nobody of the group was followed that long.';
COMMENT ON COLUMN fahr.risk_calibration_v1.ci_lower IS 'Lower end of its 95 % interval.';
COMMENT ON COLUMN fahr.risk_calibration_v1.ci_upper IS 'Upper end of its 95 % interval.';
COMMENT ON COLUMN fahr.risk_calibration_v1.run_id IS 'Risk run.';

CREATE TABLE fahr.risk_effect_v1 (
    analysis_id       text NOT NULL,
    model_name        text NOT NULL,
    covariate         text NOT NULL,
    value             double precision NOT NULL,
    reference_value   double precision NOT NULL,
    log_hazard_ratio  double precision NOT NULL,
    hazard_ratio      double precision NOT NULL CHECK (hazard_ratio > 0),
    ci_lower          double precision NOT NULL,
    ci_upper          double precision NOT NULL,
    run_id            uuid NOT NULL REFERENCES fahr.run_v1,
    PRIMARY KEY (analysis_id, model_name, covariate, value),
    FOREIGN KEY (analysis_id, model_name) REFERENCES fahr.risk_model_v1
);
COMMENT ON TABLE fahr.risk_effect_v1 IS 'The curve of a spline: hazard ratio at values of the covariate against its median, all else equal.';
COMMENT ON COLUMN fahr.risk_effect_v1.analysis_id IS 'fahr.risk_model.analysis_id.';
COMMENT ON COLUMN fahr.risk_effect_v1.model_name IS 'fahr.risk_model.model_name.';
COMMENT ON COLUMN fahr.risk_effect_v1.covariate IS 'The covariate, a spline.';
COMMENT ON COLUMN fahr.risk_effect_v1.value IS 'Value of its column, from the 2.5 % to the 97.5 % quantile of the persons.';
COMMENT ON COLUMN fahr.risk_effect_v1.reference_value IS 'Value it is compared with: the median of the persons.';
COMMENT ON COLUMN fahr.risk_effect_v1.log_hazard_ratio IS 'Logarithm of the hazard ratio.';
COMMENT ON COLUMN fahr.risk_effect_v1.hazard_ratio IS 'exp(log_hazard_ratio).';
COMMENT ON COLUMN fahr.risk_effect_v1.ci_lower IS 'Lower end of the 95 % confidence interval of the hazard ratio at this value.';
COMMENT ON COLUMN fahr.risk_effect_v1.ci_upper IS 'Upper end of the 95 % confidence interval of the hazard ratio at this value.';
COMMENT ON COLUMN fahr.risk_effect_v1.run_id IS 'Risk run.';

CREATE TABLE fahr.risk_over_time_v1 (
    analysis_id       text NOT NULL,
    model_name        text NOT NULL,
    term              text NOT NULL,
    period            integer NOT NULL CHECK (period > 0),
    from_years        double precision NOT NULL,
    to_years          double precision NOT NULL,
    events            integer NOT NULL CHECK (events > 0),
    log_hazard_ratio  double precision NOT NULL,
    standard_error    double precision CHECK (standard_error >= 0),
    run_id            uuid NOT NULL REFERENCES fahr.run_v1,
    PRIMARY KEY (analysis_id, model_name, term, period),
    FOREIGN KEY (analysis_id, model_name) REFERENCES fahr.risk_model_v1,
    CHECK (from_years <= to_years)
);
COMMENT ON TABLE fahr.risk_over_time_v1 IS 'Whether hazards are proportional, to be drawn: means of scaled Schoenfeld residuals over periods with equally many events, each about the coefficient in its period.';
COMMENT ON COLUMN fahr.risk_over_time_v1.analysis_id IS 'fahr.risk_model.analysis_id.';
COMMENT ON COLUMN fahr.risk_over_time_v1.model_name IS 'fahr.risk_model.model_name.';
COMMENT ON COLUMN fahr.risk_over_time_v1.term IS 'Column of the design matrix.';
COMMENT ON COLUMN fahr.risk_over_time_v1.period IS 'Counts the periods.';
COMMENT ON COLUMN fahr.risk_over_time_v1.from_years IS 'Time of its first event, years since index.';
COMMENT ON COLUMN fahr.risk_over_time_v1.to_years IS 'Time of its last event, years since index.';
COMMENT ON COLUMN fahr.risk_over_time_v1.events IS 'Events of the period.';
COMMENT ON COLUMN fahr.risk_over_time_v1.log_hazard_ratio IS 'Mean of the scaled Schoenfeld residuals: about the coefficient in this period.';
COMMENT ON COLUMN fahr.risk_over_time_v1.standard_error IS 'Standard error of that mean; null for a single event.';
COMMENT ON COLUMN fahr.risk_over_time_v1.run_id IS 'Risk run.';

CREATE TABLE fahr.risk_decision_v1 (
    analysis_id    text NOT NULL,
    model_name     text NOT NULL,
    horizon_years  double precision NOT NULL CHECK (horizon_years > 0),
    threshold      double precision NOT NULL CHECK (threshold > 0 AND threshold < 1),
    chosen         double precision NOT NULL CHECK (chosen BETWEEN 0 AND 1),
    net_benefit    double precision,
    of_everybody   double precision NOT NULL,
    run_id         uuid NOT NULL REFERENCES fahr.run_v1,
    PRIMARY KEY (analysis_id, model_name, horizon_years, threshold),
    FOREIGN KEY (analysis_id, model_name) REFERENCES fahr.risk_model_v1
);
COMMENT ON TABLE fahr.risk_decision_v1 IS 'Decision curves (Vickers): net benefit of acting on a cross-fitted prediction above a threshold. Research only, not for care.';
COMMENT ON COLUMN fahr.risk_decision_v1.analysis_id IS 'fahr.risk_model.analysis_id.';
COMMENT ON COLUMN fahr.risk_decision_v1.model_name IS 'fahr.risk_model.model_name.';
COMMENT ON COLUMN fahr.risk_decision_v1.horizon_years IS 'Years after index.';
COMMENT ON COLUMN fahr.risk_decision_v1.threshold IS 'Predicted probability of the event by the horizon from which one would act.';
COMMENT ON COLUMN fahr.risk_decision_v1.chosen IS 'Share of the persons at or above the threshold.';
COMMENT ON COLUMN fahr.risk_decision_v1.net_benefit IS 'True positives a person, less false positives at the threshold''s odds; null where those chosen were not followed that long.';
COMMENT ON COLUMN fahr.risk_decision_v1.of_everybody IS 'The same for acting on everybody; for acting on nobody it is 0.';
COMMENT ON COLUMN fahr.risk_decision_v1.run_id IS 'Risk run.';

CREATE TABLE fahr.risk_frozen_model_v1 (
    frozen_id           text PRIMARY KEY,
    cohort              text NOT NULL,
    model_name          text NOT NULL,
    content             jsonb NOT NULL,
    persons             integer NOT NULL,
    events              integer NOT NULL,
    model_id            text,
    declaration_sha256  text NOT NULL,
    data_sha256         text NOT NULL,
    code_version        text NOT NULL,
    run_id              uuid NOT NULL REFERENCES fahr.run_v1
);
COMMENT ON TABLE fahr.risk_frozen_model_v1 IS 'Models fitted on one cohort and kept as plain data, to be judged on another: coefficients, design, baseline hazard at the horizons.';
COMMENT ON COLUMN fahr.risk_frozen_model_v1.frozen_id IS 'Fingerprint of the content: the same model has the same id.';
COMMENT ON COLUMN fahr.risk_frozen_model_v1.cohort IS 'Cohort it was fitted on.';
COMMENT ON COLUMN fahr.risk_frozen_model_v1.model_name IS 'Name of the model in that cohort''s declaration.';
COMMENT ON COLUMN fahr.risk_frozen_model_v1.content IS 'The model: enough to predict, and no person.';
COMMENT ON COLUMN fahr.risk_frozen_model_v1.persons IS 'Persons of the fit.';
COMMENT ON COLUMN fahr.risk_frozen_model_v1.events IS 'Events among them.';
COMMENT ON COLUMN fahr.risk_frozen_model_v1.model_id IS 'Model release of the scores; null where the cohort reads none.';
COMMENT ON COLUMN fahr.risk_frozen_model_v1.declaration_sha256 IS 'SHA-256 of the cohort''s SQL and YAML.';
COMMENT ON COLUMN fahr.risk_frozen_model_v1.data_sha256 IS 'SHA-256 of the cohort''s rows.';
COMMENT ON COLUMN fahr.risk_frozen_model_v1.code_version IS 'Version of this product.';
COMMENT ON COLUMN fahr.risk_frozen_model_v1.run_id IS 'Risk run.';

CREATE TABLE fahr.risk_validation_v1 (
    validation_id       text NOT NULL,
    frozen_id           text NOT NULL REFERENCES fahr.risk_frozen_model_v1,
    cohort              text NOT NULL,
    metric              text NOT NULL,
    horizon_years       double precision CHECK (horizon_years > 0),
    persons             integer NOT NULL,
    events              integer NOT NULL,
    estimate            double precision,
    lower_95            double precision,
    upper_95            double precision,
    note                text,
    declaration_sha256  text NOT NULL,
    data_sha256         text NOT NULL,
    code_version        text NOT NULL,
    validated_on        date NOT NULL,
    run_id              uuid NOT NULL REFERENCES fahr.run_v1,
    UNIQUE NULLS NOT DISTINCT (validation_id, metric, horizon_years),
    CHECK (estimate IS NOT NULL OR note IS NOT NULL)
);
COMMENT ON TABLE fahr.risk_validation_v1 IS 'How a frozen model does on a cohort it was not fitted on (external validation).';
COMMENT ON COLUMN fahr.risk_validation_v1.validation_id IS 'Fingerprint of frozen model, cohort declaration, data and code.';
COMMENT ON COLUMN fahr.risk_validation_v1.frozen_id IS 'fahr.risk_frozen_model.frozen_id.';
COMMENT ON COLUMN fahr.risk_validation_v1.cohort IS 'Cohort it was judged on.';
COMMENT ON COLUMN fahr.risk_validation_v1.metric IS 'harrells_c, unos_c, auc, calibration_slope, calibration_in_the_large, integrated_calibration_index.';
COMMENT ON COLUMN fahr.risk_validation_v1.horizon_years IS 'Years after index, for what is measured at a horizon; null for the others.';
COMMENT ON COLUMN fahr.risk_validation_v1.persons IS 'Persons it was judged on.';
COMMENT ON COLUMN fahr.risk_validation_v1.events IS 'Events among them.';
COMMENT ON COLUMN fahr.risk_validation_v1.estimate IS 'The number; null where it cannot be computed, and note says why.';
COMMENT ON COLUMN fahr.risk_validation_v1.lower_95 IS 'Lower end of its 95 % interval; null where it has none.';
COMMENT ON COLUMN fahr.risk_validation_v1.upper_95 IS 'Upper end of its 95 % interval; null where it has none.';
COMMENT ON COLUMN fahr.risk_validation_v1.note IS 'What must be known to read it, or why there is no number.';
COMMENT ON COLUMN fahr.risk_validation_v1.declaration_sha256 IS 'SHA-256 of the SQL and YAML of the cohort it was judged on.';
COMMENT ON COLUMN fahr.risk_validation_v1.data_sha256 IS 'SHA-256 of that cohort''s rows.';
COMMENT ON COLUMN fahr.risk_validation_v1.code_version IS 'Version of this product.';
COMMENT ON COLUMN fahr.risk_validation_v1.validated_on IS 'Logical date of the risk run.';
COMMENT ON COLUMN fahr.risk_validation_v1.run_id IS 'Risk run.';

CREATE TABLE fahr.risk_validation_group_v1 (
    validation_id    text NOT NULL,
    horizon_years    double precision NOT NULL CHECK (horizon_years > 0),
    is_recalibrated  boolean NOT NULL,
    group_number     integer NOT NULL CHECK (group_number > 0),
    persons          integer NOT NULL,
    events           integer NOT NULL,
    predicted        double precision NOT NULL CHECK (predicted BETWEEN 0 AND 1),
    observed         double precision CHECK (observed BETWEEN 0 AND 1),
    ci_lower         double precision,
    ci_upper         double precision,
    run_id           uuid NOT NULL REFERENCES fahr.run_v1,
    PRIMARY KEY (validation_id, horizon_years, is_recalibrated, group_number)
);
COMMENT ON TABLE fahr.risk_validation_group_v1 IS 'Calibration of a frozen model on another cohort: predicted beside observed probability in groups of prediction.';
COMMENT ON COLUMN fahr.risk_validation_group_v1.validation_id IS 'fahr.risk_validation.validation_id.';
COMMENT ON COLUMN fahr.risk_validation_group_v1.horizon_years IS 'Years after index.';
COMMENT ON COLUMN fahr.risk_validation_group_v1.is_recalibrated IS 'True: with the baseline hazard of the new persons. False: as frozen.';
COMMENT ON COLUMN fahr.risk_validation_group_v1.group_number IS 'Group of persons by predicted probability; 1 is the lowest.';
COMMENT ON COLUMN fahr.risk_validation_group_v1.persons IS 'Persons of the group.';
COMMENT ON COLUMN fahr.risk_validation_group_v1.events IS 'Events among them by the horizon.';
COMMENT ON COLUMN fahr.risk_validation_group_v1.predicted IS 'Mean predicted probability of the event by the horizon.';
COMMENT ON COLUMN fahr.risk_validation_group_v1.observed IS 'Observed probability (1 minus Kaplan-Meier); null where nobody of the group was followed that long.';
COMMENT ON COLUMN fahr.risk_validation_group_v1.ci_lower IS 'Lower end of its 95 % interval.';
COMMENT ON COLUMN fahr.risk_validation_group_v1.ci_upper IS 'Upper end of its 95 % interval.';
COMMENT ON COLUMN fahr.risk_validation_group_v1.run_id IS 'Risk run.';
