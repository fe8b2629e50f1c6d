"""Each role tries what it may do, and what it may not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy.exc
from sqlalchemy import Connection, Engine, text

from jobs.settings import Settings
from jobs.warehouse.connection import open_warehouse

ANALYST_VIEWS = [
    "concept_set", "follow_up", "registry_tumour", "registry_follow_up", "registry_conflict", "registry_problem",
    "registry_load",
    "reason_code", "run", "model_version", "face_score", "session_score", "face_aging_rate", "coverage", "quarantine",
    "latest_analysis", "cohort_member", "risk_model", "risk_coefficient", "survival_curve", "patient_risk",
    "patient_survival", "risk_flow", "risk_contrast", "risk_diagnostic", "risk_subgroup", "risk_performance",
    "risk_calibration", "risk_effect", "risk_over_time", "risk_decision", "risk_frozen_model", "risk_validation",
    "risk_validation_group",
    "risk_latest", "risk_latest_contrast", "risk_latest_subgroup", "risk_latest_performance",
    "evaluation", "evaluation_metric", "training_set", "training_photo", "model_training", "out_of_fold_score",
    "face_score_unseen", "session_score_unseen", "model_promotion", "risk_missing",
    "risk_validation_flow", "audit", "granted_cohort",
]  # fmt: skip
RESEARCHER_VIEWS = [
    "reason_code", "model_version", "latest_analysis", "risk_coefficient", "risk_contrast", "risk_effect",
    "risk_latest_contrast", "researcher_risk_model", "researcher_risk_latest", "researcher_coverage",
    "researcher_face_age", "researcher_survival_curve", "researcher_risk_flow", "researcher_risk_subgroup",
    "researcher_risk_performance", "researcher_risk_calibration", "researcher_evaluation",
    "researcher_evaluation_metric", "researcher_member", "researcher_session", "researcher_patient_risk",
    "researcher_tumour", "granted_cohort",
]  # fmt: skip
STATE = "schema_state_v1"


@pytest.fixture
def as_role(settings: Settings, small_warehouse: Engine) -> Iterator[object]:
    engines = []

    def open_as(role: str) -> Connection:
        engines.append(open_warehouse(settings, role=role))
        return engines[-1].connect()

    yield open_as
    for engine in engines:
        engine.dispose()


def readable(connection: Connection) -> set[str]:
    """What the current role can read anywhere outside the system's catalogue, found by reading it."""
    relations = connection.execute(
        text("""
            SELECT format('%I.%I', namespace.nspname, relation.relname)
            FROM pg_class AS relation JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
            WHERE relation.relkind IN ('r', 'v', 'm', 'p', 'f')
                AND namespace.nspname NOT LIKE 'pg\\_%' AND namespace.nspname <> 'information_schema'
        """)
    ).scalars()
    can = set()
    for relation in list(relations):
        try:
            with connection.begin_nested():
                connection.execute(text(f"SELECT * FROM {relation} LIMIT 1")).all()
            can.add(relation)
        except sqlalchemy.exc.ProgrammingError as error:
            assert error.orig.sqlstate == "42501"
    return can


def refused(connection: Connection, statement: str) -> bool:
    """Whether the statement is refused for want of a right."""
    try:
        with connection.begin_nested():
            connection.execute(text(statement))
    except sqlalchemy.exc.ProgrammingError as error:
        return error.orig.sqlstate == "42501"
    return False


def test_the_analyst_reads_the_views_and_nothing_else(as_role) -> None:
    with as_role("fahr_analyst") as connection:
        assert readable(connection) == {f"fahr.{view}" for view in [*ANALYST_VIEWS, STATE]}


def test_the_researcher_reads_the_deidentified_views_and_nothing_else(as_role) -> None:
    with as_role("fahr_researcher") as connection:
        assert readable(connection) == {f"fahr.{view}" for view in [*RESEARCHER_VIEWS, STATE]}


def test_no_view_of_theirs_shows_a_direct_identifier(as_role) -> None:
    with as_role("fahr_analyst") as connection:
        columns = connection.execute(
            text("SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'fahr'")
        ).all()
    assert columns
    forbidden = {"source_key", "source_version", "mrn", "relative_path", "photo_key", "birth_date", "birth_datetime"}
    assert not forbidden & {column for _, column in columns}
    personal = {"person_id", "photo_id", "session_id", "content_sha256", "captured_at", "captured_on", "index_date"}
    researcher = {column for view, column in columns if view in RESEARCHER_VIEWS}
    assert not personal & researcher


@pytest.mark.parametrize("role", ["fahr_analyst", "fahr_researcher"])
def test_readers_change_nothing(as_role, role: str) -> None:
    with as_role(role) as connection:
        for statement in (
            "DELETE FROM fahr.reason_code",
            "UPDATE fahr.run_v1 SET status = 'failed'",
            "INSERT INTO hospital.opt_out VALUES (1, '2026-01-01')",
            "CREATE TABLE fahr.mine (n integer)",
            "CREATE VIEW fahr.mine AS SELECT 1",
            "CREATE SCHEMA mine",
            "TRUNCATE fahr.photo_v1",
            "DROP VIEW fahr.face_score",
            "GRANT fahr_loader TO fahr_analyst",
            "CREATE ROLE mine",
            "COPY (SELECT 1) TO '/tmp/fahr_probe'",
            "SELECT pg_read_file('/etc/passwd')",
        ):
            assert refused(connection, statement), statement


def test_the_researcher_cannot_compute_ages_of_persons(as_role) -> None:
    with as_role("fahr_researcher") as connection:
        assert refused(connection, "SELECT fahr.age_at_photo(11)")


def test_the_loader_writes_the_ledger_and_only_reads_the_hospital(as_role) -> None:
    with as_role("fahr_loader") as connection:
        connection.execute(text("UPDATE fahr.run_v1 SET counts = '{}'"))
        connection.execute(text("INSERT INTO fahr_stage.face_score (run_id) VALUES (gen_random_uuid())"))
        connection.execute(text("DELETE FROM fahr_stage.face_score"))
        connection.execute(text("CREATE TEMPORARY TABLE pulled (LIKE fahr.photo_v1)"))
        for table in ("hospital.photo_manifest", "hospital.patient_id_map", "hospital.opt_out", "cdm.person"):
            connection.execute(text(f"SELECT * FROM {table} LIMIT 1"))
            assert refused(connection, f"DELETE FROM {table}")
        for statement in (
            "DROP TABLE fahr.photo_v1",
            "ALTER TABLE fahr.photo_v1 ADD COLUMN mine text",
            "CREATE TABLE fahr.mine (n integer)",
            "UPDATE fahr.schema_state_v1 SET small_cell = 1",
            "UPDATE fahr.reason_code_v1 SET permanent = false",
            "UPDATE fahr.model_promotion_v1 SET model_id = 'mine'",
            "DELETE FROM fahr.model_promotion_v1",
            "CREATE ROLE mine",
        ):
            assert refused(connection, statement), statement


def test_the_loader_reads_hospital_tables_that_come_later(as_role, small_warehouse: Engine) -> None:
    with small_warehouse.begin() as connection:
        connection.execute(text("CREATE TABLE registry.tumour (person_id bigint)"))
    with as_role("fahr_loader") as connection:
        assert connection.execute(text("SELECT count(*) FROM registry.tumour")).scalar() == 0


def test_small_cells_are_left_out_for_researchers(as_role, small_warehouse: Engine) -> None:
    with as_role("fahr_researcher") as connection:
        coverage = connection.execute(text("SELECT status, photos FROM fahr.researcher_coverage")).all()
        assert [tuple(row) for row in coverage] == [("scored", 200)]
        ages = connection.execute(
            text("SELECT age_from_years, persons FROM fahr.researcher_face_age WHERE model_id = 'new-2' ORDER BY 1")
        ).all()
        last = connection.execute(
            text("SELECT stratum, max(grid_years) FROM fahr.researcher_survival_curve GROUP BY 1 ORDER BY 1")
        ).all()
    # Few are 80 or older: they would follow from how many photos have a score, so the next smallest is left out, too.
    assert [tuple(row) for row in ages] == [(50, 20), (60, 20), (70, 20)]
    # 40 persons at the start, two fewer each fifth of a year: ten died between one year and two, and ten will later.
    assert [tuple(row) for row in last] == [("Q1", 2.0), ("Q2", 2.0), ("Q3", 2.0), ("Q4", 2.0)]


def test_small_groups_of_the_risk_tables_are_left_out_for_researchers(as_role) -> None:
    latest = "WHERE is_latest ORDER BY"
    with as_role("fahr_researcher") as connection:
        subgroups = connection.execute(
            text(f"SELECT level, persons, events FROM fahr.researcher_risk_subgroup {latest} level")
        ).all()
        performance = connection.execute(
            text(f"SELECT level FROM fahr.researcher_risk_performance {latest} level")
        ).all()
        flow = connection.execute(
            text(f"SELECT left_out, remaining FROM fahr.researcher_risk_flow {latest} step")
        ).all()
        calibration = connection.execute(
            text(f"SELECT group_number FROM fahr.researcher_risk_calibration {latest} 1")
        ).all()
    # Nine deaths of twelve, and three of seven, are too few; four left out are, too, and would follow from the step
    # before.
    assert [tuple(row) for row in subgroups] == [("all", 80, 55), ("female", 45, 30), ("male", 35, 25)]
    assert [row.level for row in performance] == ["all", "female", "male"]
    assert [tuple(row) for row in flow] == [(0, 100), (None, None), (None, 80)]
    # Of twenty persons at least ten died and ten did not in the second group only.
    assert [row.group_number for row in calibration] == [2]
