"""The runbook names every setting with its default, and every exit code, and none that does not exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import jobs.errors
from jobs.airflow_env import SETTINGS_OF_THE_DAGS
from jobs.settings import Settings

RUNBOOK = Path(__file__).resolve().parents[2] / "docs" / "operations.md"


@pytest.fixture(scope="module")
def runbook() -> str:
    return RUNBOOK.read_text()


def test_every_setting_stands_in_the_runbook_with_its_default(runbook: str):
    documented = dict(re.findall(r"^\| `(FAHR_\w+)` \| (.+?) \|", runbook, flags=re.MULTILINE))
    assert set(documented) - set(SETTINGS_OF_THE_DAGS) == {f"FAHR_{name.upper()}" for name in Settings.model_fields}
    assert set(SETTINGS_OF_THE_DAGS) <= set(documented)
    for name, field in Settings.model_fields.items():
        if field.default is not None:
            assert documented[f"FAHR_{name.upper()}"] == f"`{field.default}`", name


def test_no_other_setting_is_named(runbook: str):
    known = {f"FAHR_{name.upper()}" for name in Settings.model_fields} | set(SETTINGS_OF_THE_DAGS)
    assert set(re.findall(r"FAHR_[A-Z_]+", runbook)) <= known


def test_every_exit_code_is_explained(runbook: str):
    explained = {int(code) for code in re.findall(r"^\| (\d+) \|", runbook, flags=re.MULTILINE)}
    raised = {
        error.exit_code
        for error in vars(jobs.errors).values()
        if isinstance(error, type) and issubclass(error, jobs.errors.FahrError)
    }
    assert explained == raised | {0}
