"""One small demo hospital, built once, that the tests read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, Row, text

from jobs.demo.filing import FiledPhoto
from jobs.demo.hospital import Hospital, build_demo_hospital, plan_hospital
from jobs.settings import Settings
from jobs.warehouse.connection import open_warehouse
from tests.conftest import TEMPLATE, database_url, execute_alone

PATIENTS, SEED = 14, 7


@dataclass(frozen=True)
class BuiltHospital:
    """A hospital that stands: its plan, its settings and its warehouse."""

    plan: Hospital
    settings: Settings
    engine: Engine
    counts: dict[str, int]

    @property
    def folder(self) -> Path:
        return self.settings.home / "hospital"

    def path(self, filed: FiledPhoto) -> Path:
        return self.folder / ("photos" if filed.source == "share" else "dicom") / filed.relative_path

    def content(self, filed: FiledPhoto) -> bytes:
        return self.path(filed).read_bytes()

    def odd(self, oddity: str) -> FiledPhoto:
        """The photo with this oddity."""
        return next(filed for filed in self.plan.photos if filed.oddity == oddity)

    def query(self, sql: str) -> list[Row]:
        with self.engine.connect() as connection:
            return list(connection.execute(text(sql)))


@pytest.fixture(scope="session")
def hospital(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BuiltHospital]:
    execute_alone(postgres_server, f"CREATE DATABASE demo_hospital TEMPLATE {TEMPLATE}")
    settings = Settings(
        home=tmp_path_factory.mktemp("demo_hospital"),
        warehouse_url=SecretStr(database_url(postgres_server, "demo_hospital")),
    )
    engine = open_warehouse(settings, role=None)
    counts = build_demo_hospital(settings=settings, engine_owner=engine, patients=PATIENTS, seed=SEED, processes=1)
    yield BuiltHospital(plan_hospital(PATIENTS, SEED), settings, engine, counts)
    engine.dispose()
    execute_alone(postgres_server, "DROP DATABASE demo_hospital WITH (FORCE)")
