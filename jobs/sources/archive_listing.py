"""What an archive holds: its studies, and the photographs of those that are to be listed one by one."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from jobs.sources.archive import AnswerRefused, Archive, Row, Span, is_uid
from jobs.sources.archive_photo import ArchivePhoto, Locator
from jobs.sources.base import SourceUnreachable
from jobs.sources.study_search import StudySearch
from schemas.landing_rules import PHOTO_SOP_CLASSES

log = logging.getLogger("fahr.pacs")

VL_PHOTOGRAPHIC = "1.2.840.10008.5.1.4.1.1.77.1.4"
LOOKS = 2
"""Times a study is listed before it counts as not told to the end: it may have changed meanwhile (ours)."""


@dataclass(frozen=True)
class Listing:
    """What was found in one go over an archive."""

    studies: dict[str, Row]
    """Every study with photographs that the archive holds, by UID."""
    walked: frozenset[str]
    """Those that were listed photo by photo, to the end."""
    photos: dict[str, ArchivePhoto]
    """Their photographs, by SOP instance UID."""
    complete: bool
    """Whether everything was told: every study, and every photo of those that were to be listed."""


def list_archive(
    archive: Archive,
    *,
    modalities: Sequence[str],
    connections: int,
    expected: Collection[str],
    is_wanted: Callable[[Row], bool],
) -> Listing:
    """List an archive's studies with objects of `modalities`, and the photographs of those that are wanted.

    Args:
        archive: who is asked.
        modalities: one search each.
        connections: questions at once.
        expected: UIDs of studies that it held once. One that no search shows is asked for by its UID, so that it is not
            taken for deleted because an answer was cut or a page turned at the wrong moment.
        is_wanted: whether a study is to be listed photo by photo.

    Raises:
        SourceUnreachable: the archive cannot be reached, or does not answer a search.
    """
    try:
        searches = [StudySearch(archive, modality).run() for modality in modalities]
        studies = {uid: row for search in searches for uid, row in search.found.items()}
        with ThreadPoolExecutor(connections) as pool:
            missing = sorted(set(expected) - studies.keys())
            rows = pool.map(lambda uid: _study(archive, modalities, uid), missing)
            studies |= {uid: row for uid, row in zip(missing, rows, strict=True) if row is not None}
    except AnswerRefused:
        raise SourceUnreachable("it does not answer a search for studies") from None
    wanted = [uid for uid, row in sorted(studies.items()) if is_wanted(row)]
    walks = _walk_all(archive, modalities, connections, [studies[uid] for uid in wanted])
    untold = sum(walk is None for walk in walks)
    if untold:
        log.warning("The PACS did not tell the photos of %s studies to the end; the next night asks again.", untold)
    return Listing(
        studies=studies,
        walked=frozenset(uid for uid, walk in zip(wanted, walks, strict=True) if walk is not None),
        photos={photo.locator.sop_uid: photo for walk in walks if walk is not None for photo in walk},
        complete=all(search.complete for search in searches) and not untold,
    )


def _study(archive: Archive, modalities: Sequence[str], study_uid: str) -> Row | None:
    """The row of one study, if the archive still holds it with one of the modalities."""
    for modality in modalities:
        for row in archive.studies(modality, Span(), study_uid=study_uid):
            told = row.get("ModalitiesInStudy")
            if row.get("StudyInstanceUID") == study_uid and (told is None or modality in told.split("\\")):
                return row
    return None


def _walk_all(
    archive: Archive, modalities: Sequence[str], connections: int, studies: Sequence[Row]
) -> list[list[ArchivePhoto] | None]:
    """The photographs of each study; None where they were not told to the end."""
    with ThreadPoolExecutor(connections) as pool:
        walks = [pool.submit(_walk, archive, modalities, study) for study in studies]
        try:
            return [walk.result() for walk in walks]
        except SourceUnreachable:
            pool.shutdown(cancel_futures=True)
            raise


def _walk(archive: Archive, modalities: Sequence[str], study: Row) -> list[ArchivePhoto] | None:
    for _ in range(LOOKS):
        try:
            return _photos_of(archive, modalities, study)
        except AnswerRefused:
            continue
    return None


def _photos_of(archive: Archive, modalities: Sequence[str], study: Row) -> list[ArchivePhoto]:
    """The photographs of a study, counted against the numbers the archive tells in another place.

    Raises:
        AnswerRefused: fewer came than were told, or no usable answer.
    """
    study_uid = study["StudyInstanceUID"]
    told = _number(study.get("NumberOfStudyRelatedSeries"))
    series = _own(archive.series(study_uid, told), "SeriesInstanceUID", told, StudyInstanceUID=study_uid)
    photos = []
    for uid, row in series.items():
        if row.get("Modality", modalities[0]) not in modalities:
            continue
        told = _number(row.get("NumberOfSeriesRelatedInstances"))
        rows = archive.instances(study_uid, uid, told)
        instances = _own(rows, "SOPInstanceUID", told, StudyInstanceUID=study_uid, SeriesInstanceUID=uid)
        photos += [
            ArchivePhoto(Locator(study_uid, uid, sop_uid), study.get("PatientID", ""), study, instance)
            for sop_uid, instance in instances.items()
            # An archive need not tell the class in a search; then the object itself will.
            if instance.get("SOPClassUID", VL_PHOTOGRAPHIC) in PHOTO_SOP_CLASSES
        ]
    return photos


def _own(rows: Sequence[Row], key: str, told: int | None, **parents: str) -> dict[str, Row]:
    """The rows that belong to their parents, as was asked for, by UID; no fewer than were told."""
    own = {
        row[key]: row
        for row in rows
        if is_uid(row.get(key)) and all(row.get(name, uid) == uid for name, uid in parents.items())
    }
    if told is not None and len(own) < told:
        raise AnswerRefused("fewer rows than told")
    return own


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdigit() else None
