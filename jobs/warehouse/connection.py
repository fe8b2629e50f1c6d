"""Connections to the warehouse, each with the rights of one role and no more."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import psycopg
import sqlalchemy.exc
from psycopg import sql
from psycopg.types.json import JsonbDumper
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url

from jobs.errors import SettingsError
from jobs.settings import Settings
from jobs.warehouse import embedded, migrate
from jobs.warehouse.declarations import load_declarations
from schemas.migrations import driver_connection

OLDEST_SERVER = 16
DRIVER = "postgresql+psycopg"


def open_warehouse(settings: Settings, *, role: str | None = "fahr_loader") -> Engine:
    """Connect to the warehouse with the rights of `role`; with None, those of the login itself (to migrate).

    The embedded warehouse is started and migrated as needed. A server of the hospital's is never migrated unasked.

    Raises:
        SettingsError: the warehouse cannot be reached, is older than PostgreSQL 16, is not migrated, or the login may
            not take the role. Messages never hold the URL.
    """
    declarations = load_declarations(settings)
    if settings.warehouse_url is not None:
        engine = connect(settings.warehouse_url.get_secret_value(), role=role)
        if role is not None and not migrate.is_current(
            engine, small_cell=settings.small_cell, declarations=declarations
        ):
            engine.dispose()
            raise SettingsError(
                "The schema of the warehouse is not that of this version of fahr.",
                next_step="Run `fahr warehouse migrate`.",
            )
        return engine
    url = embedded.start(settings.home)
    owner = connect(url, role=None)
    if not migrate.is_current(owner, small_cell=settings.small_cell, declarations=declarations):
        migrate.migrate(owner, small_cell=settings.small_cell, declarations=declarations)
    if role is None:
        return owner
    owner.dispose()
    return connect(url, role=role)


def connect(url: str, *, role: str | None) -> Engine:
    """An engine on the server at `url` whose every connection takes `role`; tried once before it is returned.

    Raises:
        SettingsError: as `open_warehouse`.
    """
    # Parameters of a failed statement are patients' data: they stay out of exception texts.
    engine = create_engine(
        _psycopg_url(url),
        hide_parameters=True,
        pool_pre_ping=True,
        connect_args={"application_name": "fahr", "connect_timeout": 10},
    )
    if role is not None:
        event.listen(engine, "connect", _role_taker(role))
    try:
        with engine.connect() as connection:
            version = int(connection.exec_driver_sql("SHOW server_version_num").scalar_one()) // 10_000
    except sqlalchemy.exc.DBAPIError as error:
        engine.dispose()
        raise _cannot_connect(error, role) from None
    if version < OLDEST_SERVER:
        raise SettingsError(
            f"The warehouse runs PostgreSQL {version}; {OLDEST_SERVER} or later is needed.",
            next_step="Upgrade the server, or unset FAHR_WAREHOUSE_URL to use the embedded one.",
        )
    return engine


def copy_rows(connection: Connection, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
    """COPY `rows` into `table` ("schema.name") inside the connection's transaction; returns how many there were.

    Lists become arrays and dicts jsonb. Nothing is written when a row is refused: the transaction is then broken.
    A table with row-level security, which refuses COPY, is filled from a temporary one.
    """
    names = {
        "table": sql.Identifier(*table.split(".")),
        "columns": sql.SQL(", ").join(map(sql.Identifier, columns)),
        "stage": sql.Identifier("pg_temp", "copied_rows"),
    }
    with driver_connection(connection).cursor() as cursor:
        guarded = cursor.execute("SELECT row_security_active(%s::regclass)", [table]).fetchone() == (True,)
        if not guarded:
            return _copy(cursor, sql.SQL("COPY {table} ({columns}) FROM STDIN").format(**names), rows)
        cursor.execute(sql.SQL("CREATE TABLE {stage} AS SELECT {columns} FROM {table} WITH NO DATA").format(**names))
        _copy(cursor, sql.SQL("COPY {stage} ({columns}) FROM STDIN").format(**names), rows)
        cursor.execute(sql.SQL("INSERT INTO {table} ({columns}) SELECT {columns} FROM {stage}").format(**names))
        written = int(cursor.rowcount)
        cursor.execute(sql.SQL("DROP TABLE {stage}").format(**names))
        return written


def _copy(cursor: psycopg.Cursor[Any], statement: sql.Composed, rows: Iterable[Sequence[Any]]) -> int:
    cursor.adapters.register_dumper(dict, JsonbDumper)
    with cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)
    return int(cursor.rowcount)


def _psycopg_url(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (sqlalchemy.exc.ArgumentError, ValueError):
        parsed = None
    if parsed is None or not parsed.drivername.startswith("postgres"):
        raise SettingsError(
            "FAHR_WAREHOUSE_URL is no PostgreSQL URL.",
            next_step="Write it as postgresql://user:password@host/database.",
        ) from None
    return parsed.set(drivername=DRIVER)


def _role_taker(role: str) -> Any:
    def take_role(connection: Any, _record: object) -> None:
        # Outside a transaction, or the first rollback would give the login's own rights back.
        connection.autocommit = True
        connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))
        connection.autocommit = False

    return take_role


def _cannot_connect(error: sqlalchemy.exc.DBAPIError, role: str | None) -> SettingsError:
    sqlstate = getattr(error.orig, "sqlstate", None)
    if sqlstate == "42501":
        return SettingsError(
            f"The warehouse login may not take the role {role}.", next_step=f"As its owner: GRANT {role} TO the login."
        )
    if sqlstate == "22023":
        return SettingsError(
            f"The warehouse has no role {role}: it is not migrated.", next_step="Run `fahr warehouse migrate`."
        )
    return SettingsError(
        f"The warehouse cannot be reached ({type(error.orig).__name__}{f', {sqlstate}' if sqlstate else ''}).",
        next_step="Check FAHR_WAREHOUSE_URL, that the server runs, and its password.",
    )
