"""Photographs in a PACS: what it holds is compared with what is known, so that nothing hangs on a date or a watermark.

Late arrivals, corrected studies and deletions all show as a difference between the two, whenever they happened.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection

from jobs.sources.archive import Archive, Row, study_date
from jobs.sources.archive_ledger import Findings, KnownStudy, Ledger, load_ledger, write_findings
from jobs.sources.archive_listing import Listing, list_archive
from jobs.sources.archive_photo import ArchivePhoto, digest
from jobs.sources.base import ListedPhoto, PhotoReader

STUDY_FACTS = (
    "StudyDate",
    "StudyTime",
    "ModalitiesInStudy",
    "PatientID",
    "NumberOfStudyRelatedSeries",
    "NumberOfStudyRelatedInstances",
)


class ArchiveSource:
    """One archive as a source of photographs.

    Args:
        name: `dicomweb` or `dimse`, as in `fahr.photo_v1.source`.
        archive: who is asked.
        make_reader: gives the reader for one pull.
        modalities: whose objects are photographs.
        connections: questions at once.
        relist_nights: a study whose entry is unchanged is listed photo by photo once in so many nights.
    """

    def __init__(
        self,
        *,
        name: str,
        archive: Archive,
        make_reader: Callable[[], PhotoReader],
        modalities: Sequence[str] = ("XC",),
        connections: int = 8,
        relist_nights: int = 1,
    ) -> None:
        self.name = name
        self.complete = True
        self._archive = archive
        self._make_reader = make_reader
        self._modalities = tuple(modalities)
        self._connections = connections
        self._relist_nights = relist_nights
        self._findings: Findings | None = None

    def new_photos(self, connection: Connection, night: date) -> list[ListedPhoto]:
        """Photographs that the archive holds and the ledger does not, or not like that, or is to try again.

        A study dated later than `night` waits for its night; one dated in a future that no night can know (a clock that
        goes wrong) is listed at once, and validation says so.

        Raises:
            SourceUnreachable: the archive cannot be reached.
        """
        self.complete, self._findings = True, None
        ledger = load_ledger(connection, self.name)
        waiting = {photo.study_uid for photo in ledger.photos.values() if photo.is_to_be_retried}
        try:
            listing = list_archive(
                self._archive,
                modalities=self._modalities,
                connections=self._connections,
                expected=[uid for uid, study in ledger.studies.items() if not study.is_gone],
                is_wanted=lambda study: _is_due(study, night) and self._is_to_be_walked(study, ledger, waiting, night),
            )
        finally:
            self._archive.release()
        self.complete, self._findings = listing.complete, _compare(listing, ledger)
        listed = (_listed(photo, ledger, self.name) for photo in listing.photos.values())
        return sorted((photo for photo in listed if photo is not None), key=lambda photo: photo.key)

    def withdrawn_photos(self, connection: Connection, night: date) -> list[int]:
        """Photo ids of the ledger that the last listing showed to be gone; an archive is compared on every night."""
        return sorted(self._findings.gone_photos) if self._findings else []

    def reader(self) -> PhotoReader:
        """A reader for one pull."""
        return self._make_reader()

    def has_news(self) -> bool:
        """Whether the last listing found anything to remember."""
        return bool(self._findings)

    def remember(self, connection: Connection, night: date, run_id: UUID) -> dict[str, int]:
        """Write down what the last listing found; counts of what was deleted."""
        if not self._findings:
            return {}
        return write_findings(connection, self.name, self._findings, night=night, run_id=run_id)

    def _is_to_be_walked(self, study: Row, ledger: Ledger, waiting: set[str], night: date) -> bool:
        uid = study["StudyInstanceUID"]
        unchanged = ledger.studies.get(uid) == KnownStudy(_study_version(study, ledger), is_gone=False)
        turn = (zlib.crc32(uid.encode()) + night.toordinal()) % self._relist_nights == 0
        return turn or not unchanged or uid in waiting


def _is_due(study: Row, night: date) -> bool:
    """Whether a study belongs to `night` or an earlier one, as far as its date tells."""
    day = study_date(study)
    return day is None or day <= night or day > datetime.now(UTC).date() + timedelta(days=1)


def _study_version(study: Row, ledger: Ledger) -> str:
    person_id = ledger.person_by_mrn.get(study.get("PatientID", ""))
    return digest([person_id, *(study.get(name) for name in STUDY_FACTS)])


def _listed(photo: ArchivePhoto, ledger: Ledger, source: str) -> ListedPhoto | None:
    """The photograph as it is to be pulled; None where nothing about it is new."""
    person_id = ledger.person_by_mrn.get(photo.patient_id)
    version = photo.version(person_id)
    known = ledger.photos.get(photo.locator.sop_uid)
    if known is not None and known.version == version and not known.is_to_be_retried:
        return None
    return ListedPhoto(
        source=source,
        key=photo.locator.sop_uid,
        version=version,
        locator=photo.locator.to_text(),
        person_id=person_id,
        # Whom the map does not know we have no business to read a photograph of.
        refused_as="unknown_patient" if person_id is None else None,
    )


def _compare(listing: Listing, ledger: Ledger) -> Findings:
    """What is to be remembered of a listing."""
    studies = {}
    for uid in listing.walked:
        version = _study_version(listing.studies[uid], ledger)
        if ledger.studies.get(uid) != KnownStudy(version, is_gone=False):
            studies[uid] = version
    photos = {}
    for uid, photo in listing.photos.items():
        known = ledger.photos.get(uid)
        if known is None or known.study_uid != photo.locator.study_uid:
            photos[uid] = photo.locator.study_uid
    gone_studies = frozenset(
        uid for uid, study in ledger.studies.items() if not study.is_gone and uid not in listing.studies
    )
    gone_photos = frozenset(
        known.photo_id
        for uid, known in ledger.photos.items()
        if uid not in listing.photos and (known.study_uid in listing.walked or known.study_uid in gone_studies)
    )
    return Findings(studies=studies, photos=photos, gone_studies=gone_studies, gone_photos=gone_photos)
