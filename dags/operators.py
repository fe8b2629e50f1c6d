"""What the DAGs share: the two operators, how an exit code ends a task, the asset, and which night a run is about."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.providers.standard.hooks.subprocess import SubprocessHook
from airflow.sdk import Asset, BaseOperator, Context
from airflow.sdk.exceptions import AirflowException, AirflowFailException

import jobs
from dags.alerts import alert_on_failure, send_alert
from jobs.airflow_env import stage_environment
from jobs.settings import load_settings
from jobs.spark_conf import environment_bin, submit_conf

FACE_SCORE = Asset(name="fahr.face_score", uri="x-fahr://warehouse/fahr/face_score")
"""The published scores; its events carry the night in `extra`."""

SUBMIT_SCRIPT = Path(jobs.__file__).with_name("submit.py")

PARTIAL = 14
NEVER_RETRIED = frozenset({2, 11, 12})
"""Usage, bad input, refused model: the same command would end the same way until a person acts."""

NIGHT = "{{ night_of(dag_run) }}"
"""Template of a run's night; its DAG has `night_of` among its `user_defined_macros`."""

RETRY_DELAY = timedelta(seconds=int(os.environ.get("FAHR_RETRY_SECONDS", "300")))
"""Wait before the first retry; it doubles with each."""

DEFAULT_ARGS: dict[str, Any] = {
    "owner": "fahr",
    "retries": 3,
    "retry_delay": RETRY_DELAY,
    "retry_exponential_backoff": 2.0,
    "on_failure_callback": alert_on_failure,
}


class StageFailed(AirflowException):
    """A stage ended with an exit code that a retry may cure."""

    def __init__(self, stage: str, exit_code: int | None) -> None:
        super().__init__(f"fahr {stage} ended with exit code {exit_code}. See docs/operations.md, Exit codes.")
        self.exit_code = exit_code


class StageRefused(AirflowFailException):
    """A stage ended with an exit code that a retry cannot cure."""

    def __init__(self, stage: str, exit_code: int | None) -> None:
        super().__init__(
            f"fahr {stage} ended with exit code {exit_code}; a retry would end the same way."
            " See docs/operations.md, Exit codes."
        )
        self.exit_code = exit_code


def night_of(dag_run: Any) -> str:
    """The night a run is about, YYYY-MM-DD: its logical date, or the latest night its asset events tell of.

    Raises:
        AirflowFailException: the run has neither (triggered by hand without a date).
    """
    if dag_run.logical_date is not None:
        return dag_run.logical_date.date().isoformat()
    nights = [event.extra["night"] for event in dag_run.consumed_asset_events if event.extra.get("night")]
    if not nights:
        raise AirflowFailException("This run has no night: trigger it with a logical date.")
    return date.fromisoformat(max(nights)).isoformat()


class SparkStage(SparkSubmitOperator):
    """`fahr <stage> --date <night> <options>` through spark-submit, on the master that the connection names."""

    def __init__(self, *, stage: str, night: str = NIGHT, options: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(
            application=str(SUBMIT_SCRIPT),
            application_args=[*stage.split(), "--date", night, *options],
            name=f"fahr {stage}",
            **kwargs,
        )
        self.stage = stage

    def execute(self, context: Context) -> None:
        """Submit the stage and judge its exit code."""
        settings = load_settings()
        self.conf = submit_conf(settings, scores=self.stage == "score")
        # Not `env_vars`: the hook would send this machine's JAVA_HOME and PATH to the machines of a cluster.
        os.environ.update(stage_environment(settings))
        try:
            super().execute(context)
        except AirflowException as error:
            code = re.search(r"Error code is: (-?\d+)", str(error))
            # The hook's own message holds the whole command line; ours holds the code.
            _end(self, int(code.group(1)) if code else None, context)


class FahrCommand(BaseOperator):
    """`fahr <stage> --date <night> <options>` as a process beside the worker: a stage that needs no Spark."""

    template_fields = ("night", "options")

    def __init__(self, *, stage: str, night: str = NIGHT, options: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.stage = stage
        self.night = night
        self.options = list(options)
        self._process = SubprocessHook()

    def execute(self, context: Context) -> None:
        """Run the command, judge its exit code, and put the night on the events of the outlets."""
        settings = load_settings()
        command = [str(environment_bin() / "fahr"), *self.stage.split(), "--date", self.night, *self.options]
        result = self._process.run_command(command, env={**os.environ, **stage_environment(settings)})
        if result.exit_code:
            _end(self, result.exit_code, context)
        for outlet in self.outlets:
            context["outlet_events"][outlet].extra["night"] = self.night

    def on_kill(self) -> None:
        """Stop the command and whatever it started."""
        self._process.send_sigterm()


def _end(operator: SparkStage | FahrCommand, exit_code: int | None, context: Context) -> None:
    """End the task of a stage that did not exit with 0: a partial night succeeds with an alert, the rest fails."""
    if exit_code == PARTIAL:
        operator.log.warning("The night is partial: some sources could not be reached.")
        send_alert("partial", context, exit_code=exit_code)
        return
    failure = StageRefused if exit_code in NEVER_RETRIED else StageFailed
    raise failure(operator.stage, exit_code) from None
