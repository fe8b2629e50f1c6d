CREATE OR REPLACE VIEW fahr.registry_load AS
SELECT load_id, registry, file_format, format_version, file_as_of, loaded_at, code_version, is_current, counts
FROM registry.load_v1;
COMMENT ON VIEW fahr.registry_load IS 'One row for each registry file that was loaded.';
