-- Append-only: rows are written by the jobs in the transaction of what they tell, and never changed by anyone.
CREATE TABLE fahr.audit_v1 (
    audit_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    happened_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    login_name   text NOT NULL DEFAULT session_user,
    role_name    text NOT NULL DEFAULT current_user,
    action       text NOT NULL CHECK (action ~ '^[a-z_]+$'),
    subject      text,
    run_id       uuid,
    counts       jsonb NOT NULL DEFAULT '{}'
);
COMMENT ON TABLE fahr.audit_v1 IS 'What our jobs did that somebody may have to answer for. Append-only: nobody can change or delete a row.';
COMMENT ON COLUMN fahr.audit_v1.audit_id IS 'Rises with each row.';
COMMENT ON COLUMN fahr.audit_v1.happened_at IS 'When, by the clock of the server.';
COMMENT ON COLUMN fahr.audit_v1.login_name IS 'Login of the session that did it.';
COMMENT ON COLUMN fahr.audit_v1.role_name IS 'Role the session had taken.';
COMMENT ON COLUMN fahr.audit_v1.action IS 'What was done: publish, promote, opt_out, merge, retention, export, role_use and others.';
COMMENT ON COLUMN fahr.audit_v1.subject IS 'What it was done to: an id of our own making or the name of a declaration; never a name, record number or path.';
COMMENT ON COLUMN fahr.audit_v1.run_id IS 'Run that did it, where one did.';
COMMENT ON COLUMN fahr.audit_v1.counts IS 'How much was done, as counts by name.';

CREATE FUNCTION fahr.refuse_change() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END
$$;
COMMENT ON FUNCTION fahr.refuse_change() IS 'Trigger of append-only tables: refuses UPDATE, DELETE and TRUNCATE, their owner''s too.';
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON fahr.audit_v1
    FOR EACH STATEMENT EXECUTE FUNCTION fahr.refuse_change();
