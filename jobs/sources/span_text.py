"""Ranges of dates and times as DICOM matches them (PS3.4 C.2.2.2.5)."""

from __future__ import annotations

from jobs.sources.archive import Span


def dates_of(span: Span) -> str:
    """The range of StudyDate; empty for everything."""
    if span.is_everything:
        return ""
    if span.first == span.last:
        return f"{span.first:%Y%m%d}"
    first, last = (f"{day:%Y%m%d}" if day else "" for day in (span.first, span.last))
    return f"{first}-{last}"


def times_of(span: Span) -> str:
    """The range of StudyTime; empty for whole days. The end holds the fractions of its second."""
    if not span.is_part_of_a_day:
        return ""
    return f"{_clock(span.from_second)}-{_clock(span.to_second)}.999999"


def _clock(second: int) -> str:
    return f"{second // 3600:02d}{second // 60 % 60:02d}{second % 60:02d}"
