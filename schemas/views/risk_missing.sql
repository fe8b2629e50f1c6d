CREATE OR REPLACE VIEW fahr.risk_missing AS
SELECT
    missing.analysis_id, missing.cohort, latest.analysis_id IS NOT NULL AS is_latest, missing.column_name, missing.label,
    missing.persons, missing.missing, missing.handling, missing.run_id
FROM fahr.risk_missing_v1 AS missing
LEFT JOIN fahr.latest_analysis AS latest USING (cohort, analysis_id);
COMMENT ON VIEW fahr.risk_missing IS 'Of how many persons of a cohort each covariate is not known, and what became of them.';
COMMENT ON COLUMN fahr.risk_missing.analysis_id IS 'fahr.risk_model.analysis_id.';
COMMENT ON COLUMN fahr.risk_missing.cohort IS 'Name of the cohort.';
COMMENT ON COLUMN fahr.risk_missing.is_latest IS 'True for the latest analysis of the cohort.';
