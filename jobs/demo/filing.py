"""Where each photograph is filed, under whose record number, and with which bytes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path

from jobs.demo.dicom_photographs import clinical_dicom
from jobs.demo.photographs import clinical_jpeg
from jobs.demo.sessions import DICOM_FOLDER, SHARE, Photo


@dataclass(frozen=True, slots=True)
class FiledPhoto:
    """One photograph as the hospital keeps it: a file, and on the share a row of the manifest."""

    photo: Photo
    mrn: str
    """Record number it is filed under, rightly or not."""
    relative_path: str
    """Path below the root of its source."""
    make: Callable[[Photo], bytes] | None
    """Makes the file's bytes; None: there is no file."""
    content_of: Photo
    """What `make` is given: the photo itself, unless its bytes are another one's."""
    oddity: str | None = None
    """What is odd about it."""
    expected_reason: str | None = None
    """Reason code the night must give it; None: it must be scored."""

    @property
    def source(self) -> str:
        """share or dicom_folder."""
        return self.photo.session.source

    @property
    def source_key(self) -> str:
        """Key at its source, as in `fahr.photo_v1.source_key`."""
        return self.photo.photo_key if self.source == SHARE else self.relative_path


def file_ordinary(photos: Iterable[Photo]) -> list[FiledPhoto]:
    """Every photograph where it belongs."""
    return [
        FiledPhoto(
            photo=photo,
            mrn=photo.patient.mrn,
            relative_path=photo.relative_path,
            make=clinical_dicom if photo.session.source == DICOM_FOLDER else clinical_jpeg,
            content_of=photo,
        )
        for photo in photos
    ]


def write_file(filed: FiledPhoto, root: Path) -> int:
    """Make the bytes and write them below `root`, dated as registered. Returns how many bytes there are."""
    if filed.make is None:
        return 0
    content = filed.make(filed.content_of)
    path = root / filed.relative_path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    arrived = filed.photo.registered_at.replace(tzinfo=UTC).timestamp()
    os.utime(path, (arrived, arrived))
    return len(content)
