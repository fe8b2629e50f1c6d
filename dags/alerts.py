"""Alerts: tell the hospital that a task failed for good, or that a night was partial. Ids only, never a text."""

from __future__ import annotations

import json
import logging
import os
import shlex
import subprocess

from airflow.sdk import Context

ALERT_COMMAND = "FAHR_ALERT_COMMAND"
ALERT_SECONDS = 30

log = logging.getLogger("fahr.alerts")


def alert_on_failure(context: Context) -> None:
    """Airflow's `on_failure_callback` of every task: called once, when no retry is left."""
    error = context.get("exception")
    send_alert("failed", context, exit_code=getattr(error, "exit_code", None))


def send_alert(event: str, context: Context, *, exit_code: int | None) -> None:
    """Give one JSON object to the standard input of the command that `FAHR_ALERT_COMMAND` names; unset: do nothing.

    The object holds `event` ("failed" or "partial"), `dag`, `task`, `run`, `try` and `exit_code` (null where the task
    ended without one: a time limit, a lost worker). A command that fails is logged and changes nothing else: the
    task's own outcome must stand.
    """
    command = os.environ.get(ALERT_COMMAND)
    if not command:
        return
    task = context["ti"]
    alert = {
        "event": event,
        "dag": task.dag_id,
        "task": task.task_id,
        "run": task.run_id,
        "try": task.try_number,
        "exit_code": exit_code,
    }
    try:
        subprocess.run(
            shlex.split(command),
            input=json.dumps(alert).encode(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=ALERT_SECONDS,
            check=True,
        )
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        log.error("The alert command of %s failed with %s.", ALERT_COMMAND, type(error).__name__)
