CREATE OR REPLACE VIEW fahr.registry_follow_up AS
WITH told AS (
    SELECT
        person.person_id,
        min(record.last_contact_on) FILTER (WHERE record.vital_status = 'dead') AS death_on,
        max(record.last_contact_on) FILTER (WHERE record.vital_status = 'alive') AS alive_on,
        (array_agg(record.last_contact_precision ORDER BY record.last_contact_on)
            FILTER (WHERE record.vital_status = 'dead'))[1] AS death_precision,
        (array_agg(record.cause_of_death ORDER BY record.last_contact_on)
            FILTER (WHERE record.vital_status = 'dead' AND record.cause_of_death IS NOT NULL))[1] AS cause_of_death,
        count(*)::integer AS records
    FROM registry.record_v1 AS record
    JOIN fahr.linked_person AS person USING (mrn)
    WHERE record.follow_up_usable
        AND NOT EXISTS (SELECT FROM fahr.refusing_person AS refusing WHERE refusing.person_id = person.person_id)
    GROUP BY person.person_id
),
judged AS (
    SELECT
        told.*,
        coalesce(told.alive_on - told.death_on > rule.tolerance_days, false) AS contradicts_itself,
        -- Where one record has the death and another saw the patient alive later, the rule says which stands.
        CASE
            WHEN told.alive_on - told.death_on > rule.tolerance_days AND rule.believed = 'latest' THEN NULL
            ELSE told.death_on
        END AS died_on
    FROM told
    LEFT JOIN fahr.death_rule_v1 AS rule ON rule.conflict = 'registry_contradicts_itself'
)
SELECT
    person_id,
    CASE WHEN died_on IS NULL THEN 'alive' ELSE 'dead' END AS vital_status,
    coalesce(died_on, alive_on) AS last_contact_on,
    died_on,
    CASE WHEN died_on IS NOT NULL THEN death_precision END AS died_precision,
    CASE WHEN died_on IS NOT NULL THEN cause_of_death END AS cause_of_death,
    records,
    contradicts_itself,
    death_on AS told_death_on,
    alive_on AS told_alive_on
FROM judged;
COMMENT ON VIEW fahr.registry_follow_up IS 'One row for each person of this hospital whom the registries follow: what they know of life and death. People who opted out are not in it.';
COMMENT ON COLUMN fahr.registry_follow_up.person_id IS 'cdm.person.person_id through hospital.patient_id_map; of merged persons the one that is kept.';
COMMENT ON COLUMN fahr.registry_follow_up.vital_status IS 'alive or dead at the last contact.';
COMMENT ON COLUMN fahr.registry_follow_up.last_contact_on IS 'Day of death, or the last day on which a registry knew the person alive.';
COMMENT ON COLUMN fahr.registry_follow_up.died_on IS 'Day of death by the registries; null where they know of none.';
COMMENT ON COLUMN fahr.registry_follow_up.died_precision IS 'How exactly it is known: day, month or year; of a month or year died_on is the middle.';
COMMENT ON COLUMN fahr.registry_follow_up.cause_of_death IS 'Underlying cause of death, ICD-10; null where not known.';
COMMENT ON COLUMN fahr.registry_follow_up.records IS 'Records it comes from.';
COMMENT ON COLUMN fahr.registry_follow_up.contradicts_itself IS 'True: one record has the death, another saw the person alive after it.';
COMMENT ON COLUMN fahr.registry_follow_up.told_death_on IS 'Earliest death in any record, believed or not.';
COMMENT ON COLUMN fahr.registry_follow_up.told_alive_on IS 'Latest day on which any record has the person alive.';
