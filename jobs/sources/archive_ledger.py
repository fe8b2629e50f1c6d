"""What the warehouse knows of an archive's photographs, and how it learns what a new listing found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy import Connection, text

from jobs import audit


@dataclass(frozen=True)
class KnownPhoto:
    """A photograph as the last pull left it."""

    photo_id: int
    version: str
    study_uid: str
    is_to_be_retried: bool


@dataclass(frozen=True)
class KnownStudy:
    """A study as it was last listed."""

    version: str
    is_gone: bool


@dataclass(frozen=True)
class Ledger:
    """Everything known of one archive, and whom the hospital's record numbers stand for."""

    photos: Mapping[str, KnownPhoto]
    """By SOP instance UID."""
    studies: Mapping[str, KnownStudy]
    """By study instance UID."""
    person_by_mrn: Mapping[str, int]


@dataclass(frozen=True)
class Findings:
    """What a listing found that the warehouse does not know yet."""

    studies: Mapping[str, str]
    """New, changed or returned studies, and their versions."""
    photos: Mapping[str, str]
    """New or moved photographs by SOP instance UID, and their studies."""
    gone_studies: frozenset[str]
    """Studies that the archive no longer holds."""
    gone_photos: frozenset[int]
    """photo_ids of photographs that it no longer holds."""

    def __bool__(self) -> bool:
        return bool(self.studies or self.photos or self.gone_studies or self.gone_photos)


def load_ledger(connection: Connection, source: str) -> Ledger:
    """What is known of the archive `source` before it is listed."""
    photos = connection.execute(_PHOTOS, {"source": source})
    studies = connection.execute(_STUDIES, {"source": source})
    persons = connection.execute(text("SELECT mrn, person_id FROM hospital.patient_id_map"))
    return Ledger(
        photos={row.source_key: KnownPhoto(*row[1:]) for row in photos},
        studies={row.study_uid: KnownStudy(row.version, row.is_gone) for row in studies},
        person_by_mrn={row.mrn: row.person_id for row in persons},
    )


def write_findings(
    connection: Connection, source: str, findings: Findings, *, night: date, run_id: UUID
) -> dict[str, int]:
    """Write what a listing found, in the transaction that wrote its photographs into the ledger and took out the gone.

    Returns:
        The count of deleted studies; empty where nothing was deleted.
    """
    common = {"source": source, "night": night, "run_id": run_id}
    connection.execute(_REMEMBER_STUDIES, common | _columns(findings.studies.items()))
    connection.execute(_REMEMBER_PHOTOS, common | _columns(findings.photos.items()))
    connection.execute(_STUDIES_GONE, common | {"uids": sorted(findings.gone_studies)})
    gone = {"studies": len(findings.gone_studies), "photos": len(findings.gone_photos)}
    if not any(gone.values()):
        return {}
    audit.record(connection, action="deleted_at_source", subject=source, run_id=run_id, counts=gone)
    return {"studies_deleted_at_source": gone["studies"]}


def _columns(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    pairs = sorted(pairs)
    return {"uids": [uid for uid, _ in pairs], "others": [other for _, other in pairs]}


_PHOTOS = text(
    """
    SELECT source_key, photo_id, source_version, coalesce(held.study_uid, ''),
           coalesce(NOT reason.permanent, false) OR pull_again
    FROM fahr.photo_v1
    LEFT JOIN fahr.pacs_photo_v1 AS held USING (photo_id)
    LEFT JOIN fahr.reason_code_v1 AS reason USING (reason_code)
    WHERE source = :source
    """
)
_STUDIES = text(
    "SELECT study_uid, version, gone_since IS NOT NULL AS is_gone FROM fahr.pacs_study_v1 WHERE source = :source"
)
_REMEMBER_STUDIES = text(
    """
    INSERT INTO fahr.pacs_study_v1 (source, study_uid, version, gone_since, run_id)
    SELECT :source, study_uid, version, NULL, :run_id
    FROM unnest(CAST(:uids AS text[]), CAST(:others AS text[])) AS found (study_uid, version)
    ON CONFLICT (source, study_uid) DO UPDATE
    SET version = excluded.version, gone_since = NULL, run_id = excluded.run_id
    """
)
_REMEMBER_PHOTOS = text(
    """
    INSERT INTO fahr.pacs_photo_v1 (photo_id, study_uid, run_id)
    SELECT photo.photo_id, found.study_uid, :run_id
    FROM unnest(CAST(:uids AS text[]), CAST(:others AS text[])) AS found (source_key, study_uid)
    JOIN fahr.photo_v1 AS photo ON photo.source = :source AND photo.source_key = found.source_key
    ON CONFLICT (photo_id) DO UPDATE SET study_uid = excluded.study_uid, run_id = excluded.run_id
    """
)
_STUDIES_GONE = text(
    "UPDATE fahr.pacs_study_v1 SET gone_since = :night, run_id = :run_id"
    " WHERE source = :source AND study_uid = ANY(:uids)"
)
