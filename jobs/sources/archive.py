"""What an archive (PACS) can be asked, whichever protocol it speaks: its studies, their series, their instances."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Protocol

Row = Mapping[str, str]
"""One entry of an archive's answer: elements as text, by keyword; several values are joined by a backslash."""

STUDY_ELEMENTS = {
    "StudyDate": 0x00080020,
    "StudyTime": 0x00080030,
    "ModalitiesInStudy": 0x00080061,
    "PatientID": 0x00100020,
    "StudyInstanceUID": 0x0020000D,
    "NumberOfStudyRelatedSeries": 0x00201206,
    "NumberOfStudyRelatedInstances": 0x00201208,
}
SERIES_ELEMENTS = {
    "Modality": 0x00080060,
    "StudyInstanceUID": 0x0020000D,
    "SeriesInstanceUID": 0x0020000E,
    "NumberOfSeriesRelatedInstances": 0x00201209,
}
INSTANCE_ELEMENTS = {
    "SOPClassUID": 0x00080016,
    "SOPInstanceUID": 0x00080018,
    "ContentDate": 0x00080023,
    "AcquisitionDateTime": 0x0008002A,
    "ContentTime": 0x00080033,
    "StudyInstanceUID": 0x0020000D,
    "SeriesInstanceUID": 0x0020000E,
    "InstanceNumber": 0x00200013,
    "NumberOfFrames": 0x00280008,
    "Rows": 0x00280010,
    "Columns": 0x00280011,
}
"""Everything that is asked for and looked at. A name or a birth date is not among it. (PS3.4 table C.6-1 to C.6-5.)"""

SECONDS_OF_A_DAY = 86_400


class AnswerRefused(Exception):
    """The archive was reached, and what it answered to one question cannot be used."""


@dataclass(frozen=True)
class Span:
    """A range of study dates, both ends included; within one day also of study times, in seconds of the day."""

    first: date | None = None
    """None: no beginning."""
    last: date | None = None
    """None: no end."""
    from_second: int = 0
    to_second: int = SECONDS_OF_A_DAY - 1

    @property
    def is_everything(self) -> bool:
        """Whether studies without a date are meant, too."""
        return self.first is None and self.last is None

    @property
    def is_part_of_a_day(self) -> bool:
        """Whether times matter."""
        return self.to_second - self.from_second < SECONDS_OF_A_DAY - 1

    def holds(self, day: date | None, second: int | None) -> bool:
        """Whether a study of this date and time is meant."""
        if self.is_everything:
            return True
        if day is None or (self.first and day < self.first) or (self.last and day > self.last):
            return False
        return not self.is_part_of_a_day or (second is not None and self.from_second <= second <= self.to_second)

    def up_to(self, day: date) -> Span:
        """The part of it up to the end of `day`."""
        return replace(self, last=day)

    def after(self, day: date) -> Span:
        """The part of it after `day`."""
        return replace(self, first=day + timedelta(days=1))


class Archive(Protocol):
    """A PACS. Its answers are not trusted: who asks looks at every row again, and counts.

    Every method raises SourceUnreachable where the archive cannot be reached or lets nobody in, and AnswerRefused where
    it answers something else than asked.
    """

    def studies(self, modality: str, span: Span, *, study_uid: str | None = None) -> list[Row]:
        """Studies that hold objects of `modality`, dated within `span`; or the one of this UID."""
        ...

    def series(self, study_uid: str, told: int | None) -> list[Row]:
        """The series of a study, which are `told` where the archive told their number."""
        ...

    def instances(self, study_uid: str, series_uid: str, told: int | None) -> list[Row]:
        """The instances of a series, which are `told` where the archive told their number."""
        ...

    def release(self) -> None:
        """End the connections of this process that wait for another question."""
        ...


def study_date(row: Row) -> date | None:
    """The date of a study; None where it has none that can be read."""
    match = re.fullmatch(r"(\d{4})[.-]?(\d{2})[.-]?(\d{2})", row.get("StudyDate", ""))
    try:
        return date(*map(int, match.groups())) if match else None
    except ValueError:
        return None


def study_second(row: Row) -> int | None:
    """The time of a study as a second of its day; None where it has none that can be read."""
    match = re.match(r"(\d{2}):?(\d{2})?:?(\d{2})?", row.get("StudyTime", ""))
    if match is None:
        return None
    hour, minute, second = (int(part or 0) for part in match.groups())
    return min(hour * 3600 + minute * 60 + second, SECONDS_OF_A_DAY - 1)


def is_uid(text: str | None) -> bool:
    """Whether a text is a UID (PS3.5 9.1), and so safe to be part of an address."""
    return bool(text and re.fullmatch(r"[0-9.]{1,64}", text))
