"""One embedded PostgreSQL server a test session, and a fresh migrated warehouse on it for each test that asks."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, make_url, text

from jobs.settings import Settings
from jobs.warehouse import embedded
from jobs.warehouse.connection import connect, open_warehouse
from jobs.warehouse.migrate import migrate
from schemas.migrations import execute_script

# pyspark takes a main module without a file, which a worker of pytest-xdist has, for its own doctests, and exits.
if not hasattr(sys.modules["__main__"], "__file__"):
    sys.modules["__main__"].__file__ = __file__

TEMPLATE = "fahr_template"
SMALL_TEMPLATE = "fahr_small_template"
_numbers = itertools.count(1)


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests never work on the warehouse or the photos that the caller's environment names."""
    for name in [name for name in os.environ if name.startswith("FAHR_")]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of an embedded server (database `fahr`, its owner's login); it holds a migrated template database."""
    home = tmp_path_factory.mktemp("postgres_server")
    url = embedded.start(home)
    password = (home / "postgres" / "superuser_password").read_text()
    superuser = make_url(url).set(username=embedded.SUPERUSER, password=password).render_as_string(hide_password=False)
    # The tests make many databases, and none has to outlive a power cut.
    for statement in (
        f"ALTER ROLE {embedded.LOGIN} CREATEDB",
        "ALTER SYSTEM SET fsync = off",
        "ALTER SYSTEM SET full_page_writes = off",
        # A worker of the superuser's in a database keeps its owner from dropping it.
        "ALTER SYSTEM SET autovacuum = off",
        "SELECT pg_reload_conf()",
    ):
        execute_alone(superuser, statement)
    execute_alone(url, f"CREATE DATABASE {TEMPLATE}")
    template = connect(database_url(url, TEMPLATE), role=None)
    migrate(template)
    template.dispose()
    yield url
    embedded.stop(home)


@pytest.fixture(scope="session")
def small_template(postgres_server: str) -> str:
    """Name of a template database filled by small_warehouse.sql: 80 persons with scores, and other fates of photos."""
    execute_alone(postgres_server, f"CREATE DATABASE {SMALL_TEMPLATE} TEMPLATE {TEMPLATE}")
    owner = connect(database_url(postgres_server, SMALL_TEMPLATE), role=None)
    with owner.begin() as connection:
        execute_script(connection, Path(__file__).with_name("small_warehouse.sql").read_text())
    migrate(owner)
    owner.dispose()
    return SMALL_TEMPLATE


@pytest.fixture
def warehouse_url(request: pytest.FixtureRequest, postgres_server: str) -> Iterator[str]:
    """URL of a fresh migrated database, filled if the test asks for `small_warehouse`; dropped after the test."""
    filled = "small_warehouse" in request.fixturenames
    template = request.getfixturevalue("small_template") if filled else TEMPLATE
    name = f"fahr_test_{next(_numbers)}"
    execute_alone(postgres_server, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield database_url(postgres_server, name)
    execute_alone(postgres_server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def settings(tmp_path: Path, warehouse_url: str) -> Settings:
    """Settings with a home of their own and a fresh migrated warehouse."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    return Settings(home=home, warehouse_url=SecretStr(warehouse_url), spark_master="local[2]")


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    """The fresh warehouse, as the loader."""
    engine = open_warehouse(settings)
    yield engine
    engine.dispose()


@pytest.fixture
def owner_engine(settings: Settings) -> Iterator[Engine]:
    """The fresh warehouse, as its owner: to fill `cdm` and `hospital`, which the loader only reads."""
    engine = open_warehouse(settings, role=None)
    yield engine
    engine.dispose()


@pytest.fixture
def small_warehouse(owner_engine: Engine) -> Engine:
    """The fresh warehouse filled by small_warehouse.sql, as its owner."""
    return owner_engine


def database_url(url: str, database: str) -> str:
    """`url` with another database."""
    return make_url(url).set(database=database).render_as_string(hide_password=False)


def execute_alone(url: str, statement: str) -> None:
    """Execute one statement that must stand outside any transaction."""
    engine = connect(url, role=None)
    try:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text(statement))
    finally:
        engine.dispose()
