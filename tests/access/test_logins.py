"""A login of each role tries what it may not: tables, functions, other roles, the audit."""

from __future__ import annotations

from datetime import date

import pytest
from asking import refused, rows
from sqlalchemy import text

from jobs.access.grants import granted_cohorts
from jobs.audit import record
from jobs.report import report
from jobs.runs import recorded_run
from jobs.warehouse.migrate import migrate

READERS = ("fahr_analyst", "fahr_researcher")
ROLES = (*READERS, "fahr_loader")


@pytest.mark.parametrize("role", ROLES)
def test_no_role_becomes_another(login, role: str) -> None:
    me = login(role)
    for other in {*ROLES, "fahr", "postgres", "pg_read_all_data", "pg_execute_server_program"} - {role}:
        assert refused(me, f"SET ROLE {other}"), other
        assert refused(me, f"GRANT {other} TO current_user"), other
    assert refused(me, f"SET ROLE {role}", "SET SESSION AUTHORIZATION fahr")
    # Back from the role is the login again, which may no more.
    assert (
        refused(me, f"SET ROLE {role}", "RESET ROLE", "SELECT * FROM hospital.photo_manifest") or role == "fahr_loader"
    )


@pytest.mark.parametrize("role", READERS)
def test_no_reader_reads_a_table_or_writes_anywhere(login, small_warehouse, role: str) -> None:
    me = login(role)
    tables = rows(
        small_warehouse,
        "SELECT oid, relname FROM pg_class WHERE relkind = 'r' AND relnamespace IN"
        " (SELECT oid FROM pg_namespace WHERE nspname IN ('fahr', 'fahr_stage', 'hospital', 'registry', 'cdm'))",
    )
    assert len(tables) > 30
    with me.connect() as connection:
        for oid, table in tables:
            for right in ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"):
                held = connection.execute(
                    text("SELECT has_table_privilege(CAST(:oid AS oid), :right)"), {"oid": oid, "right": right}
                ).scalar_one()
                assert held is (right == "SELECT" and table == "schema_state_v1"), (table, right)


@pytest.mark.parametrize(
    ("role", "mine"),
    [
        ("fahr_analyst", {"age_at_photo", "concepts_below", "hospital_follow_up", "without_counts"}),
        ("fahr_researcher", {"face_age_by_decade", "without_counts"}),
    ],
)
def test_a_reader_calls_the_functions_of_its_views_and_no_other(login, role: str, mine: set[str]) -> None:
    callable_by_me = (
        "SELECT DISTINCT proname FROM pg_proc WHERE pronamespace = 'fahr'::regnamespace"
        " AND has_function_privilege(oid, 'EXECUTE')"
    )
    me = login(role)
    assert {name for (name,) in rows(me, callable_by_me)} == mine
    assert refused(me, "SELECT fahr.age_at_photo(11)") is (role == "fahr_researcher")


@pytest.mark.parametrize("role", READERS)
def test_the_server_is_closed_to_readers(login, role: str) -> None:
    me = login(role)
    for statement in (
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "SELECT pg_read_file('postgresql.conf')",
        "SELECT lo_import('/etc/hostname')",
        "SELECT * FROM pg_authid",
        "SELECT stavalues1 FROM pg_statistic",
        "ALTER VIEW fahr.face_score RENAME TO mine",
        "CREATE FUNCTION fahr.mine() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
    ):
        assert refused(me, statement), statement
    # What the planner knows of the values of tables and views is of those one may read.
    assert rows(me, "SELECT DISTINCT tablename FROM pg_stats WHERE schemaname IN ('fahr', 'hospital', 'cdm')") in (
        [],
        [("schema_state_v1",)],
    )


@pytest.mark.parametrize("role", READERS)
def test_what_somebody_else_runs_is_not_shown(login, small_warehouse, role: str) -> None:
    me = login(role)
    with small_warehouse.connect() as connection:
        connection.execute(text("SELECT 'Jane Doe'"))
        (seen,) = rows(
            me, "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%Jane%' AND pid <> pg_backend_pid()"
        )
    assert seen == (0,)


def test_the_loader_adds_to_the_audit_and_can_neither_rewrite_it_nor_sign_for_another(login) -> None:
    loader = login("fahr_loader")
    with loader.begin() as connection:
        record(connection, action="publish", counts={"scored": 1})
        me = connection.execute(text("SELECT session_user")).scalar()
    for statement in (
        "UPDATE fahr.audit_v1 SET counts = '{}'",
        "DELETE FROM fahr.audit_v1",
        "TRUNCATE fahr.audit_v1",
        "ALTER TABLE fahr.audit_v1 DISABLE TRIGGER append_only",
        "DROP TRIGGER append_only ON fahr.audit_v1",
        "SET session_replication_role = replica",
        "INSERT INTO fahr.audit_v1 (action, login_name) VALUES ('publish', 'somebody')",
        "INSERT INTO fahr.audit_v1 (action, happened_at) VALUES ('publish', '2020-01-01')",
        "INSERT INTO fahr.audit_v1 (action, audit_id) OVERRIDING SYSTEM VALUE VALUES ('publish', 1)",
        "MERGE INTO fahr.audit_v1 USING (SELECT 1) AS one ON true WHEN MATCHED THEN DELETE",
    ):
        assert refused(loader, statement), statement
    assert rows(loader, "SELECT action, login_name, role_name FROM fahr.audit_v1 WHERE action = 'publish'") == [
        ("publish", me, me)
    ]


@pytest.mark.parametrize("role", ROLES)
def test_nobody_writes_through_a_view(login, small_warehouse, role: str) -> None:
    """A simple view is written through with its owner's rights, past what is revoked from its table."""
    views = rows(
        small_warehouse,
        "SELECT oid, relname, pg_relation_is_updatable(oid, false) & 28 > 0 FROM pg_class"
        " WHERE relkind IN ('v', 'm') AND relnamespace IN"
        " (SELECT oid FROM pg_namespace WHERE nspname IN ('fahr', 'fahr_stage', 'hospital', 'registry'))",
    )
    writable = {view for _, view, is_writable in views if is_writable}
    assert len(views) > 50 and {"audit", "reason_code"} <= writable
    me = login(role)
    with me.connect() as connection:
        for oid, view, _ in views:
            for right in ("INSERT", "UPDATE"):
                held = text("SELECT has_any_column_privilege(CAST(:oid AS oid), :right)")
                assert not connection.execute(held, {"oid": oid, "right": right}).scalar_one(), (view, right)
            for right in ("DELETE", "TRUNCATE", "TRIGGER", "REFERENCES"):
                held = text("SELECT has_table_privilege(CAST(:oid AS oid), :right)")
                assert not connection.execute(held, {"oid": oid, "right": right}).scalar_one(), (view, right)
    for view in writable:
        assert refused(me, f"DELETE FROM fahr.{view}"), view
    assert refused(me, "INSERT INTO fahr.audit (action, login_name, happened_at) VALUES ('publish', 'x', '2020-01-01')")
    assert refused(me, "UPDATE fahr.reason_code SET permanent = false")


def test_every_run_of_a_job_tells_which_role_it_used(engine, login) -> None:
    with recorded_run(engine, stage="validate", logical_date=date(2026, 3, 1)) as run, run.publish():
        pass
    with recorded_run(engine, stage="score", logical_date=date(2026, 3, 1)) as idle:
        idle.nothing_to_do()
    told = "SELECT action, subject, role_name, run_id FROM fahr.audit WHERE subject <> 'migrate'"
    assert rows(login("fahr_analyst"), told) == [("role_use", "validate", "fahr_loader", run.run_id)]
    assert refused(login("fahr_researcher"), told)


def test_the_owners_migration_is_told_once_and_one_that_finds_nothing_to_do_is_not(small_warehouse, login) -> None:
    told = "SELECT login_name, role_name FROM fahr.audit WHERE (action, subject) = ('role_use', 'migrate')"
    analyst = login("fahr_analyst")
    before = rows(analyst, told)
    owner = rows(small_warehouse, "SELECT session_user, current_user")
    assert set(before) == set(owner)
    assert not migrate(small_warehouse)
    assert rows(analyst, told) == before
    assert migrate(small_warehouse, small_cell=20)
    assert rows(analyst, told) == [*before, *owner]


def test_what_reads_and_changes_nothing_leaves_no_row(settings, engine, small_warehouse) -> None:
    told = "SELECT count(*) FROM fahr.audit_v1"
    before = rows(engine, told)
    report(settings=settings, engine=engine, night=date(2026, 3, 1))
    with small_warehouse.begin() as connection:
        assert granted_cohorts(connection) == [("cancer_photo", "fahr_analyst")]
    assert rows(engine, told) == before
