"""Validate: every landed photo is accepted or quarantined with a reason, or the night is stopped as a whole.

What is judged are the facts that the pull read from the headers; the photos' bytes are never read here. Great
Expectations judges the data set by the rules of `schemas.landing_rules`; one SQL expression made from the same rules
gives each photo its decision.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from sqlalchemy import Connection, Engine, text

from jobs.errors import DatasetRejected
from jobs.gates import Gate, require
from jobs.landing import landing_partition
from jobs.runs import Run, recorded_run
from jobs.settings import Settings
from jobs.spark import LazySpark
from jobs.twins import KnownPhoto, with_twins
from jobs.usual_volume import fewest_photos
from jobs.warehouse.connection import copy_rows
from schemas.landing_rules import FEWEST_FOR_SHARE, LANDING, LANDING_BEFORE_TWINS, LANDING_SHAPE
from schemas.rules import Number, failed_rules_sql, reason_sql

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_NEXT_STEP = (
    "Nothing of this night was accepted or scored. Look for what changed at the sources; if the night is right as it"
    " is, run it again with other limits (FAHR_MIN_ACCEPTED_SHARE, FAHR_VOLUME_DROP_SHARE)."
)

PENDING_SCHEMA = pa.schema(
    [
        ("photo_id", pa.int64()),
        ("content_sha256", pa.string()),
        ("pull", pa.string()),
        ("person_id", pa.int64()),
        ("known_person_id", pa.int64()),
        ("birth_date", pa.date32()),
    ]
)
"""What the ledger says of a landed photo that has no decision yet: `pull` is the run that landed it."""


@dataclass(frozen=True)
class _Night:
    """What the ledger knows before the night's photos are judged."""

    pending: pa.Table
    known_twins: Sequence[KnownPhoto]
    limits: dict[str, Number]


def validate(*, settings: Settings, engine: Engine, spark: LazySpark, night: date) -> dict[str, int]:
    """Decide on every landed photo, known up to the end of `night`, that has no decision yet.

    Args:
        settings: where the landing zone is, and the limits of the dataset gate.
        engine: the warehouse, as the loader.
        spark: started only when there is something to validate.
        night: the logical date.

    Returns:
        Counts: pending, accepted, quarantined, and one for each reason of a quarantined photo.

    Raises:
        LockHeld: another run works on the night.
        DatasetRejected: the night as a whole is not to be trusted, or brought nothing where something was to be
            expected; no photo got a decision.
    """
    with recorded_run(engine, stage="validate", logical_date=night) as run:
        with engine.connect() as connection:
            fewest = fewest_photos(connection, night, settings.volume_drop_share)
            facts = _facts(connection, settings, night, fewest)
        if facts is None:
            _require_quiet(fewest)
            run.nothing_to_do()
            return {}
        run.counts = {"pending": facts.pending.num_rows}
        gate = Gate(settings, run.run_id)
        landed = _landed(spark.session, settings.landing, facts.pending)
        require(gate.judge_frame(LANDING_SHAPE, landed.drop("pull")), settings, next_step=_NEXT_STEP)
        decided = _decided(landed, facts, night).cache()
        try:
            with _landing_is_readable():
                decided.count()  # reads the landing once, before any rule: what fails here is no rule's fault
            require(gate.judge_frame(LANDING, decided, facts.limits), settings, next_step=_NEXT_STEP)
            decisions = decided.select("photo_id", "content_sha256", "reason_code", "failed_rules").toArrow()
        finally:
            decided.unpersist()
        _record(run, decisions.to_pylist(), night)
    return run.counts


def _require_quiet(fewest: int) -> None:
    """Let a night without photos pass where that is usual: a lost mount or a dead feed looks the same.

    Raises:
        DatasetRejected: photos were to be expected.
    """
    if fewest:
        raise DatasetRejected(
            f"No photo came, and the rule usual_volume asks for at least {fewest}.",
            next_step=(
                "Is the share mounted, does the manifest grow, does the PACS receive? If the night is right as it is"
                " (a holiday), nothing is lost, and the next night goes on; FAHR_VOLUME_DROP_SHARE=0 lets it pass."
            ),
        )


def _facts(connection: Connection, settings: Settings, night: date, fewest: int) -> _Night | None:
    has_persons = connection.execute(text("SELECT to_regclass('cdm.person') IS NOT NULL")).scalar_one()
    pending = connection.execute(_PENDING_WITH_PERSONS if has_persons else _PENDING, {"night": night}).all()
    if not pending:
        return None
    contents = [row.content_sha256 for row in pending]
    return _Night(
        pending=pa.Table.from_pylist([row._asdict() for row in pending], schema=PENDING_SCHEMA),
        known_twins=[tuple(row) for row in connection.execute(_KNOWN_TWINS, {"contents": contents})],
        limits={
            "pending": len(pending),
            "fewest_photos": fewest,
            "fewest_for_share": FEWEST_FOR_SHARE,
            "min_accepted_share": settings.min_accepted_share,
        },
    )


# A photo whose patient is mapped to a person that the warehouse does not have is as unknown as an unmapped one. Where a
# birth day is not recorded, the earliest possible one counts. A warehouse without OMOP tables knows persons by the map.
_PENDING_FROM = """
    FROM fahr.photo_v1 AS photo
    LEFT JOIN fahr.validation_v1 AS decision USING (photo_id, content_sha256)
"""
_PENDING_WHERE = """
    WHERE photo.decision_due AND photo.landing_run_id IS NOT NULL AND decision.photo_id IS NULL
      AND photo.last_tried_on <= :night
    ORDER BY photo_id
"""
_PENDING_COLUMNS = "photo_id, content_sha256, CAST(photo.landing_run_id AS text) AS pull, photo.person_id"
_PENDING = text(
    f"""
    SELECT {_PENDING_COLUMNS}, photo.person_id AS known_person_id, CAST(NULL AS date) AS birth_date
    {_PENDING_FROM} {_PENDING_WHERE}
    """
)
_PENDING_WITH_PERSONS = text(
    f"""
    SELECT {_PENDING_COLUMNS}, person.person_id AS known_person_id,
           fahr.date_of_birth(person.year_of_birth, person.month_of_birth, person.day_of_birth, 1, 1) AS birth_date
    {_PENDING_FROM}
    LEFT JOIN cdm.person AS person ON person.person_id = photo.person_id
    {_PENDING_WHERE}
    """
)
_KNOWN_TWINS = text(
    """
    SELECT photo_id, photo.person_id, content_sha256, decision.accepted
    FROM fahr.validation_v1 AS decision
    JOIN fahr.photo_v1 AS photo USING (photo_id, content_sha256)
    WHERE photo.person_id IS NOT NULL AND content_sha256 = ANY(:contents)
    """
)


def _landed(spark: SparkSession, landing: Path, pending: pa.Table) -> DataFrame:
    """The partitions in which the pending photos were landed, every column, with the partition's run as `pull`."""
    pulls = sorted(set(pending.column("pull").to_pylist()))
    partitions = [str(landing_partition(landing, pull)) for pull in pulls]
    with _landing_is_readable():
        return spark.read.option("basePath", str(landing)).option("mergeSchema", "true").parquet(*partitions)


@contextmanager
def _landing_is_readable() -> Iterator[None]:
    """Tell a landing zone that was removed or damaged from any other failure of Spark.

    Raises:
        DatasetRejected: a partition is gone, no Parquet, or does not fit the others.
    """
    from py4j.protocol import Py4JJavaError
    from pyspark.errors import PySparkException

    try:
        yield
    except (PySparkException, Py4JJavaError) as error:
        condition = _UNREADABLE.search(str(error))
        if condition is None:
            raise
        raise DatasetRejected(
            f"The landing zone cannot be read ({condition[1]}).",
            next_step="A partition was removed or altered after its pull: restore it from a backup.",
        ) from None


_UNREADABLE = re.compile(r"\[(PATH_NOT_FOUND|UNABLE_TO_INFER_SCHEMA|CANNOT_MERGE_SCHEMAS?|FAILED_READ_FILE)\b")


def _decided(landed: DataFrame, facts: _Night, night: date) -> DataFrame:
    """The pending photos as they were landed, with what the rules need besides, and the decision on each."""
    from pyspark.sql import functions as F

    pending = landed.sparkSession.createDataFrame(facts.pending)
    # The person is the ledger's: persons may have been merged since the photo was landed.
    photos = (
        landed.drop("content", "person_id")
        .join(F.broadcast(pending), ["photo_id", "content_sha256", "pull"])
        .withColumn("night", F.lit(night))
        .withColumn("fit", F.expr(f"{reason_sql(LANDING_BEFORE_TWINS.rules)} IS NULL"))
    )
    return (
        with_twins(photos, facts.known_twins)
        .withColumn("failed_rules", F.expr(failed_rules_sql(LANDING.rules)))
        .withColumn("reason_code", F.expr(reason_sql(LANDING.rules)))
        .withColumn("accepted", F.expr("reason_code IS NULL"))
    )


def _record(run: Run, decisions: Sequence[dict[str, Any]], night: date) -> None:
    """Write the decisions, in one transaction.

    Raises:
        RuntimeError: there are not as many decisions as pending photos; nothing is written.
    """
    if len({decision["photo_id"] for decision in decisions}) != run.counts["pending"]:
        raise RuntimeError("The decisions do not match the photos that were to be judged.")
    reasons = Counter(decision["reason_code"] for decision in decisions)
    accepted = reasons.pop(None, 0)
    run.counts |= {"accepted": accepted, "quarantined": reasons.total()} | dict(sorted(reasons.items()))
    rows = (
        (
            decision["photo_id"],
            decision["content_sha256"],
            decision["reason_code"] is None,
            decision["reason_code"],
            decision["failed_rules"],
            night,
            run.run_id,
        )
        for decision in decisions
    )
    columns = ("photo_id", "content_sha256", "accepted", "reason_code", "failed_rules", "decided_on", "run_id")
    with run.publish() as connection:
        copy_rows(connection, "fahr.validation_v1", columns, rows)
        connection.execute(_DECIDED)


_DECIDED = text(
    """
    UPDATE fahr.photo_v1 AS photo SET decision_due = false
    FROM fahr.validation_v1 AS decision
    WHERE photo.decision_due AND photo.landing_run_id IS NOT NULL
      AND (decision.photo_id, decision.content_sha256) = (photo.photo_id, photo.content_sha256)
    """
)
