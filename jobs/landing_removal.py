"""Removing bytes from the landing zone, whose partitions are otherwise never written again.

What is to go stands in `fahr.landing_removal_v1`, written in the transaction that decided on it. Each Parquet file that
holds such a photo is written anew beside itself and put in its place in one step, so that at any instant a partition
has either the old file or the new one. A kill leaves the note, and the next night goes on.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from sqlalchemy import Engine, text

from jobs.errors import LockHeld
from jobs.landing import landing_partition
from jobs.runs import advisory_lock
from jobs.settings import Settings

log = logging.getLogger("fahr.landing")

READERS_LOCK = "archive"
"""Held by whoever reads the landing zone beside a night: files are not replaced under its eyes."""

PHOTOS_AT_ONCE = 8
"""Photos held in memory, and the photos of a row group of the new file."""


def remove_landed_bytes(engine: Engine, settings: Settings) -> int:
    """Remove all landed bytes that are noted for removal, and the notes; returns how many photos' bytes went.

    While the archive is being scored nothing is done: whoever scores it does it afterwards, or the next night does.
    """
    with engine.connect() as connection:
        pulls = connection.execute(text("SELECT DISTINCT landing_run_id FROM fahr.landing_removal_v1")).scalars().all()
    if not pulls:
        return 0
    try:
        with advisory_lock(engine, READERS_LOCK):
            return sum(_remove_of_pull(engine, settings, pull) for pull in pulls)
    except LockHeld:
        log.info("The archive is being scored: bytes of %s pulls are removed afterwards.", len(pulls))
        return 0


def _remove_of_pull(engine: Engine, settings: Settings, pull: UUID) -> int:
    with engine.connect() as connection:
        noted = connection.execute(_NOTED, {"pull": pull}).all()
    rewrite_partition(
        landing_partition(settings.landing, pull),
        without={row.photo_id for row in noted if not row.keeps_facts},
        without_bytes={row.photo_id for row in noted if row.keeps_facts},
    )
    with engine.begin() as connection:
        connection.execute(_DONE, {"pull": pull, "photos": [row.photo_id for row in noted]})
    return len(noted)


_NOTED = text("SELECT photo_id, keeps_facts FROM fahr.landing_removal_v1 WHERE landing_run_id = :pull")
_DONE = text("DELETE FROM fahr.landing_removal_v1 WHERE landing_run_id = :pull AND photo_id = ANY(:photos)")


def rewrite_partition(partition: Path, *, without: set[int], without_bytes: set[int]) -> None:
    """Write the files of a partition anew that hold any of these photos.

    Args:
        partition: folder of a pull; nothing is done where it is gone.
        without: photos whose whole rows go.
        without_bytes: photos whose `content` becomes null; the rest of their rows stays.
    """
    if not partition.is_dir():
        return
    for file in sorted(partition.glob("*.parquet")):
        held = set(pq.read_table(file, columns=["photo_id"]).column("photo_id").to_pylist())
        if held <= without:
            _checksum_of(file).unlink(missing_ok=True)
            file.unlink()
        elif held & (without | without_bytes):
            _rewrite(file, without, without_bytes)
    if not any(partition.glob("*.parquet")):
        shutil.rmtree(partition)


def _rewrite(file: Path, without: set[int], without_bytes: set[int]) -> None:
    draft = file.with_name(f".{file.name}.new")  # readers of Parquet folders pass over names with a dot
    with (
        pq.ParquetFile(file) as source,
        # Statistics would keep bytes of photos in the footer, and a dictionary is no use to them.
        pq.ParquetWriter(draft, source.schema_arrow, use_dictionary=False, write_statistics=False) as target,
    ):
        for batch in _kept(source, without, without_bytes):
            target.write_batch(batch)
    with draft.open("rb") as written:
        os.fsync(written.fileno())
    _checksum_of(file).unlink(missing_ok=True)  # Spark would compare the new file with the old one's
    draft.replace(file)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _kept(source: pq.ParquetFile, without: set[int], without_bytes: set[int]) -> Iterator[pa.RecordBatch]:
    gone, emptied = pa.array(without, pa.int64()), pa.array(without_bytes, pa.int64())
    for batch in source.iter_batches(batch_size=PHOTOS_AT_ONCE):
        batch = batch.filter(pc.invert(pc.is_in(batch.column("photo_id"), gone)))
        if batch.num_rows == 0:
            continue
        place = batch.schema.get_field_index("content")
        content = batch.column(place)
        empty = pc.is_in(batch.column("photo_id"), emptied)
        kept = pc.if_else(empty, pa.scalar(None, content.type), content)
        yield batch.set_column(place, batch.schema.field(place), kept)


def _checksum_of(file: Path) -> Path:
    return file.with_name(f".{file.name}.crc")
