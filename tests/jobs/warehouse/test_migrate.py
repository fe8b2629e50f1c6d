from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, text

from jobs.errors import SettingsError, UsageError
from jobs.settings import Settings
from jobs.warehouse import commands, migrate
from jobs.warehouse.connection import connect, open_warehouse
from schemas.reasons import REASONS
from tests.conftest import database_url, execute_alone

CATALOGUE = text("""
    SELECT 'relation', namespace.nspname || '.' || relation.relname, relation.oid::text, relation.relacl::text,
        obj_description(relation.oid, 'pg_class'),
        CASE relation.relkind WHEN 'v' THEN pg_get_viewdef(relation.oid) END
    FROM pg_class AS relation JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
    WHERE namespace.nspname IN ('fahr', 'fahr_stage', 'hospital', 'registry')
    UNION ALL
    SELECT 'column', attrelid::regclass::text || '.' || attname, attnum::text, atttypid::regtype::text,
        col_description(attrelid, attnum), attacl::text
    FROM pg_attribute JOIN pg_class AS relation ON relation.oid = attrelid
    WHERE relnamespace::regnamespace::text IN ('fahr', 'fahr_stage', 'hospital', 'registry') AND attnum > 0
    UNION ALL
    SELECT 'function', oid::regprocedure::text, proacl::text, prosrc, prosecdef::text, NULL
    FROM pg_proc WHERE pronamespace = 'fahr'::regnamespace
    UNION ALL
    SELECT 'constraint', conname, pg_get_constraintdef(oid), NULL, NULL, NULL
    FROM pg_constraint WHERE connamespace::regnamespace::text IN ('fahr', 'fahr_stage', 'hospital', 'registry')
    UNION ALL
    SELECT 'schema', nspname, nspacl::text, obj_description(oid, 'pg_namespace'), NULL, NULL
    FROM pg_namespace WHERE nspname IN ('fahr', 'fahr_stage', 'hospital', 'registry')
    UNION ALL
    SELECT 'default', defaclnamespace::regnamespace::text, defaclacl::text, NULL, NULL, NULL FROM pg_default_acl
    UNION ALL
    SELECT 'member', roleid::regrole::text, member::regrole::text, set_option::text, inherit_option::text, NULL
    FROM pg_auth_members
    UNION ALL
    SELECT 'reason', reason_code, stage, permanent::text, meaning, NULL FROM fahr.reason_code_v1
    ORDER BY 1, 2, 3, 4
""")


def catalogue(engine: Engine) -> list[tuple]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(CATALOGUE)]


def execute(engine: Engine, *statements: str) -> None:
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def forget_definition(engine: Engine) -> None:
    """Make the next migration apply everything again."""
    execute(engine, "UPDATE fahr.schema_state_v1 SET definition_sha256 = 'of an earlier version'")


def test_every_schema_table_view_and_column_has_a_comment(owner_engine: Engine) -> None:
    with owner_engine.connect() as connection:
        without = connection.execute(
            text("""
                SELECT namespace.nspname, relation.relname, attribute.attname
                FROM pg_class AS relation
                JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
                JOIN pg_attribute AS attribute ON attribute.attrelid = relation.oid AND attribute.attnum > 0
                WHERE namespace.nspname IN ('fahr', 'fahr_stage', 'hospital', 'registry')
                    AND relation.relkind IN ('r', 'v') AND NOT attribute.attisdropped
                    AND (
                        col_description(relation.oid, attribute.attnum) IS NULL
                        OR obj_description(relation.oid, 'pg_class') IS NULL
                        OR obj_description(namespace.oid, 'pg_namespace') IS NULL
                    )
            """)
        ).all()
    assert without == []


def test_migrating_again_changes_nothing(owner_engine: Engine) -> None:
    before = catalogue(owner_engine)
    assert len(before) > 300
    assert migrate.migrate(owner_engine) is False
    assert catalogue(owner_engine) == before
    forget_definition(owner_engine)
    assert migrate.migrate(owner_engine) is True
    assert catalogue(owner_engine) == before
    assert migrate.is_current(owner_engine)


def test_migrations_at_once_wait_for_each_other(owner_engine: Engine) -> None:
    before = catalogue(owner_engine)
    forget_definition(owner_engine)
    with ThreadPoolExecutor(3) as pool:
        changed = list(pool.map(lambda _: migrate.migrate(owner_engine), range(3)))
    assert sorted(changed) == [False, False, True]
    assert catalogue(owner_engine) == before


def test_the_promised_views_are_there(owner_engine: Engine) -> None:
    with owner_engine.connect() as connection:
        views = connection.execute(text("SELECT viewname FROM pg_views WHERE schemaname = 'fahr'")).scalars().all()
    promised = {
        "face_score", "session_score", "coverage", "quarantine", "run", "model_version", "cohort_member", "risk_model",
        "risk_coefficient", "survival_curve", "patient_risk", "face_aging_rate",
    }  # fmt: skip
    assert promised <= set(views)


def test_reason_codes_are_refreshed_and_old_ones_kept(owner_engine: Engine) -> None:
    execute(
        owner_engine,
        "UPDATE fahr.reason_code_v1 SET meaning = 'another', permanent = NOT permanent WHERE reason_code = 'no_face'",
        "DELETE FROM fahr.reason_code_v1 WHERE reason_code = 'empty_file'",
        "INSERT INTO fahr.reason_code_v1 VALUES ('of_last_year', 'score', true, 'No longer given.')",
    )
    forget_definition(owner_engine)
    migrate.migrate(owner_engine)
    with owner_engine.connect() as connection:
        rows = {tuple(row) for row in connection.execute(text("SELECT * FROM fahr.reason_code"))}
    assert rows == {tuple(dataclasses.astuple(reason)) for reason in REASONS} | {
        ("of_last_year", "score", True, "No longer given.")
    }


def test_a_right_given_by_hand_is_taken_back(owner_engine: Engine) -> None:
    before = catalogue(owner_engine)
    execute(
        owner_engine,
        "GRANT SELECT ON hospital.photo_manifest TO fahr_analyst",
        "GRANT USAGE ON SCHEMA hospital TO fahr_analyst",
    )
    forget_definition(owner_engine)
    migrate.migrate(owner_engine)
    assert catalogue(owner_engine) == before


def test_a_view_the_hospital_built_on_ours_stays(owner_engine: Engine) -> None:
    execute(owner_engine, "CREATE SCHEMA ward", "CREATE VIEW ward.scored AS SELECT photo_id FROM fahr.face_score")
    forget_definition(owner_engine)
    assert migrate.migrate(owner_engine) is True
    execute(owner_engine, "SELECT * FROM ward.scored")


def test_a_view_whose_columns_change_is_made_anew(owner_engine: Engine) -> None:
    before = [row[:2] for row in catalogue(owner_engine)]
    execute(
        owner_engine,
        "DROP VIEW fahr.quarantine",
        "CREATE VIEW fahr.quarantine AS SELECT photo_id, 'old' AS column_of_an_earlier_version FROM fahr.photo_v1",
    )
    forget_definition(owner_engine)
    migrate.migrate(owner_engine)
    assert [row[:2] for row in catalogue(owner_engine)] == before


def test_a_hospital_view_in_the_way_of_a_change_stops_the_migration_whole(owner_engine: Engine) -> None:
    execute(
        owner_engine,
        "DROP VIEW fahr.quarantine",
        "CREATE VIEW fahr.quarantine AS SELECT photo_id, 'old' AS column_of_an_earlier_version FROM fahr.photo_v1",
        "CREATE SCHEMA ward",
        "CREATE VIEW ward.refused AS SELECT * FROM fahr.quarantine",
    )
    forget_definition(owner_engine)
    before = catalogue(owner_engine)
    with pytest.raises(SettingsError) as error:
        migrate.migrate(owner_engine)
    assert "Drop them" in error.value.next_step
    assert catalogue(owner_engine) == before


def test_a_warehouse_of_a_newer_version_is_left_alone(owner_engine: Engine) -> None:
    execute(owner_engine, "UPDATE fahr.alembic_version SET version_num = '9999'")
    forget_definition(owner_engine)
    with pytest.raises(SettingsError, match="newer version"):
        migrate.migrate(owner_engine)


def test_another_small_cell_takes_effect_with_a_migration(small_warehouse: Engine) -> None:
    assert not migrate.is_current(small_warehouse, small_cell=25)
    migrate.migrate(small_warehouse, small_cell=25)
    with small_warehouse.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM fahr.researcher_face_age")).scalar() == 0
        assert connection.execute(text("SELECT photos FROM fahr.researcher_coverage")).scalars().all() == [200]


@pytest.fixture
def hospital_server(postgres_server: str) -> Iterator[Settings]:
    """A database on a server of the hospital's, owned by a login that is no superuser and did not make our roles."""
    execute_alone(postgres_server, "CREATE ROLE hospital_dba LOGIN CREATEROLE PASSWORD 'dba'")
    execute_alone(postgres_server, "GRANT hospital_dba TO fahr WITH SET TRUE")
    execute_alone(postgres_server, "CREATE DATABASE hospital_warehouse OWNER hospital_dba")
    url = database_url(postgres_server, "hospital_warehouse").split("//")[1].split("@")[1]
    yield Settings(warehouse_url=SecretStr(f"postgresql://hospital_dba:dba@{url}"))
    execute_alone(postgres_server, "DROP DATABASE hospital_warehouse WITH (FORCE)")
    execute_alone(postgres_server, "DROP OWNED BY hospital_dba")
    execute_alone(postgres_server, "DROP ROLE hospital_dba")


def test_a_server_of_the_hospitals_is_migrated_by_its_owner_and_used_by_the_loader(
    hospital_server: Settings, postgres_server: str
) -> None:
    with pytest.raises(SettingsError):
        open_warehouse(hospital_server)
    assert commands.migrate_command(hospital_server) == "The warehouse is migrated."
    assert commands.migrate_command(hospital_server) == "The warehouse is up to date."
    # The roles belong to another login of this server: its owner says who may take them.
    with pytest.raises(SettingsError, match="may not take the role fahr_loader"):
        open_warehouse(hospital_server)
    execute_alone(postgres_server, "GRANT fahr_loader TO hospital_dba WITH INHERIT FALSE, SET TRUE")
    loader = open_warehouse(hospital_server)
    with loader.connect() as connection:
        assert connection.execute(text("SELECT current_user, session_user")).one() == ("fahr_loader", "hospital_dba")
        assert connection.execute(text("SELECT count(*) FROM fahr.reason_code")).scalar() == len(REASONS)
    loader.dispose()
    with pytest.raises(UsageError, match="not ours to start or stop"):
        commands.stop_command(hospital_server)


def test_a_login_without_the_rights_to_migrate_is_told_which(hospital_server: Settings, postgres_server: str) -> None:
    execute_alone(postgres_server, "CREATE ROLE guest LOGIN PASSWORD 'guest'")
    url = hospital_server.warehouse_url.get_secret_value().replace("hospital_dba:dba", "guest:guest")
    guest = connect(url, role=None)
    with pytest.raises(SettingsError, match="lacks a right to migrate") as error:
        migrate.migrate(guest)
    assert "CREATEROLE" in error.value.next_step
    guest.dispose()
    execute_alone(postgres_server, "DROP ROLE guest")
