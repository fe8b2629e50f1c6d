"""`fahr omop …` as typed: counts, exit codes, and what to do next."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from jobs.settings import Settings
from tests.omop.conftest import Ask


def test_prepare_write_and_what_a_wrong_schema_says(settings: Settings, ask: Ask) -> None:
    environment = {
        **os.environ,
        "FAHR_HOME": str(settings.home),
        "FAHR_WAREHOUSE_URL": settings.warehouse_url.get_secret_value(),
    }

    def fahr(*arguments: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "jobs.cli", "omop", *arguments],
            env=environment,
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            timeout=300,
        )
        return done.returncode, done.stdout + done.stderr

    code, printed = fahr("write", "--schema", "omop_results")
    assert code == 10 and "fahr omop prepare --schema omop_results" in printed
    assert fahr("prepare", "--schema", "omop_results")[1] == "omop prepare: tables_created 41\n"
    code, printed = fahr("write", "--schema", "omop_results")
    ((measurements,),) = ask("SELECT count(*) FROM omop_results.measurement")
    assert code == 0 and f"measurements {measurements}" in printed and measurements > 40
    assert fahr("write", "--schema", "hospital")[0] == 2
