-- One row a person: people with cancer photographed at least twice, and how fast their faces aged, as known on :night.
--
-- Origin is the first face session. The landmark is the first later session 10 to 1,460 days after it (the windows of the
-- study of the Face Aging Rate): of the sessions up to the landmark these two lie furthest apart, and no later session is
-- used, though there may be some: who has a later one lived to have it. The job lets in who is still followed at the
-- landmark, and counts follow-up from there. Follow-up, as this SQL gives it, runs from the origin to death or to the end
-- of observation by hospital or registry (or to :night, if that comes first). Covariates are the last ones known on the day
-- of the landmark. Null: not known. Scores are those of networks that had not seen the person.
WITH session AS (
    SELECT person_id, session_on, face_age_years, face_survival_log_risk, face_age_withheld AS withheld
    FROM fahr.session_score_unseen
    WHERE is_current_model AND person_id IS NOT NULL AND session_on <= :night
        AND NOT EXISTS (SELECT FROM hospital.opt_out WHERE opt_out.person_id = session_score_unseen.person_id)
),
first_session AS (
    SELECT DISTINCT ON (person_id) * FROM session ORDER BY person_id, session_on
),
second_session AS (
    SELECT DISTINCT ON (session.person_id) session.*
    FROM session
    JOIN first_session USING (person_id)
    WHERE session.session_on - first_session.session_on BETWEEN 10 AND 1460
    ORDER BY session.person_id, session.session_on
),
rated AS (
    SELECT
        first_session.person_id,
        first_session.session_on AS origin,
        second_session.session_on AS landmark,
        (second_session.session_on - first_session.session_on) / 365.25 AS years_between,
        first_session.face_age_years AS first_face_age_years,
        second_session.face_age_years,
        second_session.face_survival_log_risk,
        first_session.withheld OR coalesce(second_session.withheld, false) AS withheld
    FROM first_session
    LEFT JOIN second_session USING (person_id)
),
followup AS (
    SELECT
        rated.person_id,
        -- Null where neither knows the person: least() would pass over it.
        CASE
            WHEN coalesce(max(period.observation_period_end_date), max(known.registry_followed_until)) IS NOT NULL
            THEN least(greatest(max(period.observation_period_end_date), max(known.registry_followed_until)), :night)
        END AS ends_on
    FROM rated
    LEFT JOIN cdm.observation_period AS period
        ON period.person_id = rated.person_id
        AND rated.origin BETWEEN period.observation_period_start_date AND period.observation_period_end_date
    LEFT JOIN fahr.follow_up AS known ON known.person_id = rated.person_id
    GROUP BY rated.person_id
),
died AS (
    SELECT person_id, died_on FROM fahr.follow_up WHERE died_on IS NOT NULL
),
cancer AS (
    SELECT DISTINCT ON (rated.person_id)
        rated.person_id,
        concept_set.member AS site
    FROM rated
    JOIN cdm.condition_occurrence AS condition
        ON condition.person_id = rated.person_id
        AND condition.condition_start_date <= coalesce(rated.landmark, rated.origin)
    JOIN fahr.concept_set
        ON concept_set.concept_set = 'cancer_site' AND concept_set.concept_id = condition.condition_concept_id
    ORDER BY rated.person_id, condition.condition_start_date DESC, condition.condition_concept_id
),
stage_group AS (
    SELECT DISTINCT ON (rated.person_id)
        rated.person_id,
        value.member AS stage
    FROM rated
    JOIN cdm.measurement
        ON measurement.person_id = rated.person_id
        AND measurement.measurement_date <= coalesce(rated.landmark, rated.origin)
    JOIN fahr.concept_set AS question
        ON question.concept_set = 'stage_measurement' AND question.concept_id = measurement.measurement_concept_id
    LEFT JOIN fahr.concept_set AS value
        ON value.concept_set = 'stage' AND value.concept_id = measurement.value_as_concept_id
    ORDER BY rated.person_id, measurement.measurement_date DESC, measurement.measurement_id
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
    rated.person_id,
    rated.origin AS index_date,
    CASE
        WHEN followup.ends_on IS NOT NULL
        THEN (least(followup.ends_on, died.died_on) - rated.origin) / 365.25
    END AS followup_years,
    coalesce(died.died_on <= followup.ends_on, false) AS event,
    rated.years_between AS landmark_years,
    rated.years_between AS last_photo_years,
    rated.years_between,
    (rated.landmark - birth.born_on) / 365.25 AS age_years,
    sex.member AS sex,
    coalesce(race.member, 'other_or_unknown') AS race,
    cancer.site,
    stage_group.stage,
    (rated.face_age_years - rated.first_face_age_years) / rated.years_between AS face_aging_rate,
    rated.face_age_years,
    rated.face_survival_log_risk,
    CASE
        WHEN rated.withheld THEN 'taught_the_model'
        WHEN rated.landmark IS NULL THEN 'no_second_session'
    END AS left_out
FROM rated
JOIN cancer USING (person_id)
LEFT JOIN birth USING (person_id)
LEFT JOIN fahr.concept_set AS sex ON sex.concept_set = 'sex' AND sex.concept_id = birth.gender_concept_id
LEFT JOIN fahr.concept_set AS race ON race.concept_set = 'race' AND race.concept_id = birth.race_concept_id
LEFT JOIN followup USING (person_id)
LEFT JOIN died USING (person_id)
LEFT JOIN stage_group USING (person_id)
ORDER BY rated.person_id
