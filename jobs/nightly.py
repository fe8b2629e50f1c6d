"""The whole night in one process: pull, validate, score, publish, in order."""

from __future__ import annotations

from datetime import date

from sqlalchemy import Engine

from jobs.errors import PartialNight
from jobs.publish import publish
from jobs.pull import pull
from jobs.releases import current_release
from jobs.score import score
from jobs.settings import Settings
from jobs.spark import LazySpark
from jobs.validate import validate


def nightly(*, settings: Settings, engine: Engine, night: date) -> dict[str, dict[str, int]]:
    """Run the four stages of `night`. What the DAG `nightly_scoring` does, without Airflow.

    Returns:
        The counts of each stage by its name; empty counts where a stage had nothing to do.

    Raises:
        PartialNight: after publishing, when a source could not be reached.
        ModelRefused: before anything is pulled, when the night could not be scored anyway.
        FahrError: a stage failed; the stages after it did not run.
    """
    release = current_release(settings, engine)
    # One release for the whole night, whatever is promoted meanwhile.
    settings = settings.model_copy(update={"model": str(release.folder)})
    partial: PartialNight | None = None
    counts: dict[str, dict[str, int]] = {}
    with LazySpark(settings, "nightly", scores=True) as spark:
        spark.preload(release.folder)
        try:
            counts["pull"] = pull(settings=settings, engine=engine, spark=spark, night=night)
        except PartialNight as error:
            partial = error
        counts["validate"] = validate(settings=settings, engine=engine, spark=spark, night=night)
        counts["score"] = score(settings=settings, engine=engine, spark=spark, night=night)
    counts["publish"] = publish(settings=settings, engine=engine, night=night)
    if partial is not None:
        raise partial
    return counts
