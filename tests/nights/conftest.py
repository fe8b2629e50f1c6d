"""One small hospital after one undisturbed night, shared by the tests of nights."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.nights.hospital import NIGHT, SmallHospital

PATIENTS = "24"


def build(folder: Path) -> SmallHospital:
    """Build a small demo hospital in `folder`."""
    hospital = SmallHospital(home=folder / "home", output=folder / "output.log")
    hospital.fahr("demo", "--patients", PATIENTS)
    return hospital


@pytest.fixture(scope="session")
def night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallHospital]:
    """A hospital whose night ran from beginning to end, with report."""
    hospital = build(tmp_path_factory.mktemp("undisturbed"))
    hospital.fahr("nightly", "--date", NIGHT)
    hospital.fahr("risk", "--date", NIGHT)
    hospital.fahr("report", "--date", NIGHT)
    yield hospital
    hospital.fahr("warehouse", "stop")


@pytest.fixture(scope="session")
def clean_outcomes(night: SmallHospital) -> dict[str, list[tuple]]:
    """What the undisturbed night of `NIGHT` wrote (later nights of other tests left out)."""
    return night.outcomes(NIGHT)


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[SmallHospital]:
    """The same hospital before its night."""
    hospital = build(tmp_path)
    yield hospital
    hospital.fahr("warehouse", "stop")
