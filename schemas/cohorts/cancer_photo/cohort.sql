-- One row a person: people with cancer whose face was photographed and scored by the current model, as known on :night.
--
-- Index is the first face session within 90 days of the first radiotherapy, else the first session. Follow-up runs from
-- there to death or to the end of the observation period the index lies in (or to :night, if that comes first): censoring
-- caps the time and the event. Covariates are the last ones known on the day of the index. Null: not known; such persons
-- are counted and left out by the job. Scores are those of networks that had not seen the person: a person who taught a
-- network and has no out-of-fold score is left out by name (left_out).
WITH session AS (
    SELECT
        person_id, session_on, face_age_years, face_survival_log_risk,
        face_age_withheld OR face_survival_withheld AS withheld
    FROM fahr.session_score_unseen
    WHERE is_current_model AND person_id IS NOT NULL AND session_on <= :night
),
radiotherapy AS (
    SELECT person_id, min(procedure_date) AS started_on
    FROM cdm.procedure_occurrence
    WHERE procedure_concept_id = 2000000400
    GROUP BY person_id
),
index_session AS (
    SELECT DISTINCT ON (session.person_id) session.*
    FROM session
    LEFT JOIN radiotherapy USING (person_id)
    ORDER BY
        session.person_id,
        coalesce(abs(session.session_on - radiotherapy.started_on) <= 90, false) DESC,
        session.session_on
),
followup AS (
    SELECT
        index_session.person_id,
        least(max(period.observation_period_end_date), :night) AS ends_on
    FROM index_session
    JOIN cdm.observation_period AS period
        ON period.person_id = index_session.person_id
        AND index_session.session_on BETWEEN period.observation_period_start_date AND period.observation_period_end_date
    GROUP BY index_session.person_id
),
died AS (
    SELECT person_id, min(death_date) AS died_on FROM cdm.death GROUP BY person_id
),
cancer AS (
    SELECT DISTINCT ON (index_session.person_id)
        index_session.person_id,
        CASE condition.condition_concept_id
            WHEN 2000000101 THEN 'breast'
            WHEN 2000000102 THEN 'lung'
            WHEN 2000000103 THEN 'prostate'
            WHEN 2000000104 THEN 'colorectal'
            WHEN 2000000105 THEN 'head_neck'
            WHEN 2000000106 THEN 'brain'
        END AS site
    FROM index_session
    JOIN cdm.condition_occurrence AS condition
        ON condition.person_id = index_session.person_id
        AND condition.condition_start_date <= index_session.session_on
    WHERE condition.condition_concept_id BETWEEN 2000000101 AND 2000000106
    ORDER BY index_session.person_id, condition.condition_start_date DESC, condition.condition_concept_id
),
stage_group AS (
    SELECT DISTINCT ON (index_session.person_id)
        index_session.person_id,
        CASE measurement.value_as_concept_id
            WHEN 2000000201 THEN 'I'
            WHEN 2000000202 THEN 'II'
            WHEN 2000000203 THEN 'III'
            WHEN 2000000204 THEN 'IV'
        END AS stage
    FROM index_session
    JOIN cdm.measurement
        ON measurement.person_id = index_session.person_id
        AND measurement.measurement_date <= index_session.session_on
    WHERE measurement.measurement_concept_id = 2000000200
    ORDER BY index_session.person_id, measurement.measurement_date DESC, measurement.measurement_id
),
performance AS (
    SELECT DISTINCT ON (index_session.person_id)
        index_session.person_id,
        CAST(observation.value_as_number AS double precision) AS ecog
    FROM index_session
    JOIN cdm.observation
        ON observation.person_id = index_session.person_id
        AND observation.observation_date <= index_session.session_on
    WHERE observation.observation_concept_id = 2000000300
    ORDER BY index_session.person_id, observation.observation_date DESC, observation.observation_id
),
birth AS (
    SELECT
        person_id,
        gender_concept_id,
        race_concept_id,
        coalesce(
            CAST(birth_datetime AS date), make_date(year_of_birth, coalesce(month_of_birth, 7), coalesce(day_of_birth, 1))
        ) AS born_on
    FROM cdm.person
)
SELECT
    index_session.person_id,
    index_session.session_on AS index_date,
    -- least() passes over nulls: without this, somebody never observed would be followed until death.
    CASE
        WHEN followup.ends_on IS NOT NULL
        THEN (least(followup.ends_on, died.died_on) - index_session.session_on) / 365.25
    END AS followup_years,
    coalesce(died.died_on <= followup.ends_on, false) AS event,
    (index_session.session_on - birth.born_on) / 365.25 AS age_years,
    CASE birth.gender_concept_id WHEN 8532 THEN 'female' WHEN 8507 THEN 'male' END AS sex,
    CASE birth.race_concept_id
        WHEN 8527 THEN 'white' WHEN 8516 THEN 'black' WHEN 8515 THEN 'asian' WHEN 8557 THEN 'pacific'
        WHEN 8657 THEN 'native' ELSE 'other_or_unknown'
    END AS race,
    cancer.site,
    stage_group.stage,
    performance.ecog,
    index_session.face_age_years,
    index_session.face_survival_log_risk,
    CASE WHEN index_session.withheld THEN 'taught_the_model' END AS left_out
FROM index_session
JOIN cancer USING (person_id)
LEFT JOIN birth USING (person_id)
LEFT JOIN followup USING (person_id)
LEFT JOIN died USING (person_id)
LEFT JOIN stage_group USING (person_id)
LEFT JOIN performance USING (person_id)
ORDER BY index_session.person_id
