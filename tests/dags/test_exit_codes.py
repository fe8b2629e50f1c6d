"""An exit code travels from the stage through spark-submit to Airflow, which retries, refuses, or lets it pass."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import jobs
from jobs.airflow_env import airflow_environment, stage_environment
from jobs.settings import Settings
from jobs.spark_conf import environment_bin

ADD_ALERT = "import sys\nopen(sys.argv[1], 'a').write(sys.stdin.read() + '\\n')\n"


@pytest.fixture
def home(tmp_path: Path) -> Settings:
    """Settings with a home and no warehouse."""
    return Settings(home=tmp_path / "home", spark_master="local[1]")


def test_spark_submit_ends_with_the_exit_code_of_the_stage(home: Settings):
    submit = str(Path(jobs.__file__).with_name("submit.py"))
    ended = subprocess.run(
        ["spark-submit", "--master", "local[1]", submit, "pull", "--date", "yesterday"],
        env={**os.environ, **stage_environment(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2, ended.stderr[-2000:]
    assert "YYYY-MM-DD" in ended.stdout


def test_airflow_retries_what_a_retry_may_cure_and_alerts_with_ids_only(home: Settings, tmp_path: Path):
    alerts = _alerts_of_a_run(home, tmp_path, exit_codes="11 13 14")
    outcomes = {alert["task"]: (alert["event"], alert["exit_code"], alert["try"]) for alert in alerts}
    assert outcomes == {
        "exit_11": ("failed", 11, 1),
        "exit_13": ("failed", 13, 2),
        "exit_14": ("partial", 14, 1),
        "no_such_stage": ("failed", 2, 1),
    }
    assert len(alerts) == len(outcomes)
    for alert in alerts:
        assert set(alert) == {"event", "dag", "task", "run", "try", "exit_code"}
        assert alert["dag"] == "exits"


def _alerts_of_a_run(settings: Settings, folder: Path, *, exit_codes: str) -> list[dict]:
    """Run the DAG of tests/dags/exits_dag.py once and return the alerts that it sent."""
    (folder / "dags").mkdir()
    (folder / "dags" / "exits.py").write_text(Path(__file__).with_name("exits_dag.py").read_text())
    (folder / "end.py").write_text("import sys\nsys.exit(int(sys.argv[1]))\n")
    (folder / "alert.py").write_text(ADD_ALERT)
    environment = {
        **airflow_environment(settings),
        "AIRFLOW__CORE__DAGS_FOLDER": str(folder / "dags"),
        "SCRIPTS_FOLDER": str(folder),
        "EXIT_CODES": exit_codes,
        "FAHR_ALERT_COMMAND": f"{sys.executable} {folder / 'alert.py'} {folder / 'alerts'}",
    }
    airflow = str(environment_bin() / "airflow")
    subprocess.run([airflow, "db", "migrate"], env=environment, check=True, capture_output=True)
    run = subprocess.run(
        [airflow, "dags", "test", "exits", "2026-03-01"], env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == 1, run.stdout[-3000:]
    return [json.loads(line) for line in (folder / "alerts").read_text().splitlines()]
