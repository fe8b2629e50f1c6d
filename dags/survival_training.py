"""
### survival_training: a FaceSurvival of the hospital's own, every quarter or when asked

`data_set` cuts out the aligned faces of all accepted photos with their follow-up (Spark). `fine_tune` trains
FaceSurvival on them, from the encoder of the release that scores now, cross-fits it, and registers the result as a
release of its own, `survival-<night>`. `evaluate` judges it on patients whom no training read. **Nothing scores with
it** until somebody has read the evaluation and says `fahr weights promote survival-<night>`; old scores stay.

It runs by hand (`airflow dags trigger survival_training --logical-date 2026-03-01`) unless `FAHR_TRAINING_SCHEDULE`
holds a cron expression, for example `0 4 1 */3 *`. `FAHR_TRAINING_OPTIONS` holds further options of `fahr train
survival`, for example `--epochs 30 --precision bfloat16`.

A task that was killed goes on from its last checkpoint when it is run again. Exit code 11 means that there are too few
deaths or folds to learn from; a retry would end the same way.
"""

from __future__ import annotations

import os
import shlex
from datetime import UTC, datetime, timedelta

from airflow.sdk import CronDataIntervalTimetable, chain, dag

from dags.operators import DEFAULT_ARGS, NIGHT, FahrCommand, SparkStage, night_of

SCHEDULE = os.environ.get("FAHR_TRAINING_SCHEDULE")
OPTIONS = shlex.split(os.environ.get("FAHR_TRAINING_OPTIONS", ""))
NAME = f"survival-{NIGHT}"


@dag(
    schedule=CronDataIntervalTimetable(SCHEDULE, timezone="UTC") if SCHEDULE else None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    user_defined_macros={"night_of": night_of},
    tags=["fahr", "training"],
    doc_md=__doc__,
)
def survival_training() -> None:
    """One training: data set, fine-tuning with registration, evaluation."""
    chain(
        SparkStage(task_id="data_set", stage="train data-set", execution_timeout=timedelta(hours=12)),
        FahrCommand(
            task_id="fine_tune",
            stage="train survival",
            options=["--name", NAME, "--start-from", "current", *OPTIONS],
            execution_timeout=timedelta(days=3),
        ),
        FahrCommand(
            task_id="evaluate",
            stage="evaluate survival",
            options=["--model", NAME, "--dataset", NAME],
            execution_timeout=timedelta(hours=6),
        ),
    )


survival_training()
