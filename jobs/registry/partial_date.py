"""Dates of which only the year, or year and month, may be known."""

from __future__ import annotations

import calendar
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

Precision = Literal["day", "month", "year"]

MIDDLE_OF_MONTH, MIDDLE_OF_YEAR = 15, (7, 1)


@dataclass(frozen=True, slots=True)
class PartialDate:
    """A date and how exactly it is known."""

    earliest: date
    latest: date
    precision: Precision

    @property
    def day(self) -> date:
        """The day to count with: itself, or the middle of the month or year."""
        if self.precision == "month":
            return self.earliest.replace(day=MIDDLE_OF_MONTH)
        if self.precision == "year":
            return date(self.earliest.year, *MIDDLE_OF_YEAR)
        return self.earliest

    def day_within(self, not_before: PartialDate | None, not_after: PartialDate) -> date:
        """The day to count with, moved no further than needed to lie between two others."""
        first = max(self.earliest, not_before.day) if not_before is not None else self.earliest
        return max(first, min(self.day, not_after.day))

    def certainly_before(self, other: PartialDate) -> bool:
        """Whether no day it may be is as late as any day the other may be."""
        return self.latest < other.earliest


def parse_date(text: str, formats: Sequence[str]) -> PartialDate | None:
    """Read a date by the first format that fits; a format without day or month tells of a month or year.

    In NAACCR, `%Y%m%d` is also written with the end left off (`202403`, `2024`) where the rest is not known, and with
    99 for unknown parts by older files.

    Returns:
        The date, or None where no format fits or there is no such day.
    """
    for form in formats:
        for shortened in (form, *_shortened(form)):
            found = _parse(text, shortened)
            if found is not None:
                return found
    return None


def _shortened(form: str) -> tuple[str, ...]:
    return ("%Y%m99", "%Y%m", "%Y9999", "%Y") if form == "%Y%m%d" else ()


def _parse(text: str, form: str) -> PartialDate | None:
    # strptime takes one digit for two: the text is written again and compared, so that 2024115 is no date.
    try:
        read = datetime.strptime(text, form).date()
    except ValueError:
        return None
    if read.strftime(form) != text or read.year < 1800:
        return None
    if "%d" in form:
        return PartialDate(read, read, "day")
    if "%m" in form:
        last = calendar.monthrange(read.year, read.month)[1]
        return PartialDate(read, read.replace(day=last), "month")
    return PartialDate(read, read.replace(month=12, day=31), "year")
