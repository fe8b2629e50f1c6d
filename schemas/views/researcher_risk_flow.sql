CREATE OR REPLACE VIEW fahr.researcher_risk_flow AS
SELECT
    analysis_id, cohort, is_latest, step, reason, label,
    CASE WHEN left_out = 0 OR left_out >= small_cell THEN (round(left_out / 5.0) * 5)::integer END AS left_out,
    CASE WHEN remaining = 0 OR remaining >= small_cell THEN (round(remaining / 5.0) * 5)::integer END AS remaining
FROM fahr.risk_flow
CROSS JOIN (SELECT small_cell FROM fahr.schema_state_v1) AS state;
COMMENT ON VIEW fahr.researcher_risk_flow IS 'The flow of each cohort; small counts are null.';
COMMENT ON COLUMN fahr.researcher_risk_flow.left_out IS 'Persons left out at this step, rounded to five so that a count left out cannot be found by subtraction; null where few.';
COMMENT ON COLUMN fahr.researcher_risk_flow.remaining IS 'Persons left after it, rounded to five; null where few.';
