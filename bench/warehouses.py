"""Fresh warehouses for the benches of nights, several on one embedded server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from pydantic import SecretStr
from sqlalchemy import Engine, make_url

from jobs.releases import DEFAULT_MODEL, locate_release
from jobs.settings import Settings
from jobs.warehouse import embedded
from jobs.warehouse.connection import connect
from jobs.warehouse.migrate import migrate
from model.release import ModelRelease


@dataclass(frozen=True)
class Warehouse:
    """One migrated database, and what a job needs to work on it."""

    settings: Settings
    """With a home of its own."""
    engine: Engine
    """As the loader."""
    release: ModelRelease
    """The one that scores."""
    superuser_url: str

    def superuser(self) -> psycopg.Connection[tuple[object, ...]]:
        """A connection that writes rows without the checks of foreign keys, a million at once."""
        connection = psycopg.connect(self.superuser_url, autocommit=True)
        connection.execute("SET session_replication_role = replica")
        connection.execute("SET maintenance_work_mem = '1GB'")
        return connection


def new_warehouse(home: Path, name: str) -> Warehouse:
    """A fresh database of that name on the server under `home`, which is started."""
    url = embedded.start(home / "server")
    with psycopg.connect(_as_superuser(home, url), autocommit=True) as connection:
        connection.execute(f"ALTER ROLE {embedded.LOGIN} CREATEDB")
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    database = make_url(url).set(database=name).render_as_string(hide_password=False)
    owner = connect(database, role=None)
    migrate(owner)
    owner.dispose()
    folder = home / f"home-{name}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    settings = Settings(home=folder, warehouse_url=SecretStr(database))
    return Warehouse(
        settings=settings,
        engine=connect(database, role="fahr_loader"),
        release=locate_release(settings, DEFAULT_MODEL),
        superuser_url=_as_superuser(home, database),
    )


def stop_server(home: Path) -> None:
    """Stop the server of the warehouses under `home`."""
    embedded.stop(home / "server")


@contextmanager
def written_at_once(connection: psycopg.Connection[tuple[object, ...]]) -> Iterator[None]:
    """One checkpoint at the end and none in between, after which every page would go to the log whole once more."""
    settings = {"max_wal_size": "16GB", "checkpoint_timeout": "1h"}
    try:
        for name, value in settings.items():
            connection.execute(f"ALTER SYSTEM SET {name} = '{value}'")
        connection.execute("SELECT pg_reload_conf()")
        yield
    finally:
        for name in settings:
            connection.execute(f"ALTER SYSTEM RESET {name}")
        connection.execute("SELECT pg_reload_conf()")
    connection.execute("CHECKPOINT")


def _as_superuser(home: Path, url: str) -> str:
    password = (home / "server" / "postgres" / "superuser_password").read_text()
    login = make_url(url).set(drivername="postgresql", username=embedded.SUPERUSER, password=password)
    return login.render_as_string(hide_password=False)
