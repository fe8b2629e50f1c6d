"""Sources, readers and settings over the servers of a test."""

from __future__ import annotations

from typing import Any

from pydantic import SecretStr
from sqlalchemy import Engine, text

from jobs.demo.pacs import USER, Orthanc
from jobs.sources.archive_listing import Listing, list_archive
from jobs.sources.archive_photo import Locator
from jobs.sources.archive_source import ArchiveSource
from jobs.sources.dicomweb import DicomwebArchive, DicomwebReader
from jobs.sources.http_peer import HttpPeer
from tests.pacs.objects import sop_uid, study_uid


def peer_of(orthanc: Orthanc, url: str | None = None, **changes: Any) -> HttpPeer:
    """Orthanc, or the proxy at `url` before it, as it is to be asked."""
    facts = {"user": USER, "password": SecretStr(orthanc.password), "timeout_seconds": 5} | changes
    return HttpPeer(root=url or orthanc.url, **facts)


def source_of(peer: HttpPeer, *, page_rows: int = 500, **changes: Any) -> ArchiveSource:
    """A source over a DICOMweb server."""
    return ArchiveSource(
        name="dicomweb",
        archive=DicomwebArchive(peer, page_rows=page_rows),
        make_reader=lambda: DicomwebReader(peer),
        connections=peer.connections,
        **changes,
    )


def listing_of(peer: HttpPeer, *, page_rows: int = 500, **changes: Any) -> Listing:
    """Everything that a DICOMweb server holds."""
    asked: dict[str, Any] = {"modalities": ["XC"], "connections": 4, "expected": [], "is_wanted": lambda study: True}
    return list_archive(DicomwebArchive(peer, page_rows=page_rows), **(asked | changes))


def locator_of(number: int, study: int | None = None) -> str:
    """Where `photo_file(number, study=study)` lies."""
    uid = study_uid(number if study is None else study)
    return Locator(uid, f"{uid}.1", sop_uid(number)).to_text()


def ledger(engine: Engine) -> dict[str, Any]:
    """Rows of the ledger by SOP instance UID."""
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT * FROM fahr.photo_v1 ORDER BY photo_id")).mappings()
        return {row["source_key"]: row for row in rows}


def delete_study(orthanc: Orthanc, study: int) -> None:
    """Delete a study from the PACS."""
    _, found = orthanc.ask("POST", "tools/find", {"Level": "Study", "Query": {"StudyInstanceUID": study_uid(study)}})
    for identifier in found:
        orthanc.ask("DELETE", f"studies/{identifier}")
