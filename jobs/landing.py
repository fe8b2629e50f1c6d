"""The landing zone: photos read once, by Spark's workers, into one immutable Parquet partition a pull.

A partition is written beside its final name and renamed when complete; it counts once the ledger knows its run. What a
killed pull left behind is removed by the next one, which holds the lock.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import reduce
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pyarrow as pa
import pyarrow.dataset as ds
from sqlalchemy import Engine, text

from jobs.merges import kept_persons
from jobs.opt_outs import refusing_persons
from jobs.settings import Settings
from jobs.sources.base import ListedPhoto, PhotoReader, PhotoUnreadable
from jobs.sources.reading import read_ahead
from model.header import read_header
from schemas.landing import LANDING_SCHEMA, LEDGER_COLUMNS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

PHOTOS_PER_TASK = 64
"""Photos one Spark task lands: bounds the size of a Parquet file, and the work lost when a task is retried."""


@dataclass(frozen=True)
class LandingTask:
    """One photo to land, and the number it goes by."""

    photo_id: int
    photo: ListedPhoto


@dataclass(frozen=True)
class Landed:
    """What a pull brought: small facts of landed photos, and of those it could not land, with their `reason_code`."""

    photos: list[dict[str, Any]]
    refused: list[dict[str, Any]]


@dataclass(frozen=True)
class Patients:
    """Record numbers to persons, for photos whose header alone names the patient; who is merged; and who refused."""

    person_by_mrn: Mapping[str, int]
    kept: Mapping[int, int]
    opted_out: frozenset[int]

    def are_one(self, listed: int, told: int | None) -> bool:
        """Whether the person of a listing and that of a header are one patient.

        After a merge many archives change the patient of the study and leave the stored objects as they are.
        """
        return told is not None and self.kept.get(listed, listed) == self.kept.get(told, told)


def landing_partition(landing: Path, run_id: UUID | str) -> Path:
    """Folder of the partition that the pull `run_id` landed."""
    return landing / f"pull={run_id}"


def land(
    *,
    spark: SparkSession,
    tasks: Sequence[LandingTask],
    readers: Mapping[str, PhotoReader],
    engine: Engine,
    settings: Settings,
    night: date,
    run_id: UUID,
) -> Landed:
    """Read the bytes of every task's photo and write the landed ones as the partition of `run_id`.

    Memory is bounded: a worker holds one Arrow batch of at most `settings.pull_batch_bytes` (or one larger photo), and
    a task writes row groups of a few megabytes.

    Raises:
        RuntimeError: Spark ended well but the outcomes do not add up to the tasks.
    """
    draft = settings.landing / f"_pulling-{run_id}"
    patients = _load_patients(engine, night) if any(not reader.knows_patient for reader in readers.values()) else None
    shares = _shares(spark, tasks, readers)
    worker = _LandingWorker(
        readers=dict(readers),
        threads={share.source: share.threads for share in shares if share.source is not None},
        patients=spark.sparkContext.broadcast(patients) if patients else None,
        batch_bytes=settings.pull_batch_bytes,
        limit_bytes=settings.max_photo_bytes,
    )
    outcomes = _task_frame(spark, shares).mapInArrow(worker, _spark_schema())
    # The writer may keep both folders' files open, so that Spark need not sort rows that hold photos.
    spark.conf.set("spark.sql.maxConcurrentOutputFileWriters", "2")
    outcomes.write.partitionBy("outcome").options(**_PARQUET_OF_PHOTOS).parquet(str(draft))
    landed = _read_facts(draft / "outcome=landed", LEDGER_COLUMNS)
    refused = [
        {name: row[name] for name in ("photo_id", "person_id", "captured_at")} | {"reason_code": row["header_problem"]}
        for row in _read_facts(draft / "outcome=refused", ["photo_id", "person_id", "captured_at", "header_problem"])
    ]
    if sorted(task.photo_id for task in tasks) != sorted(row["photo_id"] for row in landed + refused):
        raise RuntimeError("The pull wrote outcomes that do not match its photos.")
    if landed:
        (draft / "outcome=landed").rename(landing_partition(settings.landing, run_id))
    shutil.rmtree(draft)
    return Landed(photos=landed, refused=refused)


_PARQUET_OF_PHOTOS = {
    "parquet.enable.dictionary": "false",
    # Parquet otherwise looks at the size of what it holds after a hundred rows: a gigabyte of photos.
    "parquet.page.size.row.check.min": "1",
    "parquet.page.size.row.check.max": "4",
    "parquet.block.size.row.check.min": "1",
    "parquet.block.size.row.check.max": "4",
}


def _load_patients(engine: Engine, night: date) -> Patients:
    with engine.connect() as connection:
        persons = {
            row.mrn: row.person_id
            for row in connection.execute(text("SELECT mrn, person_id FROM hospital.patient_id_map"))
        }
        kept = kept_persons(connection, night)
        return Patients(person_by_mrn=persons, kept=kept, opted_out=refusing_persons(connection, night, kept))


@dataclass(frozen=True)
class _Share:
    """Tasks that are spread alike: over how many partitions, and how many photos each of these reads at once."""

    source: str | None
    tasks: list[LandingTask]
    partitions: int
    threads: int


def _shares(spark: SparkSession, tasks: Sequence[LandingTask], readers: Mapping[str, PhotoReader]) -> list[_Share]:
    """The tasks of every source whose server bears only so many connections, and those of all others together.

    What the partitions of one source read at once is never more than its reader says.
    """
    cores = spark.sparkContext.defaultParallelism
    shares = []
    for source, reader in readers.items():
        if reader.connections is not None and (own := [task for task in tasks if task.photo.source == source]):
            partitions = min(cores, reader.connections, len(own))
            shares.append(_Share(source, own, partitions, threads=reader.connections // partitions))
    apart = {share.source for share in shares}
    if others := [task for task in tasks if task.photo.source not in apart]:
        # As many partitions as keep every core busy and every file small.
        partitions = max(min(2 * cores, len(others)), -(-len(others) // PHOTOS_PER_TASK))
        shares.append(_Share(None, others, partitions, threads=1))
    return shares


def _task_frame(spark: SparkSession, shares: Sequence[_Share]) -> DataFrame:
    """The tasks as a small frame; a partition holds tasks of one share."""
    frames = [_share_frame(spark, share) for share in shares]
    return reduce(lambda frame, other: frame.union(other), frames)


def _share_frame(spark: SparkSession, share: _Share) -> DataFrame:
    rows = [
        {
            "photo_id": task.photo_id,
            "source": task.photo.source,
            "locator": task.photo.locator,
            "person_id": task.photo.person_id,
            "captured_at": task.photo.captured_at,
            "refused_as": "opted_out" if task.photo.opted_out else task.photo.refused_as,
        }
        for task in share.tasks
    ]
    return spark.createDataFrame(pa.Table.from_pylist(rows, schema=_TASK_SCHEMA)).repartition(share.partitions)


_TASK_SCHEMA = pa.schema(
    [
        pa.field("photo_id", pa.int64(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("locator", pa.string(), nullable=False),
        pa.field("person_id", pa.int64()),
        pa.field("captured_at", pa.timestamp("us")),
        pa.field("refused_as", pa.string()),
    ]
)


def _spark_schema() -> Any:
    from pyspark.sql.pandas.types import from_arrow_schema

    return from_arrow_schema(_OUTCOME_SCHEMA)


_OUTCOME_SCHEMA = LANDING_SCHEMA.append(pa.field("outcome", pa.string(), nullable=False))


@dataclass(frozen=True)
class _LandingWorker:
    """What a Spark worker does with a partition of tasks: read, hash, read the header, hand on in bounded batches."""

    readers: dict[str, PhotoReader]
    threads: dict[str, int]
    patients: Any  # a Spark broadcast of Patients, or None where every listing knows the person
    batch_bytes: int
    limit_bytes: int

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        rows: list[dict[str, Any]] = []
        held = 0
        for row in self._landed(task for batch in batches for task in batch.to_pylist()):
            size = row.get("byte_count") or 0
            if rows and held + size > self.batch_bytes:
                yield pa.RecordBatch.from_pylist(rows, schema=_OUTCOME_SCHEMA)
                rows, held = [], 0
            rows.append(row)
            held += size
        if rows:
            yield pa.RecordBatch.from_pylist(rows, schema=_OUTCOME_SCHEMA)

    def _landed(self, tasks: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """A row for each task; of a source with several connections in the order in which its answers come."""
        for source, own in groupby(tasks, key=itemgetter("source")):
            read = read_ahead(self.readers[source], own, self.limit_bytes, threads=self.threads.get(source, 1))
            for task, content in read:
                yield self._land(task, content)

    def _land(self, task: dict[str, Any], content: bytes | PhotoUnreadable) -> dict[str, Any]:
        identity = {name: task[name] for name in ("photo_id", "source", "person_id", "captured_at")}
        if isinstance(content, PhotoUnreadable):
            return identity | {"outcome": "refused", "header_problem": content.reason_code}
        header = read_header(content)
        if not self.readers[task["source"]].knows_patient:
            patients: Patients = self.patients.value
            identity["person_id"] = patients.person_by_mrn.get(header.dicom_patient_id or "")
            identity["captured_at"] = header.captured_at
            if identity["person_id"] in patients.opted_out:
                return identity | {"outcome": "refused", "header_problem": "opted_out"}
            if task["person_id"] is not None and not patients.are_one(task["person_id"], identity["person_id"]):
                return identity | {"outcome": "refused", "header_problem": "patient_contradicted"}
            if identity["person_id"] is None:
                # Nobody can say whether they refuse: the bytes do not stay. A file that is no photo is told as such.
                return identity | {"outcome": "refused", "header_problem": header.problem or "unknown_patient"}
        return identity | {
            "outcome": "landed",
            "content": content,
            "content_sha256": hashlib.sha256(content).hexdigest(),
            "byte_count": len(content),
            "image_format": header.image_format,
            "width_px": header.width_px,
            "height_px": header.height_px,
            "frame_count": header.frame_count,
            "bits_per_sample": header.bits_per_sample,
            "photometric_interpretation": header.photometric_interpretation,
            "sop_class_uid": header.sop_class_uid,
            "transfer_syntax_uid": header.transfer_syntax_uid,
            "exif_orientation": header.exif_orientation,
            "has_pixel_data": header.has_pixel_data,
            "header_problem": header.problem,
        }


def _read_facts(folder: Path, columns: list[str]) -> list[dict[str, Any]]:
    """The small columns of what Spark wrote, read back: what is recorded is what is on disk."""
    if not folder.is_dir():
        return []
    return ds.dataset(folder, format="parquet").to_table(columns=columns).to_pylist()
