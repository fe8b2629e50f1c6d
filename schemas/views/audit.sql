CREATE OR REPLACE VIEW fahr.audit AS
SELECT audit_id, happened_at, login_name, role_name, action, subject, run_id, counts
FROM fahr.audit_v1;
COMMENT ON VIEW fahr.audit IS 'What our jobs did that somebody may have to answer for, oldest first. Nobody can change or delete a row.';
