"""Photos of a folder with a label file: a public photo set, or a hospital's own collection outside the warehouse."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from jobs.score import TASKS_PER_CORE
from jobs.sources.base import PhotoUnreadable
from jobs.sources.files import FolderReader
from jobs.training.errors import TrainingDataRefused
from jobs.training.label_file import LabelRow, read_label_file
from jobs.training.listing import LabelledPhoto, Listing, Refusals
from jobs.training.splits import SplitRecipe

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

READERS = 8
"""Files read and hashed at once."""


def folder_listing(
    folder: Path, label_file: Path, *, recipe: SplitRecipe, is_synthetic: bool, limit_bytes: int
) -> Listing:
    """Every usable photo of a label file, each content once, hashed; the others counted by reason and line.

    A given split stands; else the recipe decides. Folds are always the recipe's. Subjects are stored as numbers.

    Raises:
        TrainingDataRefused: the folder is not there, or the label file is wrong as a whole.
    """
    root = folder.resolve()
    if not root.is_dir():
        raise TrainingDataRefused("The folder of photos is not there.", next_step="Check --folder.")
    refused = Refusals()
    rows = read_label_file(label_file, refused)
    reader = FolderReader(root=root, knows_patient=True)
    contents: dict[str, list[tuple[LabelRow, int]]] = defaultdict(list)
    with ThreadPoolExecutor(READERS, thread_name_prefix="hash") as pool:
        for row, outcome in zip(rows, pool.map(partial(_hashed, reader, limit_bytes), rows), strict=True):
            if isinstance(outcome, str):
                refused.add(outcome, line=row.line)
            else:
                contents[outcome[0]].append((row, outcome[1]))
    photos = list(_each_content_once(contents, recipe, refused))
    locators = {photo.key: contents[photo.content_sha256][0][0].locator for photo in photos}
    read = _FilesOfFolder(locators, {photo.key: photo.content_sha256 for photo in photos})
    return Listing("folder", photos, refused, is_synthetic, read, CheckedFiles(reader, limit_bytes))


def _hashed(reader: FolderReader, limit_bytes: int, row: LabelRow) -> tuple[str, int] | str:
    """SHA-256 and size of a photo's bytes, or why they cannot be had."""
    try:
        content = reader.read(row.locator, limit_bytes)
    except PhotoUnreadable as problem:
        return problem.reason_code
    return hashlib.sha256(content).hexdigest(), len(content)


def _each_content_once(
    contents: Mapping[str, Sequence[tuple[LabelRow, int]]], recipe: SplitRecipe, refused: Refusals
) -> Iterator[LabelledPhoto]:
    """The first row of each content; bytes that are filed under two subjects are nobody's."""
    for content_sha256, rows in contents.items():
        if len({row.subject for row, _ in rows}) > 1:
            for row, _ in rows:
                refused.add("bytes_of_another_patient", line=row.line)
            continue
        for row, _ in rows[1:]:
            refused.add("duplicate_bytes", line=row.line)
        row, byte_count = rows[0]
        split, fold = recipe.place(row.subject)
        yield LabelledPhoto(
            key=row.line,
            content_sha256=content_sha256,
            byte_count=byte_count,
            subject=recipe.number(row.subject),
            age_years=row.age_years,
            sex=row.sex,
            followup_days=row.followup_days,
            died=row.died,
            split=split if row.split is None else row.split,
            fold=fold,
            skin_tone=row.skin_tone,
        )


@dataclass(frozen=True)
class _FilesOfFolder:
    """Names the files to read; the workers read them (`CheckedFiles`)."""

    locators: Mapping[int, str]
    content_sha256: Mapping[int, str]

    def __call__(self, spark: SparkSession, places: Sequence[tuple[int, int]]) -> DataFrame:
        """A frame of (key, shard, content_sha256, locator)."""
        rows = [(key, shard, self.content_sha256[key], self.locators[key]) for key, shard in places]
        partitions = min(len(rows), TASKS_PER_CORE * spark.sparkContext.defaultParallelism)
        return spark.createDataFrame(rows, "key long, shard int, content_sha256 string, locator string").repartition(
            partitions
        )


_CONTENT_SCHEMA = pa.schema(
    [
        pa.field("key", pa.int64()),
        pa.field("shard", pa.int32()),
        pa.field("content_sha256", pa.string()),
        pa.field("content", pa.binary()),  # null: gone, or not the bytes that were hashed
    ]
)


@dataclass(frozen=True)
class CheckedFiles:
    """In a worker: reads the files that a frame names, a few at a time, and sees that they are what was hashed."""

    reader: FolderReader
    limit_bytes: int

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """(key, shard, content_sha256, locator) to (key, shard, content_sha256, content), batch by batch."""
        for batch in batches:
            rows = batch.to_pylist()
            for row in rows:
                row["content"] = self._content(row.pop("locator"), row["content_sha256"])
            yield pa.RecordBatch.from_pylist(rows, schema=_CONTENT_SCHEMA)

    def _content(self, locator: str, content_sha256: str) -> bytes | None:
        try:
            content = self.reader.read(locator, self.limit_bytes)
        except PhotoUnreadable:
            return None
        return content if hashlib.sha256(content).hexdigest() == content_sha256 else None
