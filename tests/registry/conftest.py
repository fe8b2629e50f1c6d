"""A warehouse with thirty known patients, made once a session and copied for each test; and a loader of files."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, Row, text

from jobs.registry.load import load_registry
from jobs.warehouse.connection import connect
from jobs.warehouse.migrate import migrate
from tests.conftest import TEMPLATE, database_url, execute_alone

TODAY = date(2026, 3, 1)
PATIENTS = 30
HOSPITAL_TEMPLATE = "fahr_registry_hospital"
_numbers = itertools.count(1)

Load = Callable[..., dict[str, int]]
Ask = Callable[[str], list[Row[Any]]]
Change = Callable[[str], None]


@pytest.fixture(scope="session")
def hospital_template(postgres_server: str) -> str:
    """Patients MRN-1 to MRN-30 are persons 1 to 30. The hospital observed all until 2025-01-31, and has no death."""
    execute_alone(postgres_server, f"CREATE DATABASE {HOSPITAL_TEMPLATE} TEMPLATE {TEMPLATE}")
    owner = connect(database_url(postgres_server, HOSPITAL_TEMPLATE), role=None)
    with owner.begin() as connection:
        for statement in (
            "CREATE SCHEMA cdm",
            "CREATE TABLE cdm.death (person_id integer, death_date date, cause_source_value varchar(50))",
            "CREATE TABLE cdm.observation_period (person_id integer, observation_period_start_date date,"
            " observation_period_end_date date)",
            f"INSERT INTO hospital.patient_id_map SELECT 'MRN-' || n, n FROM generate_series(1, {PATIENTS}) AS n",
            "INSERT INTO cdm.observation_period"
            f" SELECT n, '2023-01-01', '2025-01-31' FROM generate_series(1, {PATIENTS}) AS n",
        ):
            connection.execute(text(statement))
    migrate(owner)
    owner.dispose()
    return HOSPITAL_TEMPLATE


@pytest.fixture
def warehouse_url(request: pytest.FixtureRequest, postgres_server: str) -> Iterator[str]:
    """URL of a fresh copy, or of one of the small warehouse where the test asks for that; dropped after the test."""
    wanted = "small_template" if "small_warehouse" in request.fixturenames else "hospital_template"
    name = f"fahr_registry_{next(_numbers)}"
    execute_alone(postgres_server, f"CREATE DATABASE {name} TEMPLATE {request.getfixturevalue(wanted)}")
    yield database_url(postgres_server, name)
    execute_alone(postgres_server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def load(engine: Engine) -> Load:
    """Load a file as the loader."""

    def load_file(file: Path, **options: Any) -> dict[str, int]:
        return load_registry(engine=engine, file=file, today=TODAY, **options)

    return load_file


@pytest.fixture
def ask(owner_engine: Engine) -> Ask:
    """Rows of a query, as the owner."""

    def rows(query: str) -> list[Row[Any]]:
        with owner_engine.connect() as connection:
            return list(connection.execute(text(query)))

    return rows


@pytest.fixture
def change(owner_engine: Engine) -> Change:
    """Execute a statement as the owner."""

    def execute(statement: str) -> None:
        with owner_engine.begin() as connection:
            connection.execute(text(statement))

    return execute
