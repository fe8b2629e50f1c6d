-- cdm.death and cdm.observation_period are named in a function body, as cdm.person in fahr.age_at_photo: a hospital may
-- drop and reload its OMOP tables, and have neither.
CREATE OR REPLACE FUNCTION fahr.hospital_follow_up() RETURNS TABLE (
    person_id bigint, died_on date, cause_of_death text, last_observed_on date
)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF to_regclass('cdm.death') IS NULL
        OR to_regclass('cdm.observation_period') IS NULL
        OR NOT has_schema_privilege('cdm', 'USAGE')
        OR NOT has_table_privilege(to_regclass('cdm.death'), 'SELECT')
        OR NOT has_table_privilege(to_regclass('cdm.observation_period'), 'SELECT')
    THEN
        RETURN;
    END IF;
    RETURN QUERY
        SELECT coalesce(merged.kept_person_id, known.person_id), min(known.died_on), min(known.cause_of_death), max(known.last_observed_on)
        FROM (
            SELECT death.person_id, death.death_date AS died_on,
                -- As JSON: a table without the column has no causes.
                to_jsonb(death) ->> 'cause_source_value' AS cause_of_death,
                NULL::date AS last_observed_on
            FROM cdm.death
            UNION ALL
            SELECT period.person_id, NULL, NULL, period.observation_period_end_date
            FROM cdm.observation_period AS period
        ) AS known
        LEFT JOIN fahr.person_merge_v1 AS merged ON merged.retired_person_id = known.person_id
        WHERE NOT EXISTS (
            SELECT FROM fahr.refusing_person AS refusing
            WHERE refusing.person_id = coalesce(merged.kept_person_id, known.person_id)
        )
        GROUP BY coalesce(merged.kept_person_id, known.person_id);
END
$$;
COMMENT ON FUNCTION fahr.hospital_follow_up() IS 'What cdm.death and cdm.observation_period know of each person, merges followed; nothing while there are no such tables.';

CREATE OR REPLACE VIEW fahr.follow_up AS
WITH known AS (
    SELECT
        person_id,
        hospital.died_on AS cdm_died_on,
        hospital.cause_of_death AS cdm_cause_of_death,
        hospital.last_observed_on AS cdm_last_observed_on,
        registry.died_on AS registry_died_on,
        registry.cause_of_death AS registry_cause_of_death,
        registry.last_contact_on AS registry_last_contact_on,
        registry.told_death_on,
        registry.told_alive_on,
        -- Only one can be: the last three need a death told by one side alone.
        CASE
            WHEN hospital.died_on IS NOT NULL AND registry.died_on IS NOT NULL
            THEN CASE
                -- A registry that knows the month or year alone agrees with every day in it.
                WHEN date_trunc(registry.died_precision, hospital.died_on)
                    <> date_trunc(registry.died_precision, registry.died_on) THEN 'death_dates_differ'
            END
            WHEN hospital.died_on IS NOT NULL AND registry.last_contact_on > hospital.died_on THEN 'alive_after_cdm_death'
            WHEN registry.died_on IS NOT NULL AND hospital.last_observed_on > registry.died_on
            THEN 'observed_after_registry_death'
        END AS difference,
        CASE
            WHEN hospital.died_on IS NOT NULL AND registry.died_on IS NOT NULL
            THEN abs(hospital.died_on - registry.died_on)
            WHEN hospital.died_on IS NOT NULL THEN registry.last_contact_on - hospital.died_on
            ELSE hospital.last_observed_on - registry.died_on
        END AS days_apart,
        coalesce(registry.contradicts_itself, false) AS registry_contradicts_itself
    FROM fahr.hospital_follow_up() AS hospital
    FULL JOIN fahr.registry_follow_up AS registry USING (person_id)
),
resolved AS (
    SELECT
        known.*,
        rule.believed,
        CASE WHEN known.days_apart > rule.tolerance_days THEN known.difference END AS conflict,
        CASE
            WHEN known.difference = 'death_dates_differ' THEN CASE rule.believed
                WHEN 'cdm' THEN known.cdm_died_on
                WHEN 'registry' THEN known.registry_died_on
                WHEN 'earliest' THEN least(known.cdm_died_on, known.registry_died_on)
                ELSE greatest(known.cdm_died_on, known.registry_died_on)
            END
            -- Within the tolerance a death stands, whoever tells it.
            WHEN known.difference = 'alive_after_cdm_death' AND rule.believed = 'registry'
                AND known.days_apart > rule.tolerance_days THEN NULL
            WHEN known.difference = 'observed_after_registry_death' AND rule.believed = 'cdm'
                AND known.days_apart > rule.tolerance_days THEN NULL
            ELSE coalesce(known.cdm_died_on, known.registry_died_on)
        END AS died_on
    FROM known
    LEFT JOIN fahr.death_rule_v1 AS rule ON rule.conflict = known.difference
)
SELECT
    person_id,
    died_on,
    CASE
        WHEN died_on IS NULL THEN NULL
        WHEN cdm_died_on IS NOT NULL AND registry_died_on IS NOT NULL AND difference IS NULL THEN 'both'
        WHEN died_on = cdm_died_on THEN 'cdm'
        ELSE 'registry'
    END AS death_known_from,
    CASE WHEN died_on IS NOT NULL THEN coalesce(registry_cause_of_death, cdm_cause_of_death) END AS cause_of_death,
    -- A death that is not believed ends nobody's follow-up.
    CASE WHEN registry_died_on IS NULL OR died_on IS NOT NULL THEN registry_last_contact_on END AS registry_followed_until,
    cdm_died_on,
    cdm_last_observed_on,
    registry_died_on,
    registry_last_contact_on,
    conflict,
    CASE WHEN conflict IS NOT NULL THEN believed END AS believed,
    CASE WHEN conflict IS NOT NULL THEN days_apart END AS days_apart,
    registry_contradicts_itself,
    told_death_on AS registry_told_death_on,
    told_alive_on AS registry_told_alive_on
FROM resolved;
COMMENT ON VIEW fahr.follow_up IS 'One row a person: life and death as hospital and registries know it together, conflicts resolved by fahr.death_rule_v1. People who opted out are not in it.';
COMMENT ON COLUMN fahr.follow_up.person_id IS 'cdm.person.person_id; of merged persons the one that is kept.';
COMMENT ON COLUMN fahr.follow_up.died_on IS 'Day of death; null: not known to be dead.';
COMMENT ON COLUMN fahr.follow_up.death_known_from IS 'cdm, registry or both: who tells this day of death.';
COMMENT ON COLUMN fahr.follow_up.cause_of_death IS 'Cause of death: the registry''s ICD-10 code, else cause_source_value of cdm.death.';
COMMENT ON COLUMN fahr.follow_up.registry_followed_until IS 'Day up to which a registry followed the person; null where none did.';
COMMENT ON COLUMN fahr.follow_up.cdm_died_on IS 'Earliest day in cdm.death.';
COMMENT ON COLUMN fahr.follow_up.cdm_last_observed_on IS 'Last day of the person''s observation periods in the CDM.';
COMMENT ON COLUMN fahr.follow_up.registry_died_on IS 'Day of death by the registries.';
COMMENT ON COLUMN fahr.follow_up.registry_last_contact_on IS 'Last contact by the registries; the day of death for the dead.';
COMMENT ON COLUMN fahr.follow_up.conflict IS 'Conflict between hospital and registry, beyond the tolerance; null: none.';
COMMENT ON COLUMN fahr.follow_up.believed IS 'Whom the rule believes in it.';
COMMENT ON COLUMN fahr.follow_up.days_apart IS 'Days between the two accounts.';
COMMENT ON COLUMN fahr.follow_up.registry_contradicts_itself IS 'True: one registry record has the death, another saw the person alive after it.';
COMMENT ON COLUMN fahr.follow_up.registry_told_death_on IS 'Earliest death in any registry record, believed or not.';
COMMENT ON COLUMN fahr.follow_up.registry_told_alive_on IS 'Latest day on which any registry record has the person alive.';
