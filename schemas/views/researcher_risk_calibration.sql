CREATE OR REPLACE VIEW fahr.researcher_risk_calibration WITH (security_barrier = true) AS
SELECT
    analysis_id, cohort, is_latest, model_name, horizon_years, group_number,
    (round(persons / 5.0) * 5)::integer AS persons,
    round(predicted::numeric, 2)::double precision AS predicted,
    round(observed::numeric, 2)::double precision AS observed,
    round(ci_lower::numeric, 2)::double precision AS ci_lower,
    round(ci_upper::numeric, 2)::double precision AS ci_upper
FROM fahr.risk_calibration AS calibration
WHERE (jsonb_build_array(analysis_id, model_name, horizon_years)::text, 'group', group_number::text) NOT IN (
    SELECT table_key, group_name, level FROM fahr.hidden_cell WHERE source = 'risk_calibration'
);
COMMENT ON VIEW fahr.researcher_risk_calibration IS 'Predicted beside observed probability; groups with few events or few without are left out, and others from which theirs would follow.';
COMMENT ON COLUMN fahr.researcher_risk_calibration.persons IS 'Persons of the group, rounded to five.';
COMMENT ON COLUMN fahr.researcher_risk_calibration.predicted IS 'Mean predicted probability of the event by the horizon, to two decimals.';
COMMENT ON COLUMN fahr.researcher_risk_calibration.observed IS 'Observed probability of the event by the horizon, to two decimals: an exact one would tell exact counts.';
COMMENT ON COLUMN fahr.researcher_risk_calibration.ci_lower IS 'Lower end of its 95 % interval, to two decimals.';
COMMENT ON COLUMN fahr.researcher_risk_calibration.ci_upper IS 'Upper end of its 95 % interval, to two decimals.';
