-- One row a person: people with cancer whose face was photographed and scored by the current model, as known on :night.
--
-- Index is the first face session within 90 days of the first radiotherapy, else the first session. Follow-up runs from
-- there to death or to the end of the observation period the index lies in, or to a registry's last contact where that is
-- later (or to :night, if that comes first): censoring caps the time and the event. Covariates are the last ones known on the day of the index. Null: not known; such persons
-- are counted and left out by the job. Scores are those of networks that had not seen the person: a person who taught a
-- network and has no out-of-fold score is left out by name (left_out).
WITH session AS (
    SELECT
        person_id, session_on, face_age_years, face_survival_log_risk,
        face_age_withheld OR face_survival_withheld AS withheld
    FROM fahr.session_score_unseen
    WHERE is_current_model AND person_id IS NOT NULL AND session_on <= :night
        AND NOT EXISTS (SELECT FROM hospital.opt_out WHERE opt_out.person_id = session_score_unseen.person_id)
),
radiotherapy AS (
    SELECT person_id, min(procedure_date) AS started_on
    FROM cdm.procedure_occurrence
    JOIN fahr.concept_set ON concept_id = procedure_concept_id
    WHERE concept_set = 'treatment' AND member = 'radiotherapy'
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
        -- Null where neither knows the person: least() would pass over it.
        CASE
            WHEN coalesce(max(period.observation_period_end_date), max(known.registry_followed_until)) IS NOT NULL
            THEN least(greatest(max(period.observation_period_end_date), max(known.registry_followed_until)), :night)
        END AS ends_on
    FROM index_session
    LEFT JOIN cdm.observation_period AS period
        ON period.person_id = index_session.person_id
        AND index_session.session_on BETWEEN period.observation_period_start_date AND period.observation_period_end_date
    LEFT JOIN fahr.follow_up AS known ON known.person_id = index_session.person_id
    GROUP BY index_session.person_id
),
died AS (
    -- As hospital and registry know it together; conflicts are resolved by the declared rules.
    SELECT person_id, died_on FROM fahr.follow_up WHERE died_on IS NOT NULL
),
cancer AS (
    SELECT DISTINCT ON (index_session.person_id)
        index_session.person_id,
        concept_set.member AS site
    FROM index_session
    JOIN cdm.condition_occurrence AS condition
        ON condition.person_id = index_session.person_id
        AND condition.condition_start_date <= index_session.session_on
    JOIN fahr.concept_set
        ON concept_set.concept_set = 'cancer_site' AND concept_set.concept_id = condition.condition_concept_id
    ORDER BY index_session.person_id, condition.condition_start_date DESC, condition.condition_concept_id
),
stage_group AS (
    SELECT DISTINCT ON (index_session.person_id)
        index_session.person_id,
        value.member AS stage
    FROM index_session
    JOIN cdm.measurement
        ON measurement.person_id = index_session.person_id
        AND measurement.measurement_date <= index_session.session_on
    JOIN fahr.concept_set AS question
        ON question.concept_set = 'stage_measurement' AND question.concept_id = measurement.measurement_concept_id
    LEFT JOIN fahr.concept_set AS value
        ON value.concept_set = 'stage' AND value.concept_id = measurement.value_as_concept_id
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
    JOIN fahr.concept_set
        ON concept_set.concept_set = 'performance_status'
        AND concept_set.concept_id = observation.observation_concept_id
    ORDER BY index_session.person_id, observation.observation_date DESC, observation.observation_id
),
birth AS (
    SELECT
        person_id,
        gender_concept_id,
        race_concept_id,
        coalesce(
            CAST(birth_datetime AS date), fahr.date_of_birth(year_of_birth, month_of_birth, day_of_birth, 7, 1)
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
    sex.member AS sex,
    coalesce(race.member, 'other_or_unknown') AS race,
    cancer.site,
    stage_group.stage,
    performance.ecog,
    index_session.face_age_years,
    index_session.face_survival_log_risk,
    CASE WHEN index_session.withheld THEN 'taught_the_model' END AS left_out
FROM index_session
JOIN cancer USING (person_id)
LEFT JOIN birth USING (person_id)
LEFT JOIN fahr.concept_set AS sex ON sex.concept_set = 'sex' AND sex.concept_id = birth.gender_concept_id
LEFT JOIN fahr.concept_set AS race ON race.concept_set = 'race' AND race.concept_id = birth.race_concept_id
LEFT JOIN followup USING (person_id)
LEFT JOIN died USING (person_id)
LEFT JOIN stage_group USING (person_id)
LEFT JOIN performance USING (person_id)
ORDER BY index_session.person_id
