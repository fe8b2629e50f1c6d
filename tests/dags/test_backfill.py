"""A backfill of a range of dates runs one night for each of its days, about that day."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

from jobs.airflow_env import DAGS_FOLDER, airflow_environment
from jobs.settings import Settings

# Airflow is heavy and warns when imported, so what is asked of it runs in a process of its own: what
# `airflow backfill create` runs for a range, and the night that each of these runs is about.
ASK = """
import json, sys
from datetime import UTC, datetime
from types import SimpleNamespace
from airflow.dag_processing.dagbag import DagBag
from airflow.models.backfill import _get_info_list
from airflow.serialization.serialized_objects import DagSerialization
from dags.operators import night_of

dag = DagBag(sys.argv[1]).dags["nightly_scoring"]
infos = _get_info_list(
    dag=DagSerialization.from_dict(DagSerialization.to_dict(dag)),
    from_date=datetime(2026, 3, 1, tzinfo=UTC),
    to_date=datetime(2026, 3, 7, 23, 59, tzinfo=UTC),
    reverse=False,
)
runs = [SimpleNamespace(logical_date=info.logical_date, consumed_asset_events=[]) for info in infos]
open(sys.argv[2], "w").write(json.dumps([night_of(run) for run in runs]))
"""


def test_a_backfill_runs_each_night_of_its_range_once(tmp_path: Path):
    answer = tmp_path / "nights.json"
    subprocess.run(
        [sys.executable, "-c", ASK, str(DAGS_FOLDER), str(answer)],
        env=airflow_environment(Settings(home=tmp_path)),
        check=True,
        capture_output=True,
        text=True,
    )
    nights = [date.fromisoformat(night) for night in json.loads(answer.read_text())]
    assert nights == [date(2026, 3, 1) + timedelta(days=number) for number in range(7)]
