-- A small warehouse with known content: 80 persons with scores, and one photo for each other fate a photo can have.
-- Person p has two photos p*10+1, p*10+2 of one day in 2024; even p a third, p*10+3, exactly two years later.
CREATE SCHEMA cdm;
CREATE TABLE cdm.person (
    person_id bigint PRIMARY KEY, gender_concept_id integer, year_of_birth integer, month_of_birth integer,
    day_of_birth integer, birth_datetime timestamp
);
INSERT INTO cdm.person SELECT p, CASE p % 2 WHEN 0 THEN 8507 ELSE 8532 END, 1940 + p % 40, 6, 15, NULL
FROM generate_series(1, 83) AS p;

INSERT INTO fahr.run_v1 (run_id, stage, logical_date, status, started_at, finished_at, model_id, code_version, counts) VALUES
    ('00000000-0000-0000-0000-000000000001', 'pull', '2026-02-01', 'succeeded', '2026-02-02 01:00+00', '2026-02-02 01:10+00', NULL, '0.1.0', '{"landed": 190}'),
    ('00000000-0000-0000-0000-000000000002', 'pull', '2026-03-01', 'partial', '2026-03-02 01:00+00', '2026-03-02 01:10+00', NULL, '0.1.0', '{"landed": 15}'),
    ('00000000-0000-0000-0000-000000000003', 'validate', '2026-03-01', 'succeeded', '2026-03-02 01:10+00', '2026-03-02 01:12+00', NULL, '0.1.0', '{"accepted": 204}'),
    ('00000000-0000-0000-0000-000000000004', 'score', '2026-03-01', 'succeeded', '2026-03-02 01:12+00', '2026-03-02 01:40+00', 'new-2', '0.1.0', '{"scored": 200}'),
    ('00000000-0000-0000-0000-000000000005', 'risk', '2026-02-01', 'succeeded', '2026-02-02 02:00+00', '2026-02-02 02:01+00', 'new-2', '0.1.0', '{}'),
    ('00000000-0000-0000-0000-000000000006', 'risk', '2026-03-01', 'succeeded', '2026-03-02 02:00+00', '2026-03-02 02:01+00', 'new-2', '0.1.0', '{}');

INSERT INTO fahr.model_version_v1 (
    model_id, preprocessing_id, weights_sha256, trained_on_synthetic, training_data, licence, intended_use, metrics,
    registered_on, is_current, run_id
) VALUES
    ('old-1', 'p1', 'w1', true, 'drawn faces', 'Apache-2.0', 'tests', '{"mae_years": 6.1}', '2026-02-01', false, '00000000-0000-0000-0000-000000000001'),
    ('new-2', 'p1', 'w2', true, 'drawn faces', 'Apache-2.0', 'tests', '{"mae_years": 4.2}', '2026-03-01', true, '00000000-0000-0000-0000-000000000004');

INSERT INTO fahr.photo_v1 (
    photo_id, source, source_key, source_version, person_id, captured_at, content_sha256, landing_run_id, first_seen_on,
    last_tried_on, run_id
)
SELECT
    p * 10 + n, 'share', 'key' || p * 10 + n, '1', p,
    timestamp '2024-01-01 09:00' + make_interval(years => CASE n WHEN 3 THEN 2 ELSE 0 END, days => p, mins => n),
    'sha' || p * 10 + n, '00000000-0000-0000-0000-000000000002', '2026-03-01', '2026-03-01',
    '00000000-0000-0000-0000-000000000002'
FROM generate_series(1, 80) AS p, generate_series(1, CASE p % 2 WHEN 0 THEN 3 ELSE 2 END) AS n;

INSERT INTO fahr.validation_v1 (photo_id, content_sha256, accepted, failed_rules, decided_on, run_id)
SELECT photo_id, content_sha256, true, '{}', '2026-03-01', '00000000-0000-0000-0000-000000000003' FROM fahr.photo_v1;

-- FaceAge is off by person_id % 11 - 5 years; the second photo of a day shows one year more.
INSERT INTO fahr.face_score_v1 (
    content_sha256, model_id, preprocessing_id, face_age_years, face_survival_log_risk, detection_probability,
    face_width_px, sharpness, weights_sha256, code_version, scored_on, run_id
)
SELECT
    content_sha256, model_id, 'p1', fahr.age_at_photo(photo_id) + person_id % 11 - 5 + (photo_id % 10 = 2)::int,
    person_id % 13 / 4.0, 0.99, 300, 120, 'w', '0.1.0', '2026-03-01', '00000000-0000-0000-0000-000000000004'
FROM fahr.photo_v1 CROSS JOIN (VALUES ('old-1'), ('new-2')) AS model (model_id)
WHERE model_id = 'new-2' OR person_id <= 40;

-- Every other fate.
INSERT INTO fahr.photo_v1 (
    photo_id, source, source_key, source_version, person_id, captured_at, content_sha256, landing_run_id, reason_code,
    first_seen_on, last_tried_on, tries, run_id
)
SELECT
    photo_id, 'dicom_folder', 'odd' || photo_id, '1', person_id, timestamp '2025-05-05 10:00', 'sha' || photo_id,
    uuid '00000000-0000-0000-0000-000000000002', NULL, date '2026-02-20', date '2026-03-01', 1,
    uuid '00000000-0000-0000-0000-000000000002'
FROM (VALUES (9003, NULL), (9004, 81), (9005, 81), (9006, 82), (9007, 82)) AS landed (photo_id, person_id)
UNION ALL
SELECT
    photo_id, 'share', 'odd' || photo_id, '1', person_id, '2025-05-05 10:00', NULL, NULL, reason_code, '2026-02-20',
    '2026-03-01', tries, '00000000-0000-0000-0000-000000000002'
FROM (VALUES (9001, 83, 'file_missing', 9), (9002, 83, 'outside_photo_root', 1), (9008, 83, 'opted_out', 1))
    AS unread (photo_id, person_id, reason_code, tries);
INSERT INTO fahr.validation_v1 (photo_id, content_sha256, accepted, reason_code, failed_rules, decided_on, run_id) VALUES
    (9003, 'sha9003', false, 'not_an_image', '{is_an_image}', '2026-03-01', '00000000-0000-0000-0000-000000000003'),
    (9004, 'sha9004', true, NULL, '{}', '2026-03-01', '00000000-0000-0000-0000-000000000003'),
    (9005, 'sha9005', true, NULL, '{}', '2026-03-01', '00000000-0000-0000-0000-000000000003'),
    (9007, 'sha9007', true, NULL, '{}', '2026-03-01', '00000000-0000-0000-0000-000000000003');
INSERT INTO fahr.score_failure_v1 VALUES
    ('sha9004', 'new-2', 'p1', 'no_face', '2026-02-25', '2026-02-25', 1, 'w2', '0.1.0', '00000000-0000-0000-0000-000000000004'),
    ('sha9005', 'new-2', 'p1', 'scorer_unavailable', '2026-02-25', '2026-03-01', 4, 'w2', '0.1.0', '00000000-0000-0000-0000-000000000004');

-- Two analyses of one cohort; the second is the latest. Every analyst may see its persons.
INSERT INTO fahr.cohort_grant_v1 (grantee, cohort) VALUES ('fahr_analyst', 'cancer_photo');
INSERT INTO fahr.cohort_member_v1
SELECT
    analysis_id, 'cancer_photo', p, date '2024-01-01' + p, 0.5 + p % 8, p % 3 > 0, 2024.1 - (1940 + p % 40) + 0.04321,
    2024 - (1940 + p % 40) + p % 11 - 5, p % 13 / 4.0,
    jsonb_build_object(
        'age_years', 2024.1 - (1940 + p % 40) + 0.04321, 'sex', CASE p % 2 WHEN 0 THEN 'male' ELSE 'female' END,
        'site', (ARRAY['breast', 'lung', 'prostate', 'colorectal', 'head_neck', 'brain'])[1 + p % 6],
        'stage', (ARRAY['I', 'II', 'III', 'IV'])[1 + p % 4], 'ecog', p % 5
    ),
    'new-2', run_id::uuid
FROM generate_series(1, 80) AS p, (VALUES
    ('first', '00000000-0000-0000-0000-000000000005'), ('second', '00000000-0000-0000-0000-000000000006')
) AS analysis (analysis_id, run_id);
INSERT INTO fahr.risk_model_v1 (
    analysis_id, model_name, cohort, endpoint, description, status, persons, events, log_likelihood, aic, concordance,
    ph_test_p_value, ties, model_id, declaration_sha256, data_sha256, code_version, fitted_on, run_id
)
SELECT
    analysis_id, model_name, 'cancer_photo', 'death from any cause', 'A model of the test', 'fitted', 80, 53, -200, 412,
    0.71, 0.4, 'efron', 'new-2', 'd', analysis_id, '0.1.0', fitted_on::date, run_id::uuid
FROM (VALUES
    ('first', '2026-02-01', '00000000-0000-0000-0000-000000000005'), ('second', '2026-03-01', '00000000-0000-0000-0000-000000000006')
) AS analysis (analysis_id, fitted_on, run_id), (VALUES ('face_age_adjusted'), ('both_adjusted')) AS model (model_name);
INSERT INTO fahr.risk_coefficient_v1 (
    analysis_id, model_name, term, covariate, level, reference_level, label, unit, one_unit, log_hazard_ratio,
    standard_error, hazard_ratio, ci_lower, ci_upper, z, p_value, run_id
)
SELECT
    analysis_id, model_name, term, covariate, level, reference_level, label, unit, one_unit, beta, 0.1, exp(beta),
    exp(beta - 0.196), exp(beta + 0.196), beta / 0.1, 0.01, run_id
FROM fahr.risk_model_v1, (VALUES
    ('face_age_years', 'face_age_years', NULL, NULL, 'FaceAge', 'per 10 years', 10, 0.30),
    ('age_years', 'age_years', NULL, NULL, 'Age at index', 'per 10 years', 10, 0.25),
    ('stage_IV', 'stage', 'IV', 'I', 'Stage', 'against the reference', NULL, 1.10)
) AS term (term, covariate, level, reference_level, label, unit, one_unit, beta);
INSERT INTO fahr.survival_curve_v1
SELECT
    analysis_id, 'face_survival_quartile', 'Q' || q, step / 5.0, 1 - step * q / 100.0, 0.9 - step * q / 100.0,
    1.0, 40 - 2 * step, 2, run_id
FROM fahr.risk_model_v1, generate_series(1, 4) AS q, generate_series(0, 18) AS step
WHERE model_name = 'both_adjusted';
INSERT INTO fahr.patient_risk_v1
SELECT
    analysis_id, p, 'both_adjusted', p % 5, (p - 40) / 20.0, p / 0.8, 1 + (p - 1) / 20, 0.99 - p / 200.0, 0.9 - p / 120.0,
    run_id
FROM fahr.risk_model_v1, generate_series(1, 80) AS p
WHERE model_name = 'both_adjusted';
INSERT INTO fahr.risk_contrast_v1 (
    analysis_id, contrast, kind, label, model_name, smaller_model_name, status, statistic, chi_squared, degrees, p_value,
    p_value_holm, delta_aic, delta_concordance, delta_concordance_lower, delta_concordance_upper, run_id
)
SELECT
    analysis_id, 'face_survival_added', 'nested', 'FaceSurvival added to clinical and FaceAge', 'both_adjusted',
    'face_age_adjusted', 'computed', 'likelihood_ratio', 10.83, 1, 0.001, 0.001, -8.83, 0.02, 0.001, 0.04, run_id
FROM fahr.risk_model_v1
WHERE model_name = 'both_adjusted';
INSERT INTO fahr.risk_subgroup_v1 (
    analysis_id, model_name, exposure, group_name, level, label, unit, persons, events, status, status_reason,
    log_hazard_ratio, standard_error, hazard_ratio, ci_lower, ci_upper, interaction_p_value, interaction_p_value_holm, run_id
)
SELECT
    analysis_id, model_name, 'face_age_years', group_name, level, level, 'per 10 years', subgroup.persons, subgroup.events,
    CASE WHEN subgroup.events < 5 THEN 'refused' ELSE 'computed' END,
    CASE WHEN subgroup.events < 5 THEN 'fewer than 5 events' END,
    0.3, 0.1, exp(0.3), exp(0.104), exp(0.496), 0.4, 0.8, run_id
FROM fahr.risk_model_v1, (VALUES
    ('all', 'all', 80, 53), ('sex', 'female', 45, 30), ('sex', 'male', 35, 23), ('site', 'brain', 12, 9),
    ('site', 'prostate', 7, 3)
) AS subgroup (group_name, level, persons, events)
WHERE model_name = 'both_adjusted';
INSERT INTO fahr.risk_performance_v1 (
    analysis_id, model_name, metric, group_name, level, persons, events, estimate, lower_95, upper_95, run_id
)
SELECT analysis_id, model_name, 'harrells_c', group_name, level, persons, events, hazard_ratio / 2, 0.6, 0.7, run_id
FROM fahr.risk_subgroup_v1;
INSERT INTO fahr.risk_flow_v1
SELECT analysis_id, step, reason, reason, left_out, remaining, cohort, run_id
FROM fahr.risk_model_v1, (VALUES
    (0, 'persons', 0, 98), (1, 'taught_the_model', 14, 84), (2, 'missing_stage', 4, 80)
) AS flow (step, reason, left_out, remaining)
WHERE model_name = 'both_adjusted';
INSERT INTO fahr.risk_calibration_v1
SELECT analysis_id, model_name, 1, g, 20, 2 + 4 * g, g / 5.0, g / 5.0, 0, 1, run_id
FROM fahr.risk_model_v1, generate_series(1, 4) AS g
WHERE model_name = 'both_adjusted';
