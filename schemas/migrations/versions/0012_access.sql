-- Who may see the persons of which cohort, and under which names. Nothing is granted here: an empty table means nobody.
CREATE TABLE fahr.cohort_grant_v1 (
    grantee     text NOT NULL,
    cohort      text NOT NULL,
    granted_at  timestamptz NOT NULL DEFAULT now(),
    granted_by  text NOT NULL DEFAULT session_user,
    PRIMARY KEY (grantee, cohort)
);
COMMENT ON TABLE fahr.cohort_grant_v1 IS 'Which role or login may see the persons of which cohort. No row, no person. Written by the owner (fahr access grant).';
COMMENT ON COLUMN fahr.cohort_grant_v1.grantee IS 'A login, or a role: then of everybody who has its rights.';
COMMENT ON COLUMN fahr.cohort_grant_v1.cohort IS 'Name of the cohort.';
COMMENT ON COLUMN fahr.cohort_grant_v1.granted_at IS 'When.';
COMMENT ON COLUMN fahr.cohort_grant_v1.granted_by IS 'Login that granted it.';

CREATE TABLE fahr.pseudonym_v1 (
    person_id   bigint PRIMARY KEY,
    pseudonym   text NOT NULL UNIQUE CHECK (pseudonym ~ '^[0-9a-f]{32}$'),
    shift_days  integer NOT NULL CHECK (shift_days <> 0),
    key_id      text NOT NULL
);
COMMENT ON TABLE fahr.pseudonym_v1 IS 'Pseudonyms of the persons of cohorts, made with a key that is not in the database. Shown to nobody: researchers'' views join it.';
COMMENT ON COLUMN fahr.pseudonym_v1.person_id IS 'cdm.person.person_id.';
COMMENT ON COLUMN fahr.pseudonym_v1.pseudonym IS 'First 128 bits of the HMAC-SHA-256 of the person id, in hexadecimal.';
COMMENT ON COLUMN fahr.pseudonym_v1.shift_days IS 'Days that are added to every date of the person, by the same key; never 0.';
COMMENT ON COLUMN fahr.pseudonym_v1.key_id IS 'Fingerprint of the key: tells whether it changed, and nothing of it.';

-- Row-level security holds for the tables' owner, too, as whom views read them; current_user is who queries the view.
-- The jobs and the owner itself see every cohort, all others those they were granted.
DO $$
DECLARE
    guarded text;
    granted text := '
        SELECT given.cohort FROM fahr.cohort_grant_v1 AS given
        JOIN pg_catalog.pg_roles AS role ON role.rolname = given.grantee
        WHERE pg_has_role(current_user, role.oid, ''USAGE'')';
BEGIN
    FOREACH guarded IN ARRAY ARRAY['cohort_member_v1', 'patient_risk_v1', 'patient_survival_v1'] LOOP
        EXECUTE format('ALTER TABLE fahr.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', guarded);
        EXECUTE format('
            CREATE POLICY jobs ON fahr.%I USING ((
                SELECT pg_has_role(current_user, ''fahr_loader'', ''USAGE'') OR pg_has_role(current_user, relowner, ''USAGE'')
                FROM pg_catalog.pg_class WHERE oid = ''fahr.%I''::regclass
            ))', guarded, guarded);
        EXECUTE format('CREATE POLICY granted_cohorts ON fahr.%I FOR SELECT USING (%s)', guarded, CASE guarded
            WHEN 'cohort_member_v1' THEN format('cohort IN (%s)', granted)
            ELSE format('analysis_id IN (SELECT analysis_id FROM fahr.risk_model_v1 WHERE cohort IN (%s))', granted)
        END);
    END LOOP;
END
$$;
