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
        (make_date(year_of_birth, 1, 1) + make_interval(
            months => coalesce(month_of_birth, 7) - 1,
            days => coalesce(day_of_birth, CASE WHEN month_of_birth IS NULL THEN 1 ELSE 15 END) - 1
        ))::date
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
