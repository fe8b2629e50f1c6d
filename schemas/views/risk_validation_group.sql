CREATE OR REPLACE VIEW fahr.risk_validation_group AS
SELECT
    validation_id, horizon_years, is_recalibrated, group_number, persons, events, predicted, observed, ci_lower, ci_upper,
    run_id
FROM fahr.risk_validation_group_v1;
COMMENT ON VIEW fahr.risk_validation_group IS 'Calibration of a frozen model on another cohort: predicted beside observed probability in groups of prediction.';
