CREATE OR REPLACE VIEW fahr.researcher_risk_calibration AS
SELECT
    analysis_id, cohort, is_latest, model_name, horizon_years, group_number,
    (round(persons / 5.0) * 5)::integer AS persons,
    predicted, observed, ci_lower, ci_upper
FROM fahr.risk_calibration
WHERE least(events, persons - events) >= (SELECT small_cell FROM fahr.schema_state_v1);
COMMENT ON VIEW fahr.researcher_risk_calibration IS 'Predicted beside observed probability; groups with few events or few without are left out.';
COMMENT ON COLUMN fahr.researcher_risk_calibration.persons IS 'Persons of the group, rounded to five.';
