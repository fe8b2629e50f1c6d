"""Photographs on a file share, listed by `hospital.photo_manifest`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from sqlalchemy import Connection, text

from jobs.sources.base import ListedPhoto
from jobs.sources.files import FolderReader, require_mounted
from jobs.watermarks import LOOKBACK, is_compared, watermark_of

_LISTED = """
    SELECT manifest.photo_key, manifest.registered_at::text AS version, manifest.relative_path, manifest.captured_at,
           person.person_id, opt_out.person_id IS NOT NULL AS opted_out
    FROM hospital.photo_manifest AS manifest
    LEFT JOIN hospital.patient_id_map AS person USING (mrn)
    LEFT JOIN hospital.opt_out AS opt_out
           ON opt_out.person_id = person.person_id AND opt_out.opted_out_on <= CAST(:night AS date)
    LEFT JOIN fahr.photo_v1 AS known ON known.source = 'share' AND known.source_key = manifest.photo_key
    LEFT JOIN fahr.reason_code_v1 AS reason ON reason.reason_code = known.reason_code
    WHERE manifest.registered_at < CAST(:night AS date) + 1
      AND (known.source_version IS DISTINCT FROM manifest.registered_at::text OR NOT reason.permanent
           OR known.pull_again OR (known.reason_code = 'unknown_patient' AND person.person_id IS NOT NULL))
"""
_COMPARED = text(f"{_LISTED} ORDER BY manifest.photo_key")
# The two ways to news, each with an index of its own: registered lately, or pulled without success.
_NEWS = text(
    f"""
    WITH lately AS MATERIALIZED (
        SELECT photo_key FROM hospital.photo_manifest WHERE registered_at >= :since
        UNION
        SELECT source_key FROM fahr.photo_v1 WHERE source = 'share' AND (reason_code IS NOT NULL OR pull_again)
    )
    {_LISTED} AND manifest.photo_key IN (SELECT photo_key FROM lately)
    ORDER BY manifest.photo_key
    """
)
_WITHDRAWN = text(
    """
    SELECT photo_id FROM fahr.photo_v1 AS known
    WHERE source = 'share'
      AND NOT EXISTS (SELECT FROM hospital.photo_manifest AS manifest WHERE manifest.photo_key = known.source_key)
    ORDER BY photo_id
    """
)


@dataclass(frozen=True)
class ShareSource:
    """The photo share below `root`."""

    root: Path
    name: str = "share"
    comparison_days: int = 7

    def new_photos(self, connection: Connection, night: date) -> list[ListedPhoto]:
        """Manifest rows registered up to `night` that are new, changed, to be tried again, or of somebody known by now.

        Raises:
            SourceUnreachable: photos are waiting and the root of the share is not there or empty (not mounted).
        """
        watermark = watermark_of(connection, self.name)
        if watermark is None or watermark.comparison_due(night, self.comparison_days):
            rows = connection.execute(_COMPARED, {"night": night}).all()
        else:
            since = min(watermark.seen_through, night) - LOOKBACK
            rows = connection.execute(_NEWS, {"night": night, "since": since}).all()
        if rows:
            require_mounted(self.root)
        return [
            ListedPhoto(
                source=self.name,
                key=row.photo_key,
                version=row.version,
                locator=row.relative_path,
                person_id=row.person_id,
                captured_at=row.captured_at,
                opted_out=row.opted_out,
                # Whom the map does not know we cannot ask whether they refuse, and have no business to read.
                refused_as="unknown_patient" if row.person_id is None else None,
            )
            for row in rows
        ]

    def withdrawn_photos(self, connection: Connection, night: date) -> list[int]:
        """Photo ids of the ledger whose manifest row is gone; looked for on nights of a full comparison."""
        if not is_compared(connection, self.name, night, self.comparison_days):
            return []
        return list(connection.execute(_WITHDRAWN).scalars())

    def reader(self) -> FolderReader:
        """Reads files below the root of the share."""
        return FolderReader(root=self.root, knows_patient=True)
