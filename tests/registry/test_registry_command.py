"""`fahr registry load` as typed: counts and exit codes, and nothing personal in what is printed or logged."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from jobs.settings import Settings
from tests.registry.naaccr import of_patient, write_naaccr

CANARY = "ZAUNKOENIG"


@pytest.fixture
def fahr(settings: Settings, tmp_path: Path):
    """Run the command; returns exit code and everything it printed."""
    environment = {
        **os.environ,
        "FAHR_HOME": str(settings.home),
        "FAHR_WAREHOUSE_URL": settings.warehouse_url.get_secret_value(),
    }

    def run(*arguments: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "jobs.cli", *arguments],
            env=environment,
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            timeout=300,
        )
        return done.returncode, done.stdout + done.stderr

    return run


def test_a_load_prints_counts_and_nobodys_number(fahr, ask, tmp_path: Path) -> None:
    folder = tmp_path / CANARY
    folder.mkdir()
    wrong = of_patient(2, dateOfDiagnosis=CANARY, nameLast=CANARY)
    file = write_naaccr(folder / "file.xml", [of_patient(1), wrong])
    code, printed = fahr("registry", "load", str(file))
    assert code == 0
    assert (
        "registry load: records 2, persons 2, tumours 1, followed 2, unknown_patient 0, diagnosis_date_invalid 1"
        in printed
    )
    file.write_text(file.read_text()[:-40])
    code, refused = fahr("registry", "load", str(file), "--as-of", "2026-03-01")
    assert code == 11
    assert "not well-formed" in refused
    for secret in (CANARY, "MRN-1", "MRN-2", "00000002", "20240105", str(tmp_path)):
        assert secret not in printed + refused, secret
    told = str(ask("SELECT subject, counts FROM fahr.audit_v1")) + str(ask("SELECT counts FROM fahr.registry_load"))
    assert CANARY not in told and "MRN" not in told
