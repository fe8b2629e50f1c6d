"""A PACS without DICOMweb: searched by C-FIND, read by C-GET, over the Study Root model (PS3.4 annex C)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
)

from jobs.sources.archive import INSTANCE_ELEMENTS, SERIES_ELEMENTS, STUDY_ELEMENTS, AnswerRefused, Row, Span
from jobs.sources.archive_photo import Locator
from jobs.sources.archive_reader import ArchiveReader
from jobs.sources.base import PhotoUnreadable, SourceUnreachable
from jobs.sources.dimse_peer import DimsePeer, release_idle
from jobs.sources.span_text import dates_of, times_of

PENDING = frozenset({0xFF00, 0xFF01})
SUCCESS = 0x0000


@dataclass(frozen=True)
class DimseArchive:
    """What C-FIND tells."""

    peer: DimsePeer

    def studies(self, modality: str, span: Span, *, study_uid: str | None = None) -> list[Row]:
        """Studies with objects of `modality` within `span`, or the one of `study_uid`."""
        keys = {
            "ModalitiesInStudy": modality,
            "StudyDate": dates_of(span),
            "StudyTime": times_of(span),
            "StudyInstanceUID": study_uid or "",
        }
        return self._find("STUDY", keys, STUDY_ELEMENTS)

    def series(self, study_uid: str, told: int | None) -> list[Row]:
        """The series of a study."""
        return self._find("SERIES", {"StudyInstanceUID": study_uid}, SERIES_ELEMENTS)

    def instances(self, study_uid: str, series_uid: str, told: int | None) -> list[Row]:
        """The instances of a series."""
        keys = {"StudyInstanceUID": study_uid, "SeriesInstanceUID": series_uid}
        return self._find("IMAGE", keys, INSTANCE_ELEMENTS)

    def release(self) -> None:
        """End the associations that wait."""
        release_idle(self.peer)

    def _find(self, level: str, keys: Mapping[str, str], elements: Mapping[str, int]) -> list[Row]:
        query = Dataset()
        query.QueryRetrieveLevel = level
        for keyword in elements:
            setattr(query, keyword, keys.get(keyword) or None)
        rows = []
        with self.peer.association() as association:
            find = partial(association.inner.send_c_find, query, StudyRootQueryRetrieveInformationModelFind)
            for status, identifier in _answers(find):
                if status.Status in PENDING and identifier is not None:
                    rows.append(_read_row(identifier, elements))
                elif status.Status != SUCCESS:
                    raise AnswerRefused(f"C-FIND status {status.Status:04X}")
        return rows


def _answers(ask: Callable[[], Iterable[tuple[Dataset, Dataset | None]]]) -> Iterator[tuple[Dataset, Dataset | None]]:
    """Status and identifier of each answer.

    Raises:
        SourceUnreachable: the association broke, or was over before anything was asked (pynetdicom's RuntimeError), or
            the archive took a service back that it had offered (its ValueError).
    """
    try:
        for status, identifier in ask():
            if not status:
                raise SourceUnreachable("the association broke")
            yield status, identifier
    except (RuntimeError, ValueError):
        raise SourceUnreachable("the association ended before it was used") from None


def _read_row(identifier: Dataset, elements: Mapping[str, int]) -> Row:
    """An allowlist of elements, read raw: pydicom's own conversion warns about odd values and quotes them."""
    values: dict[str, str] = {}
    for keyword, tag in elements.items():
        element = identifier.get_item(tag) if tag in identifier else None
        raw = element.value if isinstance(element, RawDataElement) else None
        if isinstance(raw, bytes):
            try:
                text = raw.decode("utf-8")
            except UnicodeDecodeError:
                text = raw.decode("latin-1")
            text = "\\".join(part.strip(" \0") for part in text.split("\\"))
            if keyword in ("Rows", "Columns"):
                text = str(int.from_bytes(raw[:2], "little")) if len(raw) >= 2 else ""
            if text:
                values[keyword] = text
    return values


class DimseReader(ArchiveReader[DimsePeer]):
    """Reads instances by C-GET."""

    def fetch(self, photo: Locator, limit_bytes: int) -> bytes:
        """The object, sent to us over the same association."""
        query = Dataset()
        query.QueryRetrieveLevel = "IMAGE"
        query.StudyInstanceUID, query.SeriesInstanceUID = photo.study_uid, photo.series_uid
        query.SOPInstanceUID = photo.sop_uid
        with self.peer.association() as association:
            association.received.clear()
            final = None
            get = partial(association.inner.send_c_get, query, StudyRootQueryRetrieveInformationModelGet)
            for status, _ in _answers(get):
                final = status
            received = list(association.received)
            association.received.clear()
        if received:
            return received[0]
        if final is not None and final.Status == SUCCESS:
            raise PhotoUnreadable("file_missing")
        raise AnswerRefused("C-GET sent nothing")
