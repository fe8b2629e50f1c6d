CREATE OR REPLACE VIEW fahr.reason_code AS
SELECT reason_code, stage, permanent, meaning FROM fahr.reason_code_v1;
COMMENT ON VIEW fahr.reason_code IS 'Every reason why a photo has no score.';
