-- The three roles. They cannot log in: logins of the hospital's are made members of them.
DO $$
DECLARE
    role_name text;
    purpose text;
BEGIN
    FOR role_name, purpose IN VALUES
        ('fahr_loader', 'Runs the nightly jobs: writes fahr, reads hospital, registry and cdm.'),
        ('fahr_analyst', 'Queries the views of fahr: persons by their OMOP id, no direct identifiers.'),
        ('fahr_researcher', 'Queries de-identified views of fahr: no persons, small cells suppressed.')
    LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role_name) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', role_name);
                EXECUTE format('COMMENT ON ROLE %I IS %L', role_name, purpose);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL; -- Roles belong to the whole server: a migration of another database was faster.
            END;
        END IF;
        -- The owner takes a role to do its work, and inherits nothing from it. Roles that a superuser of the hospital's
        -- made are given to the right logins by that superuser.
        IF pg_has_role(current_user, role_name, 'MEMBER WITH ADMIN OPTION')
            AND NOT pg_has_role(current_user, role_name, 'SET')
        THEN
            EXECUTE format('GRANT %I TO %I WITH INHERIT FALSE, SET TRUE', role_name, current_user);
        END IF;
    END LOOP;
END
$$;
