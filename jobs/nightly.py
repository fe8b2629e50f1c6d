"""The whole night in one process: pull, validate, score, publish, in order; then a share of the archive."""

from __future__ import annotations

import logging
from datetime import date

from sqlalchemy import Engine

from jobs.archive import archive
from jobs.errors import LockHeld, PartialNight
from jobs.publish import publish
from jobs.pull import pull
from jobs.releases import current_release
from jobs.retry import mark_for_retry
from jobs.score import score
from jobs.settings import Settings
from jobs.spark import LazySpark
from jobs.validate import validate

log = logging.getLogger("fahr.nightly")


def nightly(*, settings: Settings, engine: Engine, night: date, retry: str | None = None) -> dict[str, dict[str, int]]:
    """Run the four stages of `night`. What the DAG `nightly_scoring` does, without Airflow.

    Args:
        settings: of the process.
        engine: the warehouse, as the loader.
        night: the logical date.
        retry: a reason code; every photo that coverage shows with it is tried again first.

    Returns:
        The counts of each stage by its name; empty counts where a stage had nothing to do.

    Raises:
        PartialNight: after publishing, when a source could not be reached.
        UsageError: before anything is done, when `retry` is no reason that can be retried.
        ModelRefused: before anything is pulled, when the night could not be scored anyway.
        FahrError: a stage failed; the stages after it did not run.
    """
    release = current_release(settings, engine)
    # One release for the whole night, whatever is promoted meanwhile.
    settings = settings.model_copy(update={"model": str(release.folder)})
    with LazySpark(settings, "nightly", scores=True) as spark:
        spark.preload(release.folder)
        return run_stages(settings=settings, engine=engine, spark=spark, night=night, retry=retry)


def run_stages(
    *, settings: Settings, engine: Engine, spark: LazySpark, night: date, retry: str | None = None
) -> dict[str, dict[str, int]]:
    """The stages of `nightly`, on a Spark that is there already.

    Raises:
        PartialNight: after publishing, when a source could not be reached.
        UsageError: before anything is done, when `retry` is no reason that can be retried.
        FahrError: a stage failed; the stages after it did not run.
    """
    partial: PartialNight | None = None
    counts: dict[str, dict[str, int]] = {}
    if retry is not None:
        counts["retry"] = {"photos": mark_for_retry(engine, retry)}
    try:
        counts["pull"] = pull(settings=settings, engine=engine, spark=spark, night=night)
    except PartialNight as error:
        partial = error
    counts["validate"] = validate(settings=settings, engine=engine, spark=spark, night=night)
    counts["score"] = score(settings=settings, engine=engine, spark=spark, night=night)
    counts["publish"] = publish(settings=settings, engine=engine, night=night)
    try:
        counts["archive"] = archive(settings=settings, engine=engine, spark=spark, night=night)
    except LockHeld:
        log.info("The archive is being scored by another run.")
    if partial is not None:
        raise partial
    return counts
