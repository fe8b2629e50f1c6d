"""A progress bar for work that Spark does: tasks done of tasks known, at a terminal; elsewhere nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tqdm import tqdm

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SECONDS_BETWEEN_LOOKS = 1.0


@contextmanager
def spark_progress(session: SparkSession, caption: str) -> Iterator[None]:
    """Show how many tasks of the active stages are done while the body runs."""
    with tqdm(desc=caption, unit="task", disable=None) as bar:
        if bar.disable:
            yield
            return
        ended = threading.Event()
        watcher = threading.Thread(target=_watch, args=(session, bar, ended), daemon=True, name="progress")
        watcher.start()
        try:
            yield
        finally:
            ended.set()
            watcher.join()


def _watch(session: SparkSession, bar: tqdm[None], ended: threading.Event) -> None:
    tracker = session.sparkContext.statusTracker()
    while not ended.wait(SECONDS_BETWEEN_LOOKS):
        stages = [tracker.getStageInfo(stage) for stage in tracker.getActiveStageIds()]
        bar.total = sum(stage.numTasks for stage in stages if stage is not None)
        bar.n = sum(stage.numCompletedTasks for stage in stages if stage is not None)
        bar.refresh()
