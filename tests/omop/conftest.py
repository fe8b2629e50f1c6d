"""A hospital after a night, as a database that each test gets a copy of: filled once a session."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, Row, text

from jobs.warehouse.connection import connect
from tests.conftest import TEMPLATE, database_url, execute_alone
from tests.jobs.scored_hospital import fill_hospital

PATIENTS = 25
HOSPITAL_TEMPLATE = "fahr_omop_hospital"
_numbers = itertools.count(1)

Ask = Callable[[str], list[Row[Any]]]


@pytest.fixture(scope="session")
def hospital_template(postgres_server: str) -> str:
    """The demo's patients with made-up scores; patient 1 has opted out since."""
    execute_alone(postgres_server, f"CREATE DATABASE {HOSPITAL_TEMPLATE} TEMPLATE {TEMPLATE}")
    owner = connect(database_url(postgres_server, HOSPITAL_TEMPLATE), role=None)
    fill_hospital(owner, patients=PATIENTS)
    with owner.begin() as connection:
        connection.execute(text("INSERT INTO hospital.opt_out VALUES (1, '2026-03-02')"))
        connection.execute(text("ALTER TABLE cdm.person ALTER person_source_value SET NOT NULL"))
    owner.dispose()
    return HOSPITAL_TEMPLATE


@pytest.fixture
def warehouse_url(postgres_server: str, hospital_template: str) -> Iterator[str]:
    """URL of a fresh copy; dropped after the test."""
    name = f"fahr_omop_{next(_numbers)}"
    execute_alone(postgres_server, f"CREATE DATABASE {name} TEMPLATE {hospital_template}")
    yield database_url(postgres_server, name)
    execute_alone(postgres_server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def ask(owner_engine: Engine) -> Ask:
    """Rows of a query, as the owner."""

    def rows(query: str) -> list[Row[Any]]:
        with owner_engine.connect() as connection:
            return list(connection.execute(text(query)))

    return rows


@pytest.fixture
def change(owner_engine: Engine) -> Callable[[str], None]:
    """Execute a statement as the owner."""

    def execute(statement: str) -> None:
        with owner_engine.begin() as connection:
            connection.execute(text(statement))

    return execute
