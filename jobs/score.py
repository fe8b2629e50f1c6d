"""Score: accepted photos through the networks, on Spark, into staged Parquet that publish will check and merge.

The night's own photos are those that no model has judged yet. What another model judged before is the archive, which a
new model works off in bounded shares (`jobs.archive`), so that a night's photos never wait for it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import pyarrow.dataset as ds
from sqlalchemy import Connection, Engine, text

from jobs.errors import ModelRefused
from jobs.landing import landing_partition
from jobs.releases import current_release, retire_others
from jobs.runs import Run, code_version, recorded_run, remove_leftovers
from jobs.scoring_worker import STAGED_SCHEMA, ScoringWorker
from jobs.settings import Settings
from jobs.spark import LazySpark
from model.release import ModelRelease
from schemas.reasons import REASONS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

log = logging.getLogger("fahr.score")

SMALLEST_SPLIT_BYTES, LARGEST_SPLIT_BYTES = 2 * 2**20, 64 * 2**20
TASKS_PER_CORE = 8
"""Enough tasks that no core waits long for the last one; few enough that their start costs nothing."""


@dataclass(frozen=True)
class PendingPhoto:
    """The bytes of one accepted photo that the current model has not scored."""

    photo_id: int
    content_sha256: str
    landing_run_id: UUID


def score(*, settings: Settings, engine: Engine, spark: LazySpark, night: date) -> dict[str, int]:
    """Score every accepted photo, known up to `night`, that no model has judged yet, or that may be tried again.

    Equal bytes are scored once. Staged rows wait for `jobs.publish`; nothing an analyst sees changes here but the
    list of models.

    Returns:
        Counts: pending, scored, rejected (a permanent reason), failed (a transient one; tried again on later nights);
        current_again, where nothing was pending but another release's scores had been the current ones.

    Raises:
        LockHeld: another run works on the night.
        ModelRefused: the model release is missing, altered, does not fit, or has no FaceAge network.
    """
    release = current_release(settings, engine)
    with recorded_run(engine, stage="score", logical_date=night, model_id=release.model_id) as run:
        remove_leftovers(engine, settings.staged, stage="score", prefix="run")
        with engine.connect() as connection:
            refuse_other_weights(connection, release)
            pending = pending_photos(connection, _PENDING, release, night=night)
            retired = _is_retired(connection, release)
        if not pending and not retired:
            run.nothing_to_do()
            return {}
        if not pending:  # it scored everything before another release took over: its scores are the current ones again
            run.counts = {"current_again": 1}
        else:
            spark.preload(release.folder)
            folder = settings.staged / f"run={run.run_id}"
            run.counts = score_photos(pending, settings=settings, spark=spark, release=release, folder=folder)
        with run.publish() as connection:
            register(connection, run, release)
            make_current(connection, release)
    return run.counts


def score_photos(
    pending: Sequence[PendingPhoto], *, settings: Settings, spark: LazySpark, release: ModelRelease, folder: Path
) -> dict[str, int]:
    """Stage a score or a reason for each of these photos in `folder`, and count them there.

    Raises:
        RuntimeError: Spark ended well but a photo is missing from what it wrote, or stands there twice.
    """
    frame = _landed_bytes(spark.session, settings.landing, pending)
    stage_scores(frame, settings=settings, release=release, folder=folder)
    return _counts(folder, pending)


def refuse_other_weights(connection: Connection, release: ModelRelease) -> None:
    """One name stands for one set of weights: scores under it must stay comparable.

    Raises:
        ModelRefused: photos were scored under this name with other weights.
    """
    registered = connection.execute(
        text("SELECT weights_sha256 FROM fahr.model_version_v1 WHERE model_id = :model_id LIMIT 1"),
        {"model_id": release.model_id},
    ).scalar()
    if registered not in (None, release.weights_sha256):
        raise ModelRefused(
            f"The model {release.model_id} scored here before with other weights.",
            next_step="Give the new release a name of its own (model_id in its manifest), or restore the old weights.",
        )


def _is_retired(connection: Connection, release: ModelRelease) -> bool:
    """Whether the release scored here before, and another one is current now."""
    key = {"model_id": release.model_id, "preprocessing_id": release.preprocessing_id}
    return bool(connection.execute(_RETIRED, key).scalar_one())


_RETIRED = text(
    "SELECT EXISTS (SELECT FROM fahr.model_version_v1"
    " WHERE (model_id, preprocessing_id) = (:model_id, :preprocessing_id) AND NOT is_current)"
)


def stage_scores(frame: DataFrame, *, settings: Settings, release: ModelRelease, folder: Path) -> None:
    """Run the networks over `frame` (content_sha256 string, content binary) and write a row a photo to `folder`."""
    from pyspark.sql.pandas.types import from_arrow_schema

    worker = ScoringWorker(
        release_folder=str(release.folder),
        device=settings.score_device,
        batch_size=settings.score_batch_size,
        code_version=code_version(),
    )
    frame.mapInArrow(worker, from_arrow_schema(STAGED_SCHEMA)).write.parquet(str(folder))


WAITING_PHOTOS = """
    SELECT DISTINCT ON (photo.content_sha256)
           photo.photo_id, photo.content_sha256, photo.landing_run_id
    FROM fahr.validation_v1 AS decision
    JOIN fahr.photo_v1 AS photo USING (photo_id, content_sha256)
    LEFT JOIN fahr.face_score_v1 AS score
           ON score.content_sha256 = photo.content_sha256
          AND score.model_id = :model_id AND score.preprocessing_id = :preprocessing_id
    LEFT JOIN fahr.score_failure_v1 AS failure
           ON failure.content_sha256 = photo.content_sha256
          AND failure.model_id = :model_id AND failure.preprocessing_id = :preprocessing_id
    LEFT JOIN fahr.reason_code_v1 AS reason ON reason.reason_code = failure.reason_code
    WHERE decision.accepted AND decision.decided_on <= :night
      AND score.content_sha256 IS NULL
      AND (failure.content_sha256 IS NULL OR NOT reason.permanent OR failure.try_again)
      AND photo.landing_run_id IS NOT NULL AND photo.bytes_purged_on IS NULL
      AND ({which})
    ORDER BY photo.content_sha256, photo.photo_id
"""
"""Accepted photos whose bytes are there and that a model has not judged; `which` chooses among them."""

# Each way in has an index of its own, so that a night without news does not look at the whole ledger.
_TO_TRY_AGAIN = """
    SELECT content_sha256 FROM fahr.score_failure_v1
    WHERE try_again AND (model_id, preprocessing_id) = (:model_id, :preprocessing_id)
"""
_PENDING = f"""
    WITH due AS MATERIALIZED (
        SELECT photo_id FROM fahr.validation_v1 WHERE accepted AND score_due
        UNION
        SELECT photo_id FROM fahr.photo_v1 WHERE content_sha256 IN ({_TO_TRY_AGAIN})
    )
    {WAITING_PHOTOS.format(which="photo_id IN (SELECT photo_id FROM due)")}
"""


def pending_photos(
    connection: Connection, query: str, release: ModelRelease, **parameters: object
) -> list[PendingPhoto]:
    """The photos that a query made of `WAITING_PHOTOS` finds for a release."""
    key = {"model_id": release.model_id, "preprocessing_id": release.preprocessing_id}
    return [PendingPhoto(*row) for row in connection.execute(text(query), key | parameters)]


def _landed_bytes(spark: SparkSession, landing: Path, pending: Sequence[PendingPhoto]) -> DataFrame:
    """The bytes of the pending photos, read from their partitions where they lie, in splits that suit the cores.

    A partition is read whole, however few of its photos are pending, so it is its size that is shared out.
    """
    from pyspark.sql import functions as F

    partitions = sorted({landing_partition(landing, photo.landing_run_id) for photo in pending})
    size = sum(file.stat().st_size for partition in partitions for file in partition.glob("*.parquet"))
    share = size // (TASKS_PER_CORE * spark.sparkContext.defaultParallelism)
    split = max(SMALLEST_SPLIT_BYTES, min(LARGEST_SPLIT_BYTES, share))
    spark.conf.set("spark.sql.files.maxPartitionBytes", str(split))
    # A photo that was landed twice lies in two partitions, both of which may be read: only its last landing counts.
    wanted = spark.createDataFrame(
        [(photo.photo_id, str(photo.landing_run_id)) for photo in pending], "photo_id long, pull string"
    )
    landed = spark.read.option("basePath", str(landing)).parquet(*map(str, partitions))
    landed = landed.withColumn("pull", F.col("pull").cast("string"))
    return landed.join(F.broadcast(wanted), ["photo_id", "pull"], "left_semi").select("content_sha256", "content")


def _counts(folder: Path, pending: Sequence[PendingPhoto]) -> dict[str, int]:
    """Count what is staged, by reading it back.

    Raises:
        RuntimeError: Spark ended well but a photo is missing from what it wrote, or stands there twice.
    """
    staged = ds.dataset(folder, format="parquet").to_table(columns=["content_sha256", "reason_code"]).to_pylist()
    if sorted(row["content_sha256"] for row in staged) != sorted(photo.content_sha256 for photo in pending):
        raise RuntimeError("The staged scores do not match the photos that were to be scored.")
    transient = {reason.code for reason in REASONS if not reason.permanent}
    scored = sum(row["reason_code"] is None for row in staged)
    failed = sum(row["reason_code"] in transient for row in staged)
    return {
        "pending": len(pending),
        "scored": scored,
        "rejected": len(pending) - scored - failed,
        "failed": failed,
    }


def register(connection: Connection, run: Run, release: ModelRelease) -> None:
    """Record a release that scored here; nothing changes where it is known."""
    model = {
        "model_id": release.model_id,
        "preprocessing_id": release.preprocessing_id,
        "weights_sha256": release.weights_sha256,
        "age": release.networks["age"].sha256 if "age" in release.networks else None,
        "survival": release.networks["survival"].sha256 if "survival" in release.networks else None,
        "synthetic": release.trained_on_synthetic,
        "training_data": release.training_data,
        "licence": release.licence,
        "intended_use": release.intended_use,
        "metrics": release.metrics_json,
        "night": run.logical_date,
        "run_id": run.run_id,
    }
    connection.execute(_REGISTER, model)


def make_current(connection: Connection, release: ModelRelease) -> None:
    """Let the scores of a registered release be the current ones."""
    retire_others(connection, release)
    connection.execute(_MAKE_CURRENT, {"model_id": release.model_id, "preprocessing_id": release.preprocessing_id})


_REGISTER = text(
    """
    INSERT INTO fahr.model_version_v1
           (model_id, preprocessing_id, weights_sha256, age_weights_sha256, survival_weights_sha256,
            trained_on_synthetic, training_data, licence, intended_use, metrics, registered_on, is_current, run_id)
    VALUES (:model_id, :preprocessing_id, :weights_sha256, :age, :survival, :synthetic, :training_data, :licence,
            :intended_use, CAST(:metrics AS jsonb), :night, false, :run_id)
    ON CONFLICT (model_id, preprocessing_id) DO NOTHING
    """
)

_MAKE_CURRENT = text(
    "UPDATE fahr.model_version_v1 SET is_current = true"
    " WHERE (model_id, preprocessing_id) = (:model_id, :preprocessing_id) AND NOT is_current"
)
