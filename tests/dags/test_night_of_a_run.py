"""Which night a run is about, and that a broken alert command changes nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from jobs.airflow_env import airflow_environment
from jobs.settings import Settings

# Airflow is heavy and warns when imported, so what is asked of it runs in a process of its own.
ASK = """
import json, sys
from datetime import UTC, datetime
from types import SimpleNamespace
from airflow.sdk.exceptions import AirflowFailException
from dags.alerts import send_alert
from dags.operators import night_of

def run(logical_date, *nights):
    events = [SimpleNamespace(extra={"night": night} if night else {}) for night in nights]
    try:
        return night_of(SimpleNamespace(logical_date=logical_date, consumed_asset_events=events))
    except AirflowFailException:
        return "refused"

task = SimpleNamespace(dag_id="d", task_id="t", run_id="r", try_number=1)
send_alert("failed", {"ti": task}, exit_code=11)
answers = {
    "dated": run(datetime(2026, 3, 1, 2, 30, tzinfo=UTC), "2026-02-01"),
    "by asset": run(None, "2026-02-27", "2026-02-28", None),
    "by hand without a date": run(None),
}
open(sys.argv[1], "w").write(json.dumps(answers))
"""


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], str]:
    """The answers, and what the process printed; its alert command does not exist."""
    home: Path = tmp_path_factory.mktemp("night")
    answer = home / "answer.json"
    process = subprocess.run(
        [sys.executable, "-c", ASK, str(answer)],
        env={**airflow_environment(Settings(home=home)), "FAHR_ALERT_COMMAND": "/no/such/command --loudly"},
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(answer.read_text()), process.stdout + process.stderr


def test_a_run_is_about_its_logical_date_or_the_latest_night_of_its_asset_events(asked: tuple[dict[str, str], str]):
    assert asked[0] == {"dated": "2026-03-01", "by asset": "2026-02-28", "by hand without a date": "refused"}


def test_an_alert_command_that_cannot_run_is_logged_without_its_words(asked: tuple[dict[str, str], str]):
    assert "FAHR_ALERT_COMMAND" in asked[1]
    assert "--loudly" not in asked[1]
