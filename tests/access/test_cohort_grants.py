"""Row-level security: who sees the persons of which cohort, tried by logins."""

from __future__ import annotations

import pytest
from asking import refused, rows
from sqlalchemy import Engine, text

from jobs.access.grants import grant_cohort, granted_cohorts, revoke_cohort
from jobs.errors import UsageError

ANALYSTS_PERSONS = ("cohort_member", "patient_risk", "patient_survival")
RESEARCHERS_PERSONS = ("researcher_member", "researcher_session", "researcher_patient_risk")
OTHER = "other_cohort"


@pytest.fixture
def two_cohorts(small_warehouse: Engine) -> Engine:
    """A second cohort of 15 of the persons; nobody's role is granted anything."""
    with small_warehouse.begin() as connection:
        connection.execute(text("DELETE FROM fahr.cohort_grant_v1"))
        connection.execute(
            text("""
                INSERT INTO fahr.cohort_member_v1
                SELECT 'third', 'other_cohort', person_id, index_date, followup_years, event, age_years, face_age_years,
                    face_survival_log_risk, covariates, model_id, run_id
                FROM fahr.cohort_member_v1 WHERE analysis_id = 'second' AND person_id <= 15
            """)
        )
        connection.execute(
            text("""
                INSERT INTO fahr.risk_model_v1 (
                    analysis_id, model_name, cohort, endpoint, description, status, persons, events, ties, model_id,
                    declaration_sha256, data_sha256, code_version, fitted_on, run_id
                )
                SELECT 'third', model_name, 'other_cohort', endpoint, description, status, 15, 10, ties, model_id,
                    declaration_sha256, data_sha256, code_version, fitted_on, run_id
                FROM fahr.risk_model_v1 WHERE analysis_id = 'second'
            """)
        )
        connection.execute(
            text("""
                INSERT INTO fahr.patient_risk_v1
                SELECT 'third', person_id, model_name, fold, log_risk, percentile, quartile, survival_1_year,
                    survival_3_year, run_id
                FROM fahr.patient_risk_v1 WHERE analysis_id = 'second' AND person_id <= 15
            """)
        )
        connection.execute(
            text("""
                INSERT INTO fahr.patient_survival_v1 (
                    analysis_id, person_id, episode, horizon_years, survival, ci_lower, ci_upper, run_id
                )
                SELECT analysis_id, person_id, episode, 1, survival_1_year, 0, 1, run_id FROM fahr.patient_risk_v1
            """)
        )
    return small_warehouse


def cohorts_seen(engine: Engine, view: str) -> set[str]:
    return {cohort for (cohort,) in rows(engine, f"SELECT DISTINCT cohort FROM fahr.{view}")}


@pytest.mark.parametrize(
    ("role", "views"), [("fahr_analyst", ANALYSTS_PERSONS), ("fahr_researcher", RESEARCHERS_PERSONS)]
)
def test_a_login_sees_persons_of_its_cohorts_and_without_a_grant_none(two_cohorts, named, login, role, views) -> None:
    nothing, one, both = (
        login(role),
        login(role, cohorts=("cancer_photo",)),
        login(role, cohorts=("cancer_photo", OTHER)),
    )
    for view in views:
        assert cohorts_seen(nothing, view) == set()
        assert cohorts_seen(one, view) == {"cancer_photo"}
        assert cohorts_seen(both, view) == {"cancer_photo", OTHER}
    assert rows(nothing, "SELECT * FROM fahr.granted_cohort") == []
    assert rows(one, "SELECT * FROM fahr.granted_cohort") == [("cancer_photo",)]


def test_a_grant_to_a_role_is_one_to_its_members_and_to_nobody_else(two_cohorts, named, login) -> None:
    researcher, analyst = login("fahr_researcher"), login("fahr_analyst")
    with two_cohorts.begin() as connection:
        assert grant_cohort(connection, grantee="fahr_researcher", cohort=OTHER)
        assert not grant_cohort(connection, grantee="fahr_researcher", cohort=OTHER)
    assert cohorts_seen(researcher, "researcher_member") == {OTHER}
    assert cohorts_seen(analyst, "cohort_member") == set()
    with two_cohorts.begin() as connection:
        assert granted_cohorts(connection) == [(OTHER, "fahr_researcher")]
        assert revoke_cohort(connection, grantee="fahr_researcher", cohort=OTHER)
        assert not revoke_cohort(connection, grantee="fahr_researcher", cohort=OTHER)
    assert cohorts_seen(researcher, "researcher_member") == set()
    told = "SELECT action, subject FROM fahr.audit_v1 WHERE action LIKE 'cohort%' ORDER BY audit_id"
    assert rows(two_cohorts, told) == [
        ("cohort_grant", "other_cohort to fahr_researcher"),
        ("cohort_revoke", "other_cohort to fahr_researcher"),
    ]


def test_a_grant_to_whoever_reads_nothing_is_refused(two_cohorts) -> None:
    with two_cohorts.begin() as connection:
        with pytest.raises(UsageError, match="no role"):
            grant_cohort(connection, grantee="nobody_of_this_name", cohort=OTHER)
        with pytest.raises(UsageError, match="rights neither"):
            grant_cohort(connection, grantee="fahr_loader", cohort=OTHER)


def test_the_jobs_see_every_cohort_and_may_write_them(two_cohorts, engine) -> None:
    assert cohorts_seen(engine, "cohort_member") == {"cancer_photo", OTHER}
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM fahr.cohort_member_v1 WHERE analysis_id = 'first'"))
    assert rows(engine, "SELECT count(*) FROM fahr.cohort_member_v1 WHERE analysis_id = 'first'") == [(0,)]


@pytest.mark.parametrize("role", ["fahr_analyst", "fahr_researcher", "fahr_loader"])
def test_nobody_grants_cohorts_but_the_owner(two_cohorts, login, role: str) -> None:
    me = login(role)
    for statement in (
        "INSERT INTO fahr.cohort_grant_v1 (grantee, cohort) VALUES (current_user, 'cancer_photo')",
        "UPDATE fahr.cohort_grant_v1 SET cohort = 'cancer_photo'",
        "ALTER TABLE fahr.cohort_member_v1 DISABLE ROW LEVEL SECURITY",
        "CREATE POLICY mine ON fahr.cohort_member_v1 USING (true)",
        "DROP POLICY granted_cohorts ON fahr.cohort_member_v1",
    ):
        assert refused(me, statement), statement


@pytest.mark.parametrize(
    ("role", "view", "name"),
    [
        ("fahr_analyst", "cohort_member", "person_id::text"),
        ("fahr_analyst", "patient_risk", "person_id::text"),
        ("fahr_researcher", "researcher_member", "pseudonym"),
        ("fahr_researcher", "researcher_session", "pseudonym"),
        ("fahr_researcher", "researcher_patient_risk", "pseudonym"),
    ],
)
def test_rows_of_other_cohorts_do_not_leak_into_what_a_reader_writes_in_a_query(
    two_cohorts, named, login, role: str, view: str, name: str
) -> None:
    """A cheap function and a failing cast are evaluated on allowed rows alone: security barriers hold."""
    heard: list[str] = []
    with login(role, cohorts=(OTHER,)).connect() as connection:
        driver = connection.connection.driver_connection
        driver.add_notice_handler(lambda notice: heard.append(notice.message_primary))
        connection.execute(
            text("""
                CREATE FUNCTION pg_temp.overheard(text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS
                'BEGIN RAISE NOTICE ''%'', $1; RETURN true; END'
            """)
        )
        connection.execute(text(f"SELECT count(*) FROM fahr.{view} WHERE pg_temp.overheard({name})"))
        assert 0 < len(set(heard)) <= 15
        # Persons 16 to 80 are in the other cohort alone. A division by nothing would tell that one of them is there.
        last = "20" if name == "person_id::text" else _pseudonym(two_cohorts, 20)
        connection.execute(text(f"SELECT count(*) FROM fahr.{view} WHERE 1 / ({name} <> '{last}')::integer = 1"))


def _pseudonym(owner: Engine, person_id: int) -> str:
    return rows(owner, "SELECT pseudonym FROM fahr.pseudonym_v1 WHERE person_id = :person", person=person_id)[0][0]
