-- Who may do what. Everything is taken back first, so that a right dropped here is gone after the next migration.
REVOKE ALL ON ALL TABLES IN SCHEMA fahr, fahr_stage, hospital, registry FROM PUBLIC, fahr_loader, fahr_analyst, fahr_researcher;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA fahr FROM PUBLIC, fahr_loader, fahr_analyst, fahr_researcher;
REVOKE ALL ON SCHEMA fahr, fahr_stage, hospital, registry FROM PUBLIC, fahr_loader, fahr_analyst, fahr_researcher;

-- The loader writes what the jobs write, and may change no definition.
GRANT USAGE ON SCHEMA fahr, fahr_stage, hospital, registry TO fahr_loader;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA fahr, fahr_stage TO fahr_loader;
-- A simple view is written through with the rights of its owner: what is revoked below would be open by it.
DO $$
DECLARE
    relation regclass;
BEGIN
    FOR relation IN
        SELECT oid FROM pg_class
        WHERE relkind IN ('v', 'm') AND relnamespace IN ('fahr'::regnamespace, 'fahr_stage'::regnamespace)
    LOOP
        EXECUTE format('REVOKE ALL ON %s FROM fahr_loader', relation);
        EXECUTE format('GRANT SELECT ON %s TO fahr_loader', relation);
    END LOOP;
END
$$;
REVOKE INSERT, UPDATE, DELETE ON fahr.alembic_version, fahr.schema_state_v1, fahr.reason_code_v1 FROM fahr_loader;
REVOKE INSERT, UPDATE, DELETE ON fahr.concept_set_v1, fahr.death_rule_v1, fahr.registry_reason_v1, fahr.omop_schema_v1
    FROM fahr_loader;
REVOKE UPDATE, DELETE ON fahr.model_promotion_v1, fahr.audit_v1 FROM fahr_loader;
-- Who wrote a row of the audit and when is for the database to say; who sees which cohort, for the owner.
REVOKE INSERT ON fahr.audit_v1 FROM fahr_loader;
GRANT INSERT (action, subject, run_id, counts) ON fahr.audit_v1 TO fahr_loader;
REVOKE INSERT, UPDATE, DELETE ON fahr.cohort_grant_v1 FROM fahr_loader;
GRANT SELECT ON ALL TABLES IN SCHEMA hospital, registry TO fahr_loader;
GRANT INSERT, UPDATE, DELETE ON registry.load_v1, registry.record_v1 TO fahr_loader;
ALTER DEFAULT PRIVILEGES IN SCHEMA hospital, registry GRANT SELECT ON TABLES TO fahr_loader;
GRANT EXECUTE ON FUNCTION fahr.age_at_photo(bigint) TO fahr_loader, fahr_analyst;
GRANT EXECUTE ON FUNCTION fahr.date_of_birth(integer, integer, integer, integer, integer) TO fahr_loader;

-- The hospital's OMOP tables, where our owner may let the loader read them; elsewhere their owner must.
DO $$
DECLARE
    relation regclass;
BEGIN
    IF EXISTS (
        SELECT FROM pg_namespace WHERE nspname = 'cdm' AND has_schema_privilege(oid, 'USAGE WITH GRANT OPTION')
    ) THEN
        GRANT USAGE ON SCHEMA cdm TO fahr_loader;
    END IF;
    FOR relation IN
        SELECT table_.oid
        FROM pg_class AS table_
        JOIN pg_namespace AS namespace ON namespace.oid = table_.relnamespace
        WHERE namespace.nspname = 'cdm' AND table_.relkind IN ('r', 'p', 'v', 'm', 'f')
            AND has_table_privilege(table_.oid, 'SELECT WITH GRANT OPTION')
    LOOP
        EXECUTE format('GRANT SELECT ON %s TO fahr_loader', relation);
    END LOOP;
    IF pg_has_role(current_user, (SELECT datdba FROM pg_database WHERE datname = current_database()), 'USAGE') THEN
        EXECUTE format('GRANT CONNECT, TEMPORARY ON DATABASE %I TO fahr_loader', current_database());
        EXECUTE format('GRANT CONNECT ON DATABASE %I TO fahr_analyst, fahr_researcher', current_database());
    END IF;
END
$$;

GRANT USAGE ON SCHEMA fahr TO fahr_analyst, fahr_researcher;
GRANT SELECT ON
    fahr.reason_code, fahr.run, fahr.model_version, fahr.model_promotion,
    fahr.face_score, fahr.session_score, fahr.face_aging_rate, fahr.coverage, fahr.quarantine,
    fahr.latest_analysis, fahr.cohort_member, fahr.risk_model, fahr.risk_coefficient, fahr.survival_curve, fahr.patient_risk,
    fahr.patient_survival, fahr.risk_flow, fahr.risk_contrast, fahr.risk_diagnostic, fahr.risk_subgroup,
    fahr.risk_performance, fahr.risk_calibration, fahr.risk_effect, fahr.risk_over_time, fahr.risk_decision,
    fahr.risk_frozen_model, fahr.risk_validation, fahr.risk_validation_group, fahr.risk_validation_flow, fahr.risk_missing,
    fahr.risk_latest, fahr.risk_latest_contrast, fahr.risk_latest_subgroup, fahr.risk_latest_performance,
    fahr.training_set, fahr.training_photo, fahr.model_training, fahr.out_of_fold_score,
    fahr.face_score_unseen, fahr.session_score_unseen,
    fahr.evaluation, fahr.evaluation_metric,
    fahr.concept_set, fahr.follow_up, fahr.registry_tumour, fahr.registry_follow_up, fahr.registry_conflict,
    fahr.registry_problem, fahr.registry_load
    TO fahr_analyst;
GRANT SELECT ON fahr.audit TO fahr_analyst;
GRANT SELECT ON fahr.granted_cohort TO fahr_analyst, fahr_researcher;
GRANT EXECUTE ON FUNCTION fahr.concepts_below(), fahr.hospital_follow_up() TO fahr_loader, fahr_analyst;
GRANT SELECT ON
    fahr.reason_code, fahr.model_version, fahr.latest_analysis, fahr.risk_coefficient, fahr.risk_contrast, fahr.risk_effect,
    fahr.researcher_risk_model, fahr.researcher_risk_latest, fahr.risk_latest_contrast,
    fahr.researcher_coverage, fahr.researcher_face_age, fahr.researcher_survival_curve,
    fahr.researcher_risk_flow, fahr.researcher_risk_subgroup, fahr.researcher_risk_performance,
    fahr.researcher_risk_calibration, fahr.researcher_evaluation, fahr.researcher_evaluation_metric,
    fahr.researcher_member, fahr.researcher_session, fahr.researcher_patient_risk, fahr.researcher_tumour
    TO fahr_researcher;
GRANT EXECUTE ON FUNCTION fahr.face_age_by_decade() TO fahr_loader, fahr_researcher;
GRANT EXECUTE ON FUNCTION fahr.without_counts(text) TO fahr_loader, fahr_analyst, fahr_researcher;
GRANT SELECT ON fahr.schema_state_v1 TO fahr_analyst, fahr_researcher;
