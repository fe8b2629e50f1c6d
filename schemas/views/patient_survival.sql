CREATE OR REPLACE VIEW fahr.patient_survival AS
SELECT
    survival.analysis_id, risk.cohort, risk.is_latest, survival.person_id, survival.episode, risk.model_name,
    survival.horizon_years, survival.survival, survival.ci_lower, survival.ci_upper, survival.run_id
FROM fahr.patient_survival_v1 AS survival
JOIN fahr.patient_risk AS risk USING (analysis_id, person_id, episode);
COMMENT ON VIEW fahr.patient_survival IS 'Cross-fitted survival of each person at each horizon of the cohort, with its interval. Research only, not for care.';
COMMENT ON COLUMN fahr.patient_survival.episode IS 'Row of the person, as in cohort_member.';
