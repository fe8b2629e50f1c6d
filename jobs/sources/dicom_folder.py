"""A folder of DICOM photographs: every file below it is a candidate, and says itself whose it is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes

from sqlalchemy import Connection, text

from jobs.sources.base import ListedPhoto, SourceUnreachable
from jobs.sources.files import FolderReader, require_mounted
from jobs.watermarks import is_compared

_KNOWN = text(
    """
    SELECT photo_id, source_key, source_version, coalesce(NOT reason.permanent, false) OR pull_again AS retry
    FROM fahr.photo_v1 LEFT JOIN fahr.reason_code_v1 AS reason USING (reason_code)
    WHERE source = :source
    """
)


@dataclass(frozen=True)
class DicomFolderSource:
    """The files below `root`, keyed by their relative path; a file's version is its size and modification time."""

    root: Path
    name: str = "dicom_folder"
    comparison_days: int = 7

    def new_photos(self, connection: Connection, night: date) -> list[ListedPhoto]:
        """Files last modified up to the end of `night`, UTC, that are new, changed, or to be tried again.

        Raises:
            SourceUnreachable: the folder is not there, is empty though photos are known of it, or cannot be listed.
        """
        known = {row.source_key: row for row in connection.execute(_KNOWN, {"source": self.name})}
        if known:
            require_mounted(self.root)
        end_of_night = datetime.combine(night + timedelta(days=1), time(), tzinfo=UTC).timestamp()
        photos = []
        for path, status in _files_below(self.root):
            if status.st_mtime >= end_of_night:
                continue
            key = _key_of(path.relative_to(self.root))
            version = f"{status.st_size}-{status.st_mtime_ns}"
            before = known.get(key)
            if before is None or before.source_version != version or before.retry:
                photos.append(ListedPhoto(source=self.name, key=key, version=version, locator=key))
        return sorted(photos, key=lambda photo: photo.key)

    def withdrawn_photos(self, connection: Connection, night: date) -> list[int]:
        """Photo ids of the ledger whose file is gone; looked for on nights of a full comparison.

        Raises:
            SourceUnreachable: the folder cannot be listed.
        """
        if not is_compared(connection, self.name, night, self.comparison_days):
            return []
        there = {_key_of(path.relative_to(self.root)) for path, _ in _files_below(self.root)}
        known = connection.execute(_KNOWN, {"source": self.name})
        return sorted(row.photo_id for row in known if row.source_key not in there)

    def reader(self) -> DicomFolderReader:
        """Reads files below the folder."""
        return DicomFolderReader(root=self.root, knows_patient=False)


@dataclass(frozen=True)
class DicomFolderReader(FolderReader):
    """Reads files below `root`. A locator is a key."""

    def read(self, locator: str, limit_bytes: int) -> bytes:
        """As `FolderReader.read`."""
        return super().read(_name_of(locator), limit_bytes)


ENCODED = "./"
"""Begins the key of a file whose name is no UTF-8; no relative path of a listing begins so."""


def _key_of(path: Path) -> str:
    """A relative path as a key: as it is, or percent-encoded where it is no UTF-8 (an old file server's Latin-1)."""
    name = os.fsencode(path.as_posix())
    try:
        return name.decode("utf-8")
    except UnicodeDecodeError:
        return ENCODED + quote(name)


def _name_of(key: str) -> str:
    """The relative path that `_key_of` made a key of."""
    name = unquote_to_bytes(key.removeprefix(ENCODED)) if key.startswith(ENCODED) else key.encode("utf-8")
    return os.fsdecode(name)


def _files_below(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Every file below `folder` with its status; links to folders are not followed.

    A file that goes while the folder is listed is passed over.

    Raises:
        SourceUnreachable: `folder` is not there, or something in it cannot be looked at.
    """
    try:
        yield from _walk(folder)
    except (FileNotFoundError, NotADirectoryError):
        raise SourceUnreachable("its folder is not there: is it mounted?") from None
    except OSError:
        raise SourceUnreachable("a folder or file in it cannot be looked at: may this user read all of it?") from None


def _walk(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            try:
                if entry.is_dir(follow_symlinks=False):
                    yield from _walk(Path(entry.path))
                elif entry.is_file():
                    yield Path(entry.path), entry.stat()
            except (FileNotFoundError, NotADirectoryError):
                continue
