"""Spark's Python daemon for scoring: heavy imports and the networks once an executor, shared by its forked workers.

Spark forks its Python workers from this process (`spark.python.daemon.module`), so that what is loaded here is loaded
once and its memory shared, copy on write. CUDA must not be touched before a fork: where there is a GPU, only the
imports are made here and each worker loads the networks onto its own device.
"""

from __future__ import annotations

import gc
from pathlib import Path

from jobs.scoring_worker import photo_scorer
from jobs.settings import load_settings
from model.release import find_release


def preload() -> None:
    """Load what every worker needs. `FAHR_MODEL` is here the folder of the release that the driver chose."""
    settings = load_settings()
    if settings.model is not None and (settings.score_device == "cpu" or not Path("/dev/nvidiactl").exists()):
        release = find_release(settings.model, folders=[settings.models])
        photo_scorer(str(release.folder), "cpu", settings.score_batch_size)


if __name__ == "__main__":
    from pyspark.daemon import manager

    preload()
    gc.freeze()  # a worker collects after each task; without this it would walk all that was loaded here, for 0.2 s
    manager()
