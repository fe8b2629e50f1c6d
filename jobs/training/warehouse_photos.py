"""Accepted photos of the warehouse with the labels that are known on a night: age at the photo, sex, follow-up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import Connection, Engine, text

from jobs.errors import SettingsError
from jobs.landing import landing_partition
from jobs.merges import kept_persons
from jobs.opt_outs import refusing_persons
from jobs.score import LARGEST_SPLIT_BYTES, TASKS_PER_CORE
from jobs.training.listing import LabelledPhoto, Listing, Refusals
from jobs.training.splits import SplitRecipe
from jobs.warehouse.synthetic import is_synthetic

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

TABLES = ("cdm.person", "cdm.observation_period", "cdm.death")
"""Tables of the hospital that labels come from."""


def warehouse_listing(engine: Engine, *, landing: Path, night: date, recipe: SplitRecipe) -> Listing:
    """Every photo accepted and taken up to `night`, each content once, with its labels.

    Refused: photos of people who opted out by today, under any of their person ids, photos of nobody known, bytes that
    are filed under several people.

    Raises:
        SettingsError: a table that labels come from is missing, or may not be read.
    """
    refused = Refusals()
    photos: list[LabelledPhoto] = []
    landed_by: dict[int, UUID] = {}
    # One snapshot: a night published in between must not give some photos and not their labels.
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        _check_tables(connection)
        connection.execute(text("SET LOCAL enable_nestloop = off; SET LOCAL jit = off"))
        refusing = refusing_persons(connection, night, kept_persons(connection, night))
        for row in connection.execute(_PHOTOS, {"night": night, "refusing": list(refusing)}):
            if row.refused is not None:
                refused.add(row.refused)
                continue
            split, fold = recipe.place(str(row.person_id))
            landed_by[row.photo_id] = row.landing_run_id
            photos.append(
                LabelledPhoto(
                    key=row.photo_id,
                    content_sha256=row.content_sha256,
                    byte_count=row.byte_count or 0,
                    subject=row.person_id,
                    age_years=row.age_years,
                    sex=row.sex,
                    followup_days=row.followup_days,
                    died=row.died,
                    split=split,
                    fold=fold,
                )
            )
        is_demo = is_synthetic(connection)
    read = _LandedPhotos(landing, landed_by, sum(photo.byte_count for photo in photos))
    return Listing(source="warehouse", photos=photos, refused=refused, is_synthetic=is_demo, frame=read)


def _check_tables(connection: Connection) -> None:
    missing = [table for table in TABLES if not connection.execute(_MAY_READ, {"table": table}).scalar()]
    if missing:
        raise SettingsError(
            f"Labels come from tables the warehouse does not have, or the job may not read: {', '.join(missing)}.",
            next_step="Load the hospital's OMOP CDM 5.4 tables into the schema cdm, then run `fahr warehouse migrate`.",
        )


@dataclass(frozen=True)
class _LandedPhotos:
    """Reads the bytes of photos from their landing partitions, as the scoring stage does."""

    landing: Path
    landed_by: Mapping[int, UUID]
    """Pull that landed each photo as it is now: an earlier partition may hold the same photo's earlier bytes."""
    byte_count: int

    def __call__(self, spark: SparkSession, places: Sequence[tuple[int, int]]) -> DataFrame:
        """A frame of (key, shard, content_sha256, content). Only numbers are sent to the workers: bytes stay put."""
        from pyspark.sql import functions as F

        tasks = TASKS_PER_CORE * spark.sparkContext.defaultParallelism
        split = max(2**20, min(LARGEST_SPLIT_BYTES, self.byte_count // tasks))
        spark.conf.set("spark.sql.files.maxPartitionBytes", str(split))
        wanted = spark.createDataFrame(
            [(key, shard, str(self.landed_by[key])) for key, shard in places], "photo_id long, shard int, pull string"
        )
        partitions = sorted({str(landing_partition(self.landing, self.landed_by[key])) for key, _ in places})
        landed = spark.read.option("basePath", str(self.landing)).parquet(*partitions)
        return landed.join(F.broadcast(wanted), ["photo_id", "pull"]).select(
            F.col("photo_id").alias("key"), "shard", "content_sha256", "content"
        )


_MAY_READ = text(
    """
    SELECT EXISTS (
        SELECT FROM pg_class AS relation JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
        WHERE nspname || '.' || relname = :table AND has_schema_privilege(namespace.oid, 'USAGE')
            AND has_table_privilege(relation.oid, 'SELECT')
    )
    """
)

# Follow-up runs from the photo's day to death or to the end of the observation period the day lies in, or to a
# registry's last contact where that is later (or to the night, if that comes first): censoring caps the time and the
# event, as in the cohort cancer_photo. Where it is not known, or ends on the day itself, there is none.
_PHOTOS = text(
    """
    WITH accepted AS (
        SELECT DISTINCT ON (photo.content_sha256)
            photo.photo_id, photo.content_sha256, photo.byte_count, photo.landing_run_id, photo.person_id,
            photo.captured_at::date AS captured_on
        FROM fahr.photo_v1 AS photo
        JOIN fahr.validation_v1 AS decision USING (photo_id, content_sha256)
        WHERE decision.accepted AND decision.decided_on <= :night AND photo.captured_at::date <= :night
            AND photo.landing_run_id IS NOT NULL AND photo.bytes_purged_on IS NULL
        ORDER BY photo.content_sha256, photo.photo_id
    ),
    shared AS (
        SELECT content_sha256 FROM fahr.photo_v1 GROUP BY content_sha256 HAVING count(DISTINCT person_id) > 1
    ),
    opted_out AS (
        SELECT unnest(CAST(:refusing AS bigint[])) AS person_id
    ),
    known AS MATERIALIZED (
        SELECT person_id, died_on, registry_followed_until FROM fahr.follow_up
    ),
    followup AS (
        SELECT
            accepted.photo_id,
            CASE
                WHEN coalesce(max(period.observation_period_end_date), max(known.registry_followed_until)) IS NOT NULL
                THEN least(
                    greatest(max(period.observation_period_end_date), max(known.registry_followed_until)), :night
                )
            END AS ends_on
        FROM accepted
        LEFT JOIN cdm.observation_period AS period
            ON period.person_id = accepted.person_id
            AND accepted.captured_on
                BETWEEN period.observation_period_start_date AND period.observation_period_end_date
        LEFT JOIN known ON known.person_id = accepted.person_id
        GROUP BY accepted.photo_id
    ),
    labelled AS (
        SELECT
            accepted.*,
            CASE sex.member WHEN 'female' THEN 'F' WHEN 'male' THEN 'M' END AS sex,
            CASE
                WHEN opted_out.person_id IS NOT NULL THEN 'opted_out'
                WHEN person.person_id IS NULL THEN 'unknown_patient'
                WHEN shared.content_sha256 IS NOT NULL THEN 'bytes_of_another_patient'
            END AS refused,
            -- least() passes over nulls: without this, somebody never observed would be followed until death.
            CASE WHEN followup.ends_on IS NOT NULL THEN least(followup.ends_on, known.died_on) END
                - accepted.captured_on AS days,
            coalesce(known.died_on <= followup.ends_on, false) AS died
        FROM accepted
        LEFT JOIN cdm.person AS person ON person.person_id = accepted.person_id
        LEFT JOIN fahr.concept_set AS sex ON sex.concept_set = 'sex' AND sex.concept_id = person.gender_concept_id
        LEFT JOIN shared ON shared.content_sha256 = accepted.content_sha256
        LEFT JOIN opted_out ON opted_out.person_id = accepted.person_id
        LEFT JOIN followup ON followup.photo_id = accepted.photo_id
        LEFT JOIN known ON known.person_id = accepted.person_id
    )
    SELECT
        photo_id, content_sha256, byte_count, landing_run_id, person_id, sex, refused,
        fahr.age_at_photo(photo_id) AS age_years,
        CASE WHEN days > 0 THEN days END AS followup_days,
        died AND coalesce(days > 0, false) AS died
    FROM labelled
    ORDER BY content_sha256
    """
)
