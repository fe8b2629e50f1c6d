CREATE OR REPLACE VIEW fahr.researcher_patient_risk WITH (security_barrier = true) AS
SELECT
    person.cohort, person.pseudonym, risk.episode, risk.model_name, risk.fold,
    round(risk.log_risk::numeric, 3)::double precision AS log_risk,
    risk.quartile,
    round(risk.survival_1_year::numeric, 3)::double precision AS survival_1_year,
    round(risk.survival_3_year::numeric, 3)::double precision AS survival_3_year
FROM fahr.pseudonymous_person AS person
JOIN fahr.patient_risk_v1 AS risk USING (analysis_id, person_id);
COMMENT ON VIEW fahr.researcher_patient_risk IS 'Cross-fitted predictions for the persons of cohorts you were granted, each from a model of other persons, under pseudonyms. Research only, not for care.';
COMMENT ON COLUMN fahr.researcher_patient_risk.cohort IS 'Name of the cohort.';
COMMENT ON COLUMN fahr.researcher_patient_risk.pseudonym IS 'The person, as in fahr.researcher_member.';
COMMENT ON COLUMN fahr.researcher_patient_risk.log_risk IS 'Log risk, to three decimals: comparable within a fold.';
COMMENT ON COLUMN fahr.researcher_patient_risk.survival_1_year IS 'Predicted probability to be free of the endpoint after one year, to three decimals.';
COMMENT ON COLUMN fahr.researcher_patient_risk.survival_3_year IS 'Predicted probability to be free of the endpoint after three years, to three decimals.';
