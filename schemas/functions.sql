-- Hospitals hold months 0 and days 31 of April; make_date refuses them, and with them the whole query. In one expression,
-- which the planner puts in the place of the call.
CREATE OR REPLACE FUNCTION fahr.date_of_birth(
    year_of_birth integer, month_of_birth integer, day_of_birth integer, unknown_month integer, unknown_day integer
) RETURNS date
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN year_of_birth BETWEEN 1 AND 9999 THEN
    make_date(year_of_birth, CASE WHEN month_of_birth BETWEEN 1 AND 12 THEN month_of_birth ELSE unknown_month END, 1)
    + CASE
        WHEN day_of_birth BETWEEN 1 AND extract(day FROM
            make_date(year_of_birth, CASE WHEN month_of_birth BETWEEN 1 AND 12 THEN month_of_birth ELSE unknown_month END, 1)
            + interval '1 month -1 day')
        THEN day_of_birth
        ELSE unknown_day
    END - 1
END;
COMMENT ON FUNCTION fahr.date_of_birth(integer, integer, integer, integer, integer) IS
    'A date of birth from the parts that cdm.person has; a month or day that is missing or impossible is the one given for unknown ones (a day up to 28), an impossible year gives null.';

-- cdm.person is named in a function body, not in a view: a hospital may then drop and reload its OMOP tables, or bring
-- them later, and no view stands in the way. The function tells ages at photos only, to a tenth of a year: called with
-- dates of the caller's choice it would tell birthdays.
CREATE OR REPLACE FUNCTION fahr.age_at_photo(photo bigint) RETURNS double precision
LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    age double precision;
BEGIN
    -- Expressions, and no queries: they are evaluated for every photo of a view. What is not there gives null.
    IF has_schema_privilege(to_regnamespace('cdm'), 'USAGE') IS NOT TRUE
        OR has_table_privilege(to_regclass('cdm.person'), 'SELECT') IS NOT TRUE
    THEN
        RETURN NULL;
    END IF;
    SELECT round((captured_at::date - coalesce(
        birth_datetime::date,
        -- Where month or day are unknown: the middle of what is known.
        fahr.date_of_birth(
            year_of_birth, month_of_birth, day_of_birth, 7, CASE WHEN month_of_birth BETWEEN 1 AND 12 THEN 15 ELSE 1 END
        )
    )) / 365.25, 1)
    INTO age
    FROM fahr.photo_v1
    JOIN cdm.person USING (person_id)
    WHERE photo_id = photo;
    RETURN age;
END
$$;
COMMENT ON FUNCTION fahr.age_at_photo(bigint) IS
    'Age of the patient when a photo was taken, years to one decimal, from cdm.person; null while there is no such table.';

-- Reasons and notes of the risk tables tell their readers how few persons or events there were. Limits stay: "fewer than 10".
CREATE OR REPLACE FUNCTION fahr.without_counts(words text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT regexp_replace(
        regexp_replace(words, '(?<!than )(?<!most )\m[0-9][0-9,]*(?= (events|persons|people|clusters|deaths)\M)', '…', 'g'),
        '\mobserved [0-9.]+, predicted [0-9.]+', 'observed …, predicted …', 'g'
    )
$$;
COMMENT ON FUNCTION fahr.without_counts(text) IS
    'A reason or note of a risk table without the numbers of persons and events in it, for researchers.';
