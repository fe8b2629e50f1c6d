"""Archive: a new model scores, share by share, what other models scored before, while the nights go on.

The archive is what some other release has judged; a night's own photos are what none has. So the two never score the
same photo, and each works under a lock of its own. Every share is a run: staged apart, then published when no night is
at work, else by the night's own publish.
"""

from __future__ import annotations

import logging
from datetime import date

from sqlalchemy import Engine, text

from jobs.errors import LockHeld
from jobs.landing_removal import READERS_LOCK, remove_landed_bytes
from jobs.publish import publish
from jobs.releases import current_release, locate_release, require_scoring
from jobs.runs import advisory_lock, recorded_run, remove_leftovers
from jobs.score import (
    WAITING_PHOTOS,
    make_current,
    pending_photos,
    refuse_other_weights,
    register,
    score_photos,
)
from jobs.settings import Settings
from jobs.spark import LazySpark
from model.release import ModelRelease

log = logging.getLogger("fahr.archive")

NIGHT_LOCK = "night"
"""Held by each stage of a night."""

LARGEST_SHARE = 2_000
"""Photos of one run, ours: what a kill can cost, and how long published scores may wait."""


def archive(
    *,
    settings: Settings,
    engine: Engine,
    spark: LazySpark,
    night: date,
    photos: int | None = None,
    model: str | None = None,
) -> dict[str, int]:
    """Score up to so many photos of the archive, the ones taken last first.

    Args:
        settings: where things are; `archive_photos` bounds a night's share.
        engine: the warehouse, as the loader.
        spark: started only when there is something to score.
        night: the logical date.
        photos: at most so many; by default `settings.archive_photos`.
        model: a release that is not to be the current one yet; by default the one that is to score.

    Returns:
        Counts, summed over the shares: pending, scored, rejected, failed; empty where the archive is done.

    Raises:
        LockHeld: another run scores the archive.
        ModelRefused: the release is missing, altered, does not fit, or has no FaceAge network.
    """
    release = current_release(settings, engine) if model is None else locate_release(settings, model)
    require_scoring(release)
    left = settings.archive_photos if photos is None else photos
    total: dict[str, int] = {}
    # What an earlier share staged has to be published first, or it would be scored twice.
    while left > 0 and not _is_done(engine, release) and _publish(settings, engine, night):
        share = min(left, LARGEST_SHARE)
        counts = _score_share(settings, engine, spark, release, night, share, becomes_current=model is None)
        for name, count in counts.items():
            total[name] = total.get(name, 0) + count
        # Transient failures would come again and again: they are for another night.
        if counts.get("pending", 0) < share or counts.get("failed"):
            break
        left -= share
    if total:
        _publish(settings, engine, night)
    _remove_landed_bytes(settings, engine)
    return total


def _score_share(
    settings: Settings,
    engine: Engine,
    spark: LazySpark,
    release: ModelRelease,
    night: date,
    photos: int,
    *,
    becomes_current: bool,
) -> dict[str, int]:
    run_of_archive = recorded_run(
        engine, stage="archive", logical_date=night, lock=READERS_LOCK, model_id=release.model_id
    )
    with run_of_archive as run:
        remove_leftovers(engine, settings.staged_archive, stage="archive", prefix="run")
        with engine.connect() as connection:
            refuse_other_weights(connection, release)
            pending = pending_photos(connection, _PENDING, release, night=night, photos=photos)
        if not pending:
            if becomes_current:
                _remember_done(engine, release)
            run.nothing_to_do()
            return {}
        spark.preload(release.folder)
        folder = settings.staged_archive / f"run={run.run_id}"
        run.counts = score_photos(pending, settings=settings, spark=spark, release=release, folder=folder)
        with run.publish() as connection:
            register(connection, run, release)
            if becomes_current:
                make_current(connection, release)
    return run.counts


_ARCHIVE = WAITING_PHOTOS.format(
    which="""
        NOT decision.score_due
        AND (failure.content_sha256 IS NULL OR failure.last_failed_on < :night OR failure.try_again)
    """
)
_PENDING = f"""
    SELECT archived.photo_id, archived.content_sha256, archived.landing_run_id
    FROM ({_ARCHIVE}) AS archived JOIN fahr.photo_v1 AS photo USING (photo_id)
    ORDER BY photo.captured_at DESC, photo_id DESC
    LIMIT :photos
"""


def _publish(settings: Settings, engine: Engine, night: date) -> bool:
    """Publish what was staged of the archive; False where a night is at work, which does it in our place."""
    if not settings.staged_archive.is_dir() or not any(settings.staged_archive.iterdir()):
        return True
    try:
        publish(settings=settings, engine=engine, night=night)
    except LockHeld:
        log.info("A night is at work: it publishes this share of the archive.")
        return False
    return True


def _remove_landed_bytes(settings: Settings, engine: Engine) -> None:
    """Remove what a night could not while the archive was being scored, when none is at work: it reads those files."""
    try:
        with advisory_lock(engine, NIGHT_LOCK):
            remove_landed_bytes(engine, settings)
    except LockHeld:
        log.info("A night is at work: landed bytes that are to go are removed by the next one.")


def _is_done(engine: Engine, release: ModelRelease) -> bool:
    with engine.connect() as connection:
        return bool(connection.execute(_DONE, _key(release)).scalar())


_DONE = text(
    "SELECT archive_scored FROM fahr.model_version_v1"
    " WHERE (model_id, preprocessing_id) = (:model_id, :preprocessing_id)"
)


def _remember_done(engine: Engine, release: ModelRelease) -> None:
    """Remember that the current release has nothing left to score, so that later nights need not look."""
    with engine.begin() as connection:
        connection.execute(_REMEMBER_DONE, _key(release))


_REMEMBER_DONE = text(
    "UPDATE fahr.model_version_v1 SET archive_scored = true"
    " WHERE (model_id, preprocessing_id) = (:model_id, :preprocessing_id) AND is_current AND NOT archive_scored"
)


def _key(release: ModelRelease) -> dict[str, str]:
    return {"model_id": release.model_id, "preprocessing_id": release.preprocessing_id}
