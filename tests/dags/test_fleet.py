"""What every DAG must have, so that whoever is on call finds an owner, an alert, a time limit and an explanation."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from jobs.airflow_env import DAGS_FOLDER, airflow_environment
from jobs.settings import Settings

FACE_SCORE = "x-fahr://warehouse/fahr/face_score"


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """The DAGs folder as Airflow parses it, in a process of its own."""
    home = tmp_path_factory.mktemp("fleet")
    answer = home / "fleet.json"
    subprocess.run(
        [sys.executable, str(Path(__file__).with_name("list_fleet.py")), str(DAGS_FOLDER), str(answer)],
        env=airflow_environment(Settings(home=home)),
        check=True,
        capture_output=True,
    )
    return json.loads(answer.read_text())


@pytest.fixture(scope="module")
def tasks(fleet: dict) -> dict[str, dict]:
    """Every task of every DAG, by dag_id.task_id."""
    return {
        f"{dag_id}.{task_id}": task for dag_id, dag in fleet["dags"].items() for task_id, task in dag["tasks"].items()
    }


def test_every_file_parses_and_holds_the_dag_of_its_name(fleet: dict):
    assert fleet["errors"] == {}
    assert {dag_id: dag["file"] for dag_id, dag in fleet["dags"].items()} == {
        "nightly_scoring": "nightly_scoring.py",
        "risk_tables": "risk_tables.py",
        "survival_training": "survival_training.py",
    }


def test_parsing_imports_nothing_heavy(fleet: dict):
    assert fleet["heavy_modules"] == []


def test_every_dag_is_tagged_explained_and_runs_one_at_a_time(fleet: dict):
    for dag_id, dag in fleet["dags"].items():
        assert "fahr" in dag["tags"], dag_id
        assert len(dag["tags"]) > 1, dag_id
        assert f"### {dag_id}" in dag["doc"], "the doc_md of a DAG is its module docstring"
        assert len(dag["doc"]) > 300, dag_id
        assert dag["max_active_runs"] == 1, dag_id
        assert dag["catchup"] is False, dag_id


def test_every_task_has_an_owner_a_time_limit_retries_and_an_alert(tasks: dict[str, dict]):
    for name, task in tasks.items():
        assert task["owner"] not in ("", "airflow"), name
        longest = 72 * 3600 if name.startswith("survival_training.") else 12 * 3600
        assert 60 <= task["timeout_s"] <= longest, name
        assert task["retries"] >= 1, name
        assert task["alerts"] == ["alert_on_failure"], name


def test_the_night_runs_its_stages_in_order_once_a_day(fleet: dict):
    night = fleet["dags"]["nightly_scoring"]
    minute, hour, *every_day = night["cron"].split()
    assert every_day == ["*", "*", "*"]
    assert minute.isdigit()
    assert hour.isdigit()
    assert {task_id: task["downstream"] for task_id, task in night["tasks"].items()} == {
        "pull": ["validate"],
        "validate": ["score"],
        "score": ["publish"],
        "publish": ["archive"],
        "archive": [],
    }
    operators = [task["operator"] for task in night["tasks"].values()]
    assert operators == ["SparkStage"] * 3 + ["FahrCommand", "SparkStage"]


def test_the_risk_tables_wait_for_the_asset_that_publishing_emits(fleet: dict):
    night, risk = fleet["dags"]["nightly_scoring"], fleet["dags"]["risk_tables"]
    assert {task_id: task["outlets"] for task_id, task in night["tasks"].items() if task["outlets"]} == {
        "publish": [FACE_SCORE]
    }
    assert risk["assets"] == [FACE_SCORE]
    assert risk["tasks"]["risk"]["downstream"] == ["report"]


def test_a_training_evaluates_what_it_registered_and_promotes_nothing(fleet: dict):
    training = fleet["dags"]["survival_training"]
    assert training["cron"] is None and training["assets"] == []  # by hand, unless a schedule is set
    assert {task_id: task["downstream"] for task_id, task in training["tasks"].items()} == {
        "data_set": ["fine_tune"],
        "fine_tune": ["evaluate"],
        "evaluate": [],
    }
