"""A PACS through DICOMweb (PS3.18): searched by QIDO-RS, read by WADO-RS, one instance a request."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jobs.sources.archive import (
    INSTANCE_ELEMENTS,
    SERIES_ELEMENTS,
    STUDY_ELEMENTS,
    AnswerRefused,
    Row,
    Span,
)
from jobs.sources.archive_photo import Locator
from jobs.sources.archive_reader import ArchiveReader
from jobs.sources.base import PhotoUnreadable, SourceUnreachable
from jobs.sources.breaker import Breaker
from jobs.sources.http_peer import Answer, AnswerTooLarge, Busy, Forbidden, HttpPeer, NothingThere
from jobs.sources.multipart import CutOff, only_part
from jobs.sources.span_text import dates_of, times_of

PAGE_ROWS = 500
"""Rows asked for at once (ours)."""

PASSES = 3
"""Times a listing is begun again because it changed while its pages were turned (ours)."""

ANSWER_BYTES = 64 * 2**20
"""The longest answer of a search that is read (ours)."""

DICOM_FILE = 'multipart/related; type="application/dicom"; transfer-syntax=*'
"""Any transfer syntax: as stored. The default of the standard is Explicit VR Little Endian, for which a server has to
decode every picture: thirty times slower."""

OVERHEAD_BYTES = 2**16
"""What an answer may hold besides the photo."""


@dataclass(frozen=True)
class DicomwebArchive:
    """What QIDO-RS tells. A page overlaps the one before by a row, so that rows which moved meanwhile are noticed."""

    peer: HttpPeer
    page_rows: int = PAGE_ROWS

    def studies(self, modality: str, span: Span, *, study_uid: str | None = None) -> list[Row]:
        """Studies with objects of `modality` within `span`, or the one of `study_uid`."""
        wanted = [("ModalitiesInStudy", modality), ("StudyDate", dates_of(span)), ("StudyTime", times_of(span))]
        if study_uid is not None:
            wanted.append(("StudyInstanceUID", study_uid))
        return self._rows("studies", [(name, value) for name, value in wanted if value], STUDY_ELEMENTS)

    def series(self, study_uid: str, told: int | None) -> list[Row]:
        """The series of a study; none where the study is gone."""
        return self._rows(f"studies/{study_uid}/series", [], SERIES_ELEMENTS, told)

    def instances(self, study_uid: str, series_uid: str, told: int | None) -> list[Row]:
        """The instances of a series; none where it is gone."""
        return self._rows(f"studies/{study_uid}/series/{series_uid}/instances", [], INSTANCE_ELEMENTS, told)

    def release(self) -> None:
        """End the connections that wait."""
        self.peer.release()

    def _rows(
        self, path: str, wanted: list[tuple[str, str]], elements: Mapping[str, int], told: int | None = None
    ) -> list[Row]:
        """Every row of a search, once, turning pages until the number told is reached or one holds nothing new.

        A server may give shorter pages than it was asked for, so a short page is not the last one.
        """
        query = [*wanted, *(("includefield", f"{tag:08X}") for tag in elements.values())]
        seen: dict[str, Row] = {}
        for _ in range(PASSES):
            last = None
            offset = 0
            while True:
                page = {_key(row): row for row in self._page(path, query, offset, elements)}
                if last is not None and page and next(iter(page)) != last:
                    break  # rows moved: begin again
                ended = page.keys() <= ({last} if last else set())
                seen |= page
                if ended or len(seen) == told:
                    return list(seen.values())
                last = next(reversed(page))
                offset += len(page) - 1
        return list(seen.values())

    def _page(self, path: str, query: list[tuple[str, str]], offset: int, elements: Mapping[str, int]) -> list[Row]:
        try:
            return self.peer.get(
                path,
                [*query, ("limit", str(self.page_rows)), ("offset", str(offset))],
                accept="application/dicom+json",
                limit_bytes=ANSWER_BYTES,
                take=lambda answer: _read_rows(answer, elements),
            )
        except NothingThere:
            return []
        except AnswerTooLarge:
            raise AnswerRefused("an endless answer") from None


def _key(row: Row) -> str:
    """What a row is about: an instance, a series or a study."""
    return row.get("SOPInstanceUID") or row.get("SeriesInstanceUID") or row.get("StudyInstanceUID") or ""


def _read_rows(answer: Answer, elements: Mapping[str, int]) -> list[Row]:
    """The rows of an answer in the DICOM JSON model (PS3.18 annex F), an allowlist of elements of each."""
    if not answer.body:  # 204, or an empty 200: no match
        return []
    try:
        rows = json.loads(answer.body)
    except ValueError:
        raise CutOff("the answer is no JSON, or breaks off") from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise AnswerRefused("the answer is no list of rows")
    return [_read_row(row, elements) for row in rows]


def _read_row(row: dict[str, Any], elements: Mapping[str, int]) -> Row:
    values = {}
    for keyword, tag in elements.items():
        element = row.get(f"{tag:08X}")
        value = element.get("Value") if isinstance(element, dict) else None
        if isinstance(value, list) and value:
            text = "\\".join(str(one).strip() for one in value if isinstance(one, str | int | float))
            if text:
                values[keyword] = text
    return values


class DicomwebReader(ArchiveReader[HttpPeer]):
    """Reads instances by WADO-RS."""

    def fetch(self, photo: Locator, limit_bytes: int) -> bytes:
        """The instance, in one request.

        A server that has no time for a few photos, and answers a search meanwhile, has them in a slow store: then it is
        not waited for with each of the others.
        """
        breaker = Breaker.of(self.pull)
        try:
            return self.peer.get(
                f"studies/{photo.study_uid}/series/{photo.series_uid}/instances/{photo.sop_uid}",
                [],
                accept=DICOM_FILE,
                limit_bytes=limit_bytes + OVERHEAD_BYTES,
                take=_read_file,
                patient=breaker.is_patient,
            )
        except NothingThere:
            raise PhotoUnreadable("file_missing") from None
        except AnswerTooLarge:
            raise PhotoUnreadable("file_too_large") from None
        except Forbidden:
            raise PhotoUnreadable("access_denied") from None
        except Busy:
            if not self._answers_a_search(photo):
                raise
            breaker.waited_in_vain()
            raise PhotoUnreadable("not_at_hand") from None

    def _answers_a_search(self, photo: Locator) -> bool:
        """Whether the server finds the photo's study, asked once."""
        try:
            self.peer.get(
                "studies",
                [("StudyInstanceUID", photo.study_uid), ("limit", "1")],
                accept="application/dicom+json",
                limit_bytes=ANSWER_BYTES,
                take=lambda answer: _read_rows(answer, STUDY_ELEMENTS),
                patient=False,
            )
        except (SourceUnreachable, NothingThere, AnswerRefused, AnswerTooLarge):
            return False
        return True


def _read_file(answer: Answer) -> bytes:
    """The file that the answer holds.

    Raises:
        CutOff: it did not come whole.
        AnswerRefused: nobody can know whether it did, or it holds more than one.
    """
    if answer.content_type.get_content_maintype() != "multipart" and not answer.framed:
        raise AnswerRefused("an answer without parts and without a length")
    try:
        return only_part(answer.body, answer.content_type)
    except ValueError as problem:
        raise AnswerRefused(str(problem)) from None
