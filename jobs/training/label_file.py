"""The label file of a photo set: a CSV of path, age, sex, subject, and whatever else is known; read and checked.

What is wrong with the file as a whole is an error; what is wrong with one row is a reason, counted with its line.
"""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from jobs.training.errors import TrainingDataRefused
from jobs.training.listing import Refusals, told_lines
from jobs.training.splits import SPLIT_NAMES

REQUIRED = ("path", "age", "sex", "subject")
OPTIONAL = ("time", "event", "split", "skin_tone")

YOUNGEST_YEARS, OLDEST_YEARS = 0.0, 120.0
SEXES: dict[str, Literal["F", "M"] | None] = {"": None, "f": "F", "female": "F", "m": "M", "male": "M"}
EVENTS = {"0": False, "false": False, "1": True, "true": True}

_SEE = "See docs/training-data.md, Photos in a folder."


@dataclass(frozen=True, slots=True)
class LabelRow:
    """One photo of a label file."""

    line: int
    """Its line in the file, from 1; the header is line 1."""
    locator: str
    """Path of the photo, relative to the folder."""
    subject: str
    age_years: float | None
    sex: Literal["F", "M"] | None
    followup_days: int | None
    died: bool
    split: int | None
    """Given split; None: the recipe decides."""
    skin_tone: str | None


def read_label_file(path: Path, refused: Refusals) -> list[LabelRow]:
    """The usable rows of a label file; the others are added to `refused`, by reason and line.

    Columns: path (relative to the folder), age (years, 0 to 120, may be empty), sex (F, M, female, male, or empty),
    subject (whose photo); optional: time (days from the photo to death or censoring) with event (1 died, 0 censored),
    split (train, validation, test), skin_tone (any scale, kept as it is).

    Raises:
        TrainingDataRefused: the file is no CSV in UTF-8, lacks a column, has no rows, names a split nobody knows, or
            has a subject in two splits.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            _check_columns(reader.fieldnames)
            rows = list(_checked(reader, refused))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TrainingDataRefused(
            f"The label file cannot be read as CSV in UTF-8 ({type(error).__name__}).", next_step=_SEE
        ) from None
    if not rows and not refused.counts:
        raise TrainingDataRefused("The label file has no rows.", next_step=_SEE)
    _check_splits(rows)
    return rows


def _check_columns(names: object) -> None:
    given = [str(name) for name in names] if isinstance(names, list) else []
    if missing := [name for name in REQUIRED if name not in given]:
        raise TrainingDataRefused(f"The label file lacks the columns {', '.join(missing)}.", next_step=_SEE)
    if repeated := sorted({name for name in (*REQUIRED, *OPTIONAL) if given.count(name) > 1}):
        raise TrainingDataRefused(f"The label file has the columns {', '.join(repeated)} twice.", next_step=_SEE)
    if ("time" in given) != ("event" in given):
        raise TrainingDataRefused("The label file has one of time and event: both or neither.", next_step=_SEE)


def _checked(reader: csv.DictReader[str], refused: Refusals) -> Iterator[LabelRow]:
    unknown_splits: list[int] = []
    for cells in reader:
        line = reader.line_num
        cell = _cells(cells)
        split = cell("split").lower()
        if split and split not in SPLIT_NAMES:
            unknown_splits.append(line)
            continue
        try:
            yield _row(line, cell, SPLIT_NAMES.index(split) if split else None)
        except _Refused as reason:
            refused.add(str(reason), line=line)
    if unknown_splits:
        raise TrainingDataRefused(
            f"The label file has splits other than {', '.join(SPLIT_NAMES)} (lines {told_lines(unknown_splits)}).",
            next_step=_SEE,
        )


def _cells(cells: dict[str, str]) -> Callable[[str], str]:
    return lambda name: (cells.get(name) or "").strip()


class _Refused(Exception):
    """This row cannot be used; the message is the reason."""


def _row(line: int, cell: Callable[[str], str], split: int | None) -> LabelRow:
    if not cell("path"):
        raise _Refused("file_missing")
    if not cell("subject"):
        raise _Refused("subject_missing")
    sex = cell("sex").lower()
    if sex not in SEXES:
        raise _Refused("sex_unknown")
    days, died = _followup(cell("time"), cell("event").lower())
    return LabelRow(
        line=line,
        locator=cell("path"),
        subject=cell("subject"),
        age_years=_age(cell("age")),
        sex=SEXES[sex],
        followup_days=days,
        died=died,
        split=split,
        skin_tone=cell("skin_tone") or None,
    )


def _age(text: str) -> float | None:
    if not text:
        return None
    age = _number(text, "age_impossible")
    if not YOUNGEST_YEARS <= age <= OLDEST_YEARS:
        raise _Refused("age_impossible")
    return age


def _followup(time: str, event: str) -> tuple[int | None, bool]:
    """Whole days, at least one, and whether they ended in death; nothing where both cells are empty."""
    if not time and not event:
        return None, False
    days = _number(time, "followup_impossible")
    if days <= 0 or event not in EVENTS:
        raise _Refused("followup_impossible")
    return math.ceil(days), EVENTS[event]


def _number(text: str, reason: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise _Refused(reason) from None
    if not math.isfinite(number):
        raise _Refused(reason)
    return number


def _check_splits(rows: list[LabelRow]) -> None:
    """A subject in two splits would be learned from and tested on: the file is wrong, not a row."""
    splits: dict[str, set[int | None]] = defaultdict(set)
    for row in rows:
        splits[row.subject].add(row.split)
    torn = {subject for subject, where in splits.items() if len(where) > 1}
    if torn:
        lines = [row.line for row in rows if row.subject in torn]
        raise TrainingDataRefused(
            f"{len(torn)} subjects of the label file are in more than one split (lines {told_lines(lines)}).",
            next_step="Give all photos of a subject the same split, or leave the column out.",
        )
