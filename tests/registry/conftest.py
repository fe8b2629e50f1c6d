"""A warehouse with ten known patients, their deaths and observation, and a loader of registry files."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, Row, text

from jobs.registry.load import load_registry
from jobs.warehouse.migrate import migrate

TODAY = date(2026, 3, 1)

Load = Callable[..., dict[str, int]]
Ask = Callable[[str], list[Row[Any]]]


@pytest.fixture
def hospital(owner_engine: Engine) -> Engine:
    """Patients MRN-1 to MRN-10 are persons 1 to 10. The hospital observed all until 2025-01-31, and has no death."""
    with owner_engine.begin() as connection:
        for statement in (
            "CREATE SCHEMA cdm",
            "CREATE TABLE cdm.death (person_id integer, death_date date, cause_source_value varchar(50))",
            "CREATE TABLE cdm.observation_period (person_id integer, observation_period_start_date date,"
            " observation_period_end_date date)",
            "INSERT INTO hospital.patient_id_map SELECT 'MRN-' || n, n FROM generate_series(1, 10) AS n",
            "INSERT INTO cdm.observation_period SELECT n, '2023-01-01', '2025-01-31' FROM generate_series(1, 10) AS n",
        ):
            connection.execute(text(statement))
    migrate(owner_engine)
    return owner_engine


@pytest.fixture
def load(hospital: Engine, engine: Engine) -> Load:
    """Load a file as the loader."""

    def load_file(file: Path, **options: Any) -> dict[str, int]:
        return load_registry(engine=engine, file=file, today=TODAY, **options)

    return load_file


@pytest.fixture
def ask(hospital: Engine) -> Ask:
    """Rows of a query, as the owner."""

    def rows(query: str) -> list[Row[Any]]:
        with hospital.connect() as connection:
            return list(connection.execute(text(query)))

    return rows
