"""
### nightly_scoring: last night's photos into the warehouse

`pull` → `validate` → `score` → `publish` → `archive`, once a day, for the night that the logical date names (everything
known up to the end of that day). All but `publish` are Spark applications; `publish` is one warehouse transaction, and
emits the asset `fahr.face_score`, on which `risk_tables` runs. `archive` then lets a new model score a share of what
other models scored before (`FAHR_ARCHIVE_PHOTOS`) and publishes it; with no new model it has nothing to do.

Every task can be killed at any instant and run again: the warehouse then holds what one clean run would have written.
A skipped night needs no backfill, because the next one picks up whatever is new. Where each night is wanted for itself:
`airflow backfill create --dag-id nightly_scoring --from-date 2026-03-01 --to-date 2026-03-07 --max-active-runs 1`.
Nights may be run in any order and again: each looks at what was known up to its end, and none turns back a later one.

**When a task fails** read its exit code and act as docs/operations.md says: 2, 11 and 12 are never retried, because
only a person can cure them; others are retried three times. Exit code 14 (some source unreachable) succeeds, with an
alert.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

from airflow.sdk import CronDataIntervalTimetable, chain, dag

from dags.operators import DEFAULT_ARGS, FACE_SCORE, FahrCommand, SparkStage, night_of

SCHEDULE = os.environ.get("FAHR_SCHEDULE", "30 2 * * *")
"""Cron, UTC. A run starts after its day is over: at 02:30 for the day before."""


@dag(
    schedule=CronDataIntervalTimetable(SCHEDULE, timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    user_defined_macros={"night_of": night_of},
    tags=["fahr", "scoring"],
    doc_md=__doc__,
)
def nightly_scoring() -> None:
    """One night: pull, validate, score, publish; then a share of the archive."""
    chain(
        SparkStage(task_id="pull", stage="pull", execution_timeout=timedelta(hours=6)),
        SparkStage(task_id="validate", stage="validate", execution_timeout=timedelta(hours=2)),
        SparkStage(task_id="score", stage="score", execution_timeout=timedelta(hours=10)),
        FahrCommand(task_id="publish", stage="publish", outlets=[FACE_SCORE], execution_timeout=timedelta(hours=1)),
        SparkStage(task_id="archive", stage="score", options=["--archive"], execution_timeout=timedelta(hours=10)),
    )


nightly_scoring()
