"""A DAG for test_exit_codes.py: one task for each exit code, through the operators that our own DAGs use."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from airflow.sdk import dag

from dags.operators import DEFAULT_ARGS, FahrCommand, SparkStage, night_of

ENDS_WITH_ITS_STAGE = Path(os.environ["SCRIPTS_FOLDER"]) / "end.py"


@dag(
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    default_args={**DEFAULT_ARGS, "retries": 1, "retry_delay": timedelta(seconds=1)},
    user_defined_macros={"night_of": night_of},
)
def exits() -> None:
    for code in os.environ["EXIT_CODES"].split():
        SparkStage(task_id=f"exit_{code}", stage=code).application = str(ENDS_WITH_ITS_STAGE)
    FahrCommand(task_id="no_such_stage", stage="no_such_stage")


exits()
