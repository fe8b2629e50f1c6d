"""The photos a data set is to be made of, with their labels, before any is decoded."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass, field
from typing import TYPE_CHECKING, Literal

from jobs.training.splits import SplitRecipe
from model.preprocessing import PREPROCESSING_ID

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

SourceKind = Literal["warehouse", "folder"]

LAYOUT_VERSION = 1
"""Part of every data set's id: bumped when the files' layout or the meaning of a label changes."""


@dataclass(frozen=True, slots=True)
class LabelledPhoto:
    """The bytes of one photo and what is known of it."""

    key: int
    """Names the photo within its source while the data set is built: photo_id, or the line of the label file."""
    content_sha256: str
    byte_count: int
    subject: int
    """Whose photo: cdm.person.person_id, or a number that stands for a subject of the label file."""
    age_years: float | None
    sex: Literal["F", "M"] | None
    followup_days: int | None
    """Days from the photo to death or censoring, > 0."""
    died: bool
    split: int
    fold: int
    skin_tone: str | None = None


@dataclass
class Refusals:
    """Photos that are left out, counted by reason; lines of a label file by number."""

    counts: Counter[str] = field(default_factory=Counter)
    lines: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))

    def add(self, reason: str, count: int = 1, *, line: int | None = None) -> None:
        """Count `count` photos left out for `reason`."""
        self.counts[reason] += count
        if line is not None:
            self.lines[reason].append(line)

    def told(self, *, shown: int = 20) -> str:
        """The counts in words, with the first `shown` lines of a label file for each reason."""
        return "; ".join(
            f"{reason} {count}{self._lines(reason, shown)}" for reason, count in sorted(self.counts.items())
        )

    def _lines(self, reason: str, shown: int) -> str:
        lines = sorted(self.lines.get(reason, ()))
        return f" (lines {told_lines(lines, shown=shown)})" if lines else ""


@dataclass(frozen=True)
class Listing:
    """Everything a source offers for a data set."""

    source: SourceKind
    photos: Sequence[LabelledPhoto]
    """Each content once."""
    refused: Refusals
    is_synthetic: bool
    """The photos are drawn or the patients made up."""
    frame: Callable[[SparkSession, Sequence[tuple[int, int]]], DataFrame]
    """(session, (key, shard) of each photo) to a frame of (key, shard, content_sha256, content)."""
    read: Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]] | None = None
    """Where the frame names files instead of holding content: reads them, in the workers."""


def told_lines(lines: Sequence[int], *, shown: int = 20) -> str:
    """Line numbers as a person reads them, the first `shown`."""
    more = f" and {len(lines) - shown} more" if len(lines) > shown else ""
    return ", ".join(map(str, lines[:shown])) + more


def data_set_id(photos: Sequence[LabelledPhoto], recipe: SplitRecipe) -> str:
    """Fingerprint of what decides a data set: content, labels, preprocessing, recipe, layout. 16 hexadecimal digits."""
    digest = hashlib.sha256()
    digest.update(json.dumps([LAYOUT_VERSION, PREPROCESSING_ID, *astuple(recipe)]).encode())
    for photo in sorted(photos, key=lambda photo: photo.content_sha256):
        digest.update(json.dumps(astuple(photo)[1:]).encode() + b"\n")
    return digest.hexdigest()[:16]
