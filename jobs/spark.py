"""The Spark session of a job, started only when something needs it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from jobs.java import java_home
from jobs.settings import Settings
from jobs.spark_conf import environment_bin, submit_conf

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


class LazySpark:
    """A Spark session that starts at the first use and stops with its `with` block: a night without news starts none.

    A process has one session: where another block has started it, this one uses it, and leaves it running.

    Args:
        settings: where Spark runs and how much memory it has.
        name: name of the application, shown by Spark's own pages.
        scores: whether its workers will run the networks.
    """

    def __init__(self, settings: Settings, name: str, *, scores: bool = False) -> None:
        self._settings = settings
        self._name = name
        self._scores = scores
        self._release: Path | None = None
        self._session: SparkSession | None = None
        self._is_ours = False

    def preload(self, release: Path) -> None:
        """Let the workers of a session that scores load the networks of this release when they start.

        Of a session that runs already nothing changes: its workers load a release when they first need it.
        """
        self._release = release

    def __enter__(self) -> LazySpark:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None and self._is_ours:
            self._session.stop()
        self._session = None

    @property
    def is_started(self) -> bool:
        """Whether there is a session already."""
        return self._session is not None

    @property
    def session(self) -> SparkSession:
        """The session, on `settings.spark_master` or on the master that spark-submit named."""
        if self._session is None:
            from pyspark import SparkContext

            self._is_ours = SparkContext._active_spark_context is None
            self._session = _start(self._settings, self._name, self._scores, self._release)
        return self._session


def _start(settings: Settings, name: str, scores: bool, release: Path | None) -> SparkSession:
    os.environ.setdefault("JAVA_HOME", java_home(settings.home))
    # Workers must run this environment's Python, whatever `python3` the PATH holds.
    os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
    os.environ["PATH"] = f"{environment_bin()}{os.pathsep}{os.environ.get('PATH', '')}"
    if settings.spark_master.startswith("local"):
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.appName(f"fahr {name}")
    if "PYSPARK_GATEWAY_PORT" not in os.environ:  # else spark-submit started the JVM and chose the master
        builder = builder.master(settings.spark_master)
    for key, value in submit_conf(settings, scores=scores, release=release).items():
        builder = builder.config(key, value)
    return builder.getOrCreate()
