CREATE OR REPLACE VIEW fahr.registry_conflict AS
SELECT
    told.person_id, told.conflict, rule.meaning, told.cdm_died_on, told.cdm_last_observed_on, told.registry_died_on,
    told.registry_alive_on, told.days_apart, rule.believed, told.died_on
FROM (
    SELECT
        person_id, conflict, cdm_died_on, cdm_last_observed_on, registry_died_on,
        CASE WHEN registry_died_on IS NULL THEN registry_last_contact_on END AS registry_alive_on, days_apart, died_on
    FROM fahr.follow_up
    WHERE conflict IS NOT NULL
    UNION ALL
    SELECT
        person_id, 'registry_contradicts_itself', cdm_died_on, cdm_last_observed_on, registry_told_death_on,
        registry_told_alive_on, registry_told_alive_on - registry_told_death_on, died_on
    FROM fahr.follow_up
    WHERE registry_contradicts_itself
) AS told
JOIN fahr.death_rule_v1 AS rule USING (conflict);
COMMENT ON VIEW fahr.registry_conflict IS 'One row a person and conflict about a death between hospital and registries, and what came of it.';
COMMENT ON COLUMN fahr.registry_conflict.person_id IS 'cdm.person.person_id; of merged persons the one that is kept.';
COMMENT ON COLUMN fahr.registry_conflict.conflict IS 'death_dates_differ, alive_after_cdm_death, observed_after_registry_death or registry_contradicts_itself.';
COMMENT ON COLUMN fahr.registry_conflict.cdm_died_on IS 'Earliest day in cdm.death.';
COMMENT ON COLUMN fahr.registry_conflict.cdm_last_observed_on IS 'Last day of the person''s observation periods in the CDM.';
COMMENT ON COLUMN fahr.registry_conflict.registry_died_on IS 'Day of death by the registries.';
COMMENT ON COLUMN fahr.registry_conflict.registry_alive_on IS 'Last day on which a registry has the person alive.';
COMMENT ON COLUMN fahr.registry_conflict.days_apart IS 'Days between the two accounts.';
COMMENT ON COLUMN fahr.registry_conflict.believed IS 'cdm, registry, earliest or latest: what the declared rule believes.';
COMMENT ON COLUMN fahr.registry_conflict.died_on IS 'The resolved day of death; null: taken for alive.';
