"""Photographs on a file share, listed by `hospital.photo_manifest`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from sqlalchemy import Connection, text

from jobs.sources.base import ListedPhoto, SourceUnreachable
from jobs.sources.files import FolderReader

_NEW_PHOTOS = text(
    """
    SELECT manifest.photo_key, manifest.registered_at::text AS version, manifest.relative_path, manifest.captured_at,
           person.person_id, opt_out.person_id IS NOT NULL AS opted_out
    FROM hospital.photo_manifest AS manifest
    LEFT JOIN hospital.patient_id_map AS person USING (mrn)
    LEFT JOIN hospital.opt_out AS opt_out
           ON opt_out.person_id = person.person_id AND opt_out.opted_out_on <= CAST(:night AS date)
    LEFT JOIN fahr.photo_v1 AS known ON known.source = 'share' AND known.source_key = manifest.photo_key
    LEFT JOIN fahr.reason_code_v1 AS reason ON reason.reason_code = known.reason_code
    WHERE manifest.registered_at < CAST(:night AS date) + 1
      AND (known.source_version IS DISTINCT FROM manifest.registered_at::text OR NOT reason.permanent)
    ORDER BY manifest.photo_key
    """
)


@dataclass(frozen=True)
class ShareSource:
    """The photo share below `root`."""

    root: Path
    name: str = "share"

    def new_photos(self, connection: Connection, night: date) -> list[ListedPhoto]:
        """Manifest rows registered up to `night` that are new, changed, or to be tried again.

        Raises:
            SourceUnreachable: photos are waiting and the root of the share is not there (not mounted).
        """
        rows = connection.execute(_NEW_PHOTOS, {"night": night}).all()
        if rows and not self.root.is_dir():
            raise SourceUnreachable(self.name)
        return [
            ListedPhoto(
                source=self.name,
                key=row.photo_key,
                version=row.version,
                locator=row.relative_path,
                person_id=row.person_id,
                captured_at=row.captured_at,
                opted_out=row.opted_out,
            )
            for row in rows
        ]

    def reader(self) -> FolderReader:
        """Reads files below the root of the share."""
        return FolderReader(root=self.root, knows_patient=True)
