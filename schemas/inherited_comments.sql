-- A view's column without a comment of its own takes the comment of the column it shows: the one of the same name, in
-- the tables and views its view reads, where these say one thing.
DO $$
DECLARE
    missing record;
BEGIN
    FOR missing IN
        SELECT v.relname AS view_name, c.attname AS column_name, min(source.description) AS description
        FROM pg_class AS v
        JOIN pg_attribute AS c ON c.attrelid = v.oid AND c.attnum > 0 AND NOT c.attisdropped
        JOIN pg_rewrite AS rule ON rule.ev_class = v.oid
        JOIN pg_depend AS reads
            ON reads.classid = 'pg_rewrite'::regclass AND reads.objid = rule.oid
            AND reads.refclassid = 'pg_class'::regclass AND reads.refobjid <> v.oid AND reads.refobjsubid > 0
        JOIN pg_attribute AS shown
            ON shown.attrelid = reads.refobjid AND shown.attnum = reads.refobjsubid AND shown.attname = c.attname
        JOIN pg_description AS source
            ON source.classoid = 'pg_class'::regclass AND source.objoid = shown.attrelid
            AND source.objsubid = shown.attnum
        WHERE v.relnamespace = 'fahr'::regnamespace AND v.relkind = 'v'
            AND col_description(v.oid, c.attnum) IS NULL
        GROUP BY v.oid, v.relname, c.attnum, c.attname
        HAVING count(DISTINCT source.description) = 1
        ORDER BY v.oid, c.attnum
    LOOP
        EXECUTE format('COMMENT ON COLUMN fahr.%I.%I IS %L', missing.view_name, missing.column_name, missing.description);
    END LOOP;
END
$$;
