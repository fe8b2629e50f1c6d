-- cdm.concept_ancestor is named in a function body, as cdm.person in fahr.age_at_photo: a hospital may reload its vocabulary,
-- or have none. A concept below several members means the nearest one, and of equally near ones the first declared.
CREATE OR REPLACE FUNCTION fahr.concepts_below() RETURNS TABLE (concept_set text, member text, concept_id integer)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF to_regclass('cdm.concept_ancestor') IS NULL
        OR NOT has_schema_privilege('cdm', 'USAGE')
        OR NOT has_table_privilege(to_regclass('cdm.concept_ancestor'), 'SELECT')
    THEN
        RETURN;
    END IF;
    RETURN QUERY
        SELECT DISTINCT ON (declared.concept_set, below.descendant_concept_id)
            declared.concept_set, declared.member, below.descendant_concept_id
        FROM fahr.concept_set_v1 AS declared
        JOIN cdm.concept_ancestor AS below ON below.ancestor_concept_id = declared.concept_id
        WHERE declared.with_descendants
        ORDER BY
            declared.concept_set, below.descendant_concept_id, below.min_levels_of_separation, declared.member_number;
END
$$;
COMMENT ON FUNCTION fahr.concepts_below() IS 'Concepts below the declared ones in cdm.concept_ancestor; nothing while there is no such table.';

CREATE OR REPLACE VIEW fahr.concept_set AS
SELECT concept_set, member, concept_id, true AS is_declared
FROM fahr.concept_set_v1
UNION ALL
SELECT below.concept_set, below.member, below.concept_id, false
FROM fahr.concepts_below() AS below
LEFT JOIN fahr.concept_set_v1 AS declared USING (concept_set, concept_id)
WHERE declared.concept_id IS NULL;
COMMENT ON VIEW fahr.concept_set IS 'Which OMOP concepts mean what: one row a set and concept, those below declared ones included.';
COMMENT ON COLUMN fahr.concept_set.concept_set IS 'Name of the set: cancer_site, stage_measurement, stage, performance_status, treatment, sex, race.';
COMMENT ON COLUMN fahr.concept_set.member IS 'What the concept means in cohorts, for example breast.';
COMMENT ON COLUMN fahr.concept_set.concept_id IS 'cdm.concept.concept_id.';
COMMENT ON COLUMN fahr.concept_set.is_declared IS 'True: declared itself. False: below a declared one in cdm.concept_ancestor.';
