"""What every registry file is to its reader: a format, a version, the day it was made, and its records one by one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Literal

from jobs.errors import DatasetRejected

FileFormat = Literal["naaccr_xml", "csv"]

LONGEST_VALUE = 1000
"""Characters of a value that are kept; no field of ours is longer."""

SEE = "See docs/registry.md. Nothing was loaded; what was loaded before still stands."


@dataclass(frozen=True, slots=True)
class GivenRecord:
    """A record as the file has it."""

    values: dict[str, str]
    """Words by our field, stripped; empty ones left out."""
    problem: str | None = None
    """A reason that the shape of the file gives already."""


@dataclass(frozen=True)
class OpenedFile:
    """A file whose head was read; its records are read while they are iterated over, once."""

    file_format: FileFormat
    version: str | None
    made_on: date | None
    records: Iterator[GivenRecord]


def refused(what_happened: str) -> DatasetRejected:
    """The file as a whole is refused."""
    return DatasetRejected(what_happened, next_step=SEE)


def kept(value: str) -> str:
    """A value as it can be kept: stripped, of bounded length, without the one character that PostgreSQL refuses."""
    return value.strip()[:LONGEST_VALUE].replace("\x00", "\N{REPLACEMENT CHARACTER}")
