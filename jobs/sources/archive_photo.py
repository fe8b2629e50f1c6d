"""One photograph in an archive: as it is listed, where it lies, and whether what came is what was asked for."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from jobs.sources.archive import INSTANCE_ELEMENTS, Row
from jobs.sources.base import PhotoUnreadable
from model.dicom_header import MEDIA_STORAGE_SOP_INSTANCE, file_meta_text, is_dicom

VERSIONED = tuple(name for name in INSTANCE_ELEMENTS if name != "SOPInstanceUID")


@dataclass(frozen=True)
class Locator:
    """Where an instance lies."""

    study_uid: str
    series_uid: str
    sop_uid: str

    def to_text(self) -> str:
        """As the landing tasks carry it."""
        return json.dumps([self.study_uid, self.series_uid, self.sop_uid])

    @classmethod
    def from_text(cls, text: str) -> Locator:
        """What `to_text` wrote."""
        return cls(*json.loads(text))

    def check(self, content: bytes, limit_bytes: int) -> bytes:
        """`content`, if it is the file of this instance.

        Raises:
            PhotoUnreadable: file_too_large; or unreadable_file where it is another instance, or no DICOM file.
        """
        if len(content) > limit_bytes:
            raise PhotoUnreadable("file_too_large")
        if file_instance_uid(content) != self.sop_uid:
            raise PhotoUnreadable("unreadable_file")
        return content


@dataclass(frozen=True)
class ArchivePhoto:
    """An instance as the archive lists it, with whose it says it is."""

    locator: Locator
    patient_id: str
    study: Row
    instance: Row

    def version(self, person_id: int | None) -> str:
        """Changes with what the archive says of the photo, and with the person its patient id stands for."""
        facts = [self.study.get(name) for name in ("StudyDate", "StudyTime")]
        facts += [self.instance.get(name) for name in VERSIONED]
        return digest([self.patient_id, person_id, *facts])


def digest(facts: list[object]) -> str:
    """A short text that changes with the facts and does not show them."""
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]


def file_instance_uid(content: bytes) -> str | None:
    """The instance that a DICOM file says it is; None: it says none."""
    return file_meta_text(content, MEDIA_STORAGE_SOP_INSTANCE) if is_dicom(content) else None
