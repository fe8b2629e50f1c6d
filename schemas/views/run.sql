CREATE OR REPLACE VIEW fahr.run AS
SELECT
    run_id, stage, logical_date, status, started_at, finished_at,
    extract(epoch FROM finished_at - started_at)::double precision AS duration_seconds,
    model_id, code_version, counts, error_type, exit_code
FROM fahr.run_v1;
COMMENT ON VIEW fahr.run IS 'One row for each execution of a stage that changed something or failed.';
COMMENT ON COLUMN fahr.run.duration_seconds IS 'Seconds it took; null while running or if killed.';
