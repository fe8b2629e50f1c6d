"""Bring a warehouse to the schema this version of the product declares: tables, views, roles, reason codes."""

from __future__ import annotations

import dataclasses
import hashlib
from functools import cache
from pathlib import Path

import psycopg.errors
import sqlalchemy.exc
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, text

import schemas
from jobs import audit
from jobs.errors import SettingsError
from jobs.warehouse.declarations import Declarations, shipped_declarations
from schemas.migrations import FOLDER as MIGRATIONS
from schemas.migrations import execute_script
from schemas.reasons import REASONS
from schemas.views import FUNCTIONS, VIEWS

SCHEMAS = Path(schemas.__file__).parent
SMALL_CELL = 10
LOCK = "fahr:migrate"


def migrate(engine: Engine, *, small_cell: int = SMALL_CELL, declarations: Declarations | None = None) -> bool:
    """Migrate the warehouse in one transaction, and return whether there was anything to do.

    `declarations` are the hospital's; without them, those that ship.

    The engine's login must own the database, or may create schemas in it, and have CREATEROLE (or the three roles
    exist already). Views are replaced in place, so that views the hospital built on them stay.

    Raises:
        SettingsError: the login lacks a right, the warehouse belongs to a newer version, or a view of the hospital's
            stands on a view whose columns changed. Nothing is changed then.
    """
    declared = declarations or shipped_declarations()
    try:
        with engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(hashtext(:lock))"), {"lock": LOCK})
            if _holds(connection, small_cell, declared):
                return False
            connection.execute(text("SET LOCAL search_path = pg_catalog, pg_temp"))
            connection.execute(text("CREATE SCHEMA IF NOT EXISTS fahr"))
            _upgrade_tables(connection)
            _replace_views(connection)
            execute_script(connection, (SCHEMAS / "roles.sql").read_text())
            execute_script(connection, (SCHEMAS / "grants.sql").read_text())
            _refresh_reason_codes(connection)
            declared.write(connection)
            _remember(connection, small_cell, declared)
            # The owner changed who may do what.
            audit.record(connection, action="role_use", subject="migrate")
    except CommandError:
        raise SettingsError(
            "The warehouse was migrated by a newer version of fahr.", next_step="Install that version, or a newer one."
        ) from None
    except (psycopg.Error, sqlalchemy.exc.DBAPIError) as error:
        explained = _explained(error.orig if isinstance(error, sqlalchemy.exc.DBAPIError) else error)
        if explained is None:
            raise
        raise explained from None
    return True


def _explained(error: BaseException | None) -> SettingsError | None:
    """What the operator can do about a refused migration; None where it was not foreseen."""
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return SettingsError(
            f"The warehouse login lacks a right to migrate: {error.diag.message_primary}.",
            next_step="Let it own the database and have CREATEROLE, or let a superuser create the three fahr roles.",
        )
    if isinstance(error, psycopg.errors.DependentObjectsStillExist):
        return SettingsError(
            f"Views of your own stand on a view whose columns change: {error.diag.message_primary}.",
            next_step="Drop them, run `fahr warehouse migrate`, and create them again.",
        )
    return None


def is_current(engine: Engine, *, small_cell: int = SMALL_CELL, declarations: Declarations | None = None) -> bool:
    """Whether the warehouse has the declared schema, and the loader may read all the hospital tables its owner has."""
    with engine.connect() as connection:
        return _holds(connection, small_cell, declarations or shipped_declarations())


@cache
def definition_sha256() -> str:
    """SHA-256 over everything `migrate` applies."""
    digest = hashlib.sha256()
    for file in sorted([*SCHEMAS.glob("*.sql"), *SCHEMAS.glob("migrations/versions/*.*"), *SCHEMAS.glob("views/*.*")]):
        if file.suffix in {".sql", ".py"}:
            digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    digest.update(repr(REASONS).encode())
    return digest.hexdigest()


def _state_sha256(declared: Declarations) -> str:
    return hashlib.sha256(f"{definition_sha256()} {declared.sha256}".encode()).hexdigest()


def _holds(connection: Connection, small_cell: int, declared: Declarations) -> bool:
    if connection.execute(text("SELECT to_regclass('fahr.schema_state_v1')")).scalar() is None:
        return False
    state = connection.execute(text("SELECT definition_sha256, small_cell FROM fahr.schema_state_v1")).one_or_none()
    return state == (_state_sha256(declared), small_cell) and not connection.execute(_UNGRANTED).scalar()


_UNGRANTED = text("""
    SELECT count(*)
    FROM pg_class AS relation
    JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
    WHERE namespace.nspname IN ('cdm', 'hospital', 'registry')
      AND relation.relkind IN ('r', 'p', 'v', 'm', 'f')
      AND relation.relowner = (SELECT relowner FROM pg_class WHERE oid = to_regclass('fahr.schema_state_v1'))
      AND NOT has_table_privilege('fahr_loader', relation.oid, 'SELECT')
""")
"""Tables the loader cannot read although our owner could let it: made since the last migration."""


def _upgrade_tables(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _replace_views(connection: Connection) -> None:
    """Replace the views in place; where columns changed, which PostgreSQL refuses, drop them all and make them anew."""
    try:
        with connection.begin_nested():
            _create_views(connection)
    except (psycopg.errors.InvalidTableDefinition, psycopg.errors.InvalidFunctionDefinition):
        views = ", ".join(f"fahr.{view}" for view in VIEWS)
        functions = ", ".join(f"fahr.{function}" for function in FUNCTIONS)
        execute_script(connection, f"DROP VIEW IF EXISTS {views}; DROP FUNCTION IF EXISTS {functions}")
        _create_views(connection)


def _create_views(connection: Connection) -> None:
    execute_script(connection, (SCHEMAS / "functions.sql").read_text())
    inherited_comments = (SCHEMAS / "inherited_comments.sql").read_text()
    for view in VIEWS:
        execute_script(connection, (SCHEMAS / "views" / f"{view}.sql").read_text())
        execute_script(connection, inherited_comments)


def _refresh_reason_codes(connection: Connection) -> None:
    """Insert new codes and mend changed ones; a code no longer given stays, for the rows that hold it."""
    connection.execute(
        text(
            "INSERT INTO fahr.reason_code_v1 AS known (reason_code, stage, permanent, meaning)"
            " VALUES (:code, :stage, :permanent, :meaning)"
            " ON CONFLICT (reason_code) DO UPDATE"
            " SET stage = excluded.stage, permanent = excluded.permanent, meaning = excluded.meaning"
            " WHERE (known.stage, known.permanent, known.meaning)"
            " IS DISTINCT FROM (excluded.stage, excluded.permanent, excluded.meaning)"
        ),
        [dataclasses.asdict(reason) for reason in REASONS],
    )


def _remember(connection: Connection, small_cell: int, declared: Declarations) -> None:
    connection.execute(text("DELETE FROM fahr.schema_state_v1"))
    connection.execute(
        text("INSERT INTO fahr.schema_state_v1 (definition_sha256, small_cell) VALUES (:definition, :small_cell)"),
        {"definition": _state_sha256(declared), "small_cell": small_cell},
    )
