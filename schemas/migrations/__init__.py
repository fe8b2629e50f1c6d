"""The warehouse's schema as alembic migrations: each version executes the SQL file beside it."""

from __future__ import annotations

from pathlib import Path

import psycopg
from sqlalchemy import Connection

FOLDER = Path(__file__).parent


def driver_connection(connection: Connection) -> psycopg.Connection[tuple[object, ...]]:
    """The psycopg connection under a SQLAlchemy connection, with its open transaction."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    return driver


def execute_script(connection: Connection, script: str) -> None:
    """Execute the statements of an SQL script in the connection's transaction.

    Straight on the driver's cursor: SQLAlchemy would send the script as one prepared statement and read `%` and `:x`
    in its comments as parameters.
    """
    driver_connection(connection).execute(script.encode())


def execute_sibling(connection: Connection, module_file: str) -> None:
    """Execute the SQL file that has the name of a migration's module."""
    execute_script(connection, Path(module_file).with_suffix(".sql").read_text())
