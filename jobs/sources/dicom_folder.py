"""A folder of DICOM photographs: every file below it is a candidate, and says itself whose it is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from sqlalchemy import Connection, text

from jobs.sources.base import ListedPhoto, SourceUnreachable
from jobs.sources.files import FolderReader
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
            SourceUnreachable: the folder is not there.
        """
        if not self.root.is_dir():
            raise SourceUnreachable(self.name)
        known = {row.source_key: row for row in connection.execute(_KNOWN, {"source": self.name})}
        end_of_night = datetime.combine(night + timedelta(days=1), time(), tzinfo=UTC).timestamp()
        photos = []
        for path, status in _files_below(self.root):
            if status.st_mtime >= end_of_night:
                continue
            key = path.relative_to(self.root).as_posix()
            version = f"{status.st_size}-{status.st_mtime_ns}"
            before = known.get(key)
            if before is None or before.source_version != version or before.retry:
                photos.append(ListedPhoto(source=self.name, key=key, version=version, locator=key))
        return sorted(photos, key=lambda photo: photo.key)

    def withdrawn_photos(self, connection: Connection, night: date) -> list[int]:
        """Photo ids of the ledger whose file is gone; looked for on nights of a full comparison."""
        if not is_compared(connection, self.name, night, self.comparison_days):
            return []
        there = {path.relative_to(self.root).as_posix() for path, _ in _files_below(self.root)}
        known = connection.execute(_KNOWN, {"source": self.name})
        return sorted(row.photo_id for row in known if row.source_key not in there)

    def reader(self) -> FolderReader:
        """Reads files below the folder."""
        return FolderReader(root=self.root, knows_patient=False)


def _files_below(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Every file below `folder` with its status; links to folders are not followed."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _files_below(Path(entry.path))
            elif entry.is_file():
                yield Path(entry.path), entry.stat()
