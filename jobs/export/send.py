"""`fahr export --dicom-sr --send`: structured reports into the PACS that their photographs came from, by STOW-RS."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator

from sqlalchemy import Engine

from jobs import audit
from jobs.errors import SettingsError
from jobs.export.reports import Report, made_reports
from jobs.export.stow import store
from jobs.settings import Settings
from jobs.sources.archive import AnswerRefused
from jobs.sources.archives import http_peer
from jobs.sources.base import SourceUnreachable
from jobs.sources.http_peer import AnswerTooLarge, HttpPeer, NothingThere

log = logging.getLogger("fahr.export")

REPORTS_AT_ONCE = 32
"""Reports in one request (ours): a few hundred kilobytes."""

SOURCE = "dicomweb"
"""Photographs of this source are in the PACS that is sent to; of others it knows nothing."""


def send_reports(*, settings: Settings, engine: Engine) -> dict[str, int]:
    """Store a report of each photo that came from the PACS through DICOMweb and was scored by the current model there.

    The same score of the same photo is the same object, which a PACS keeps once: to send again does no harm. Nothing is
    written on this machine.

    Args:
        settings: the PACS, and where photos are landed.
        engine: warehouse, as fahr_loader.

    Returns:
        Counts: reports (in the PACS now), refused (photos of which no valid report can be made).

    Raises:
        SettingsError: no DICOMweb root is set, the PACS cannot be reached, or it did not store all. What it took stays.
    """
    if settings.pacs_url is None:
        raise SettingsError(
            "No PACS is set that reports could be sent to.",
            next_step="Set FAHR_PACS_URL; to a PACS without DICOMweb send the files of --to with storescu.",
        )
    peer = http_peer(settings, settings.pacs_url)
    counts = {"reports": 0, "refused": 0}
    failures: Counter[str] = Counter()
    try:
        for batch in _batches(made_reports(settings=settings, engine=engine, source=SOURCE), counts):
            _send(peer, engine, batch, counts, failures)
    finally:
        peer.release()
        if any(counts.values()) or failures:
            _tell(engine, counts, failures)
    if failures:
        told = "; ".join(f"{number} {reason}" for reason, number in sorted(failures.items()))
        raise SettingsError(
            f"The PACS stored {counts['reports']} reports and refused {failures.total()}: {told}.",
            next_step="Let it take Enhanced SR (1.2.840.10008.5.1.4.1.1.88.22) of this user, and send again.",
        )
    log.info("structured reports sent: %s", counts)
    return counts


def _batches(reports: Iterable[Report | None], counts: dict[str, int]) -> Iterator[dict[str, bytes]]:
    """Files of reports by their UID, so many at a time; what has no report is counted."""
    batch: dict[str, bytes] = {}
    for report in reports:
        if report is None:
            counts["refused"] += 1
            continue
        batch[report.sop_uid] = report.content
        if len(batch) == REPORTS_AT_ONCE:
            yield batch
            batch = {}
    if batch:
        yield batch


def _send(
    peer: HttpPeer, engine: Engine, batch: dict[str, bytes], counts: dict[str, int], failures: Counter[str]
) -> None:
    if not counts["reports"] and not failures:
        with engine.begin() as connection:
            # Told before anything is sent.
            audit.record(connection, action="role_use", subject="structured reports to the PACS")
    try:
        answer = store(peer, batch)
    except SourceUnreachable as problem:
        raise SettingsError(
            f"The PACS cannot be sent to: {problem}. {counts['reports']} reports were stored before.",
            next_step="Send again when it answers, as a user who may store: what it has is kept once.",
        ) from None
    except (AnswerRefused, AnswerTooLarge, NothingThere) as problem:
        raise SettingsError(
            f"The PACS takes no reports at FAHR_PACS_URL ({_WORDS.get(type(problem)) or problem})."
            f" {counts['reports']} were stored before.",
            next_step="See that it offers STOW-RS below this root, to this user.",
        ) from None
    counts["reports"] += len(answer.stored)
    failures.update(answer.failed.values())


_WORDS = {NothingThere: "nothing is there", AnswerTooLarge: "an endless answer"}


def _tell(engine: Engine, counts: dict[str, int], failures: Counter[str]) -> None:
    told = counts | ({"not_stored": failures.total()} if failures else {})
    with engine.begin() as connection:
        audit.record(connection, action="export_dicom_sr", subject="to the PACS", counts=told)
