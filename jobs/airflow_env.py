"""The environment of a stage that Airflow starts, and of an Airflow of our own (demo, tests) in a private home."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from pydantic import SecretStr

from jobs.java import java_home
from jobs.settings import Settings
from jobs.spark_conf import environment_bin

DAGS_FOLDER = Path(__file__).resolve().parent.parent / "dags"

SETTINGS_OF_THE_DAGS = (
    "FAHR_ALERT_COMMAND",
    "FAHR_RETRY_SECONDS",
    "FAHR_SCHEDULE",
    "FAHR_TRAINING_OPTIONS",
    "FAHR_TRAINING_SCHEDULE",
)
"""Read by the DAGs alone: where an alert goes, how long a retry waits, when a night and a training start."""


def stage_environment(settings: Settings) -> dict[str, str]:
    """What a stage's process needs beside what it inherits: home, Java, Python, and our programs first on PATH.

    Returns:
        Variables without secrets, to be laid over `os.environ`.
    """
    environment = {
        "FAHR_HOME": str(settings.home),
        "JAVA_HOME": java_home(settings.home),
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
        "PATH": _path_with_our_programs(),
    }
    if settings.spark_master.startswith("local"):
        environment["SPARK_LOCAL_IP"] = "127.0.0.1"
    return environment


def airflow_environment(settings: Settings) -> dict[str, str]:
    """The whole environment for `airflow …` in a private home: SQLite, our DAGs, these settings, and nothing sent out.

    The home is `settings.home`/airflow with mode 0700, because Airflow's own files there are readable by everyone.
    Variables of an Airflow outside are left behind. Run `airflow db migrate` once before anything else.

    Returns:
        A copy of `os.environ` with everything set; it holds the warehouse URL if `settings` does.
    """
    home = settings.home / "airflow"
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    home.chmod(0o700)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW_", "FAHR_"))}
    inherited |= {name: os.environ[name] for name in SETTINGS_OF_THE_DAGS if name in os.environ}
    return {
        "FAHR_RETRY_SECONDS": "5",
        **inherited,
        **_settings_variables(settings),
        **stage_environment(settings),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS_FOLDER),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PARALLELISM": "2",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
        "AIRFLOW__LOGGING__NAMESPACE_LEVELS": "airflow.task.hooks=INFO",  # what the stages print
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "SCARF_ANALYTICS": "false",
        "DO_NOT_TRACK": "1",
        "AIRFLOW_CONN_SPARK_DEFAULT": spark_connection(settings),
    }


def spark_connection(settings: Settings) -> str:
    """Airflow's connection to `settings.spark_master`, drivers running beside the worker, as JSON."""
    return json.dumps({"conn_type": "spark", "host": settings.spark_master, "extra": {"deploy-mode": "client"}})


def _settings_variables(settings: Settings) -> dict[str, str]:
    """The `FAHR_*` variables that `load_settings` would read these very settings from."""
    variables = {}
    for name, value in settings:
        if value is not None:
            text = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
            variables[f"FAHR_{name.upper()}"] = text
    return variables


def _path_with_our_programs() -> str:
    """PATH with this environment's programs first, once."""
    ours = str(environment_bin())
    others = [entry for entry in os.environ.get("PATH", "").split(os.pathsep) if entry and entry != ours]
    return os.pathsep.join([ours, *others])
