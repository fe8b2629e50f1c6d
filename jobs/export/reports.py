"""`fahr export --dicom-sr`: current scores of DICOM photographs as structured reports, one a photo, as files."""

from __future__ import annotations

import logging
import shutil
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from io import BytesIO
from itertools import groupby
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.dataset as ds
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from sqlalchemy import Engine, Row, text

from jobs import audit
from jobs.errors import UsageError
from jobs.export.structured_report import HEADER_TAGS, PhotoScores, structured_report
from jobs.landing import landing_partition
from jobs.merges import kept_persons
from jobs.opt_outs import refusing_persons
from jobs.runs import code_version
from jobs.settings import Settings

log = logging.getLogger("fahr.export")

PHOTOS_AT_ONCE = 32
"""Landed photos held in memory at once."""

_SCORED = text("""
    SELECT
        photo.photo_id, photo.landing_run_id, score.face_age_years, score.face_survival_log_risk, score.model_id,
        score.preprocessing_id, known.weights_sha256, known.scored_on
    FROM fahr.face_score_unseen AS score
    JOIN fahr.photo_v1 AS photo USING (photo_id)
    JOIN fahr.face_score_v1 AS known
        ON (known.content_sha256, known.model_id, known.preprocessing_id)
        = (score.content_sha256, score.model_id, score.preprocessing_id)
    WHERE score.is_current_model AND photo.sop_class_uid IS NOT NULL AND photo.bytes_purged_on IS NULL
        AND score.person_id <> ALL(:refusing)
        AND (score.face_age_years IS NOT NULL OR score.face_survival_log_risk IS NOT NULL)
        AND (CAST(:source AS text) IS NULL OR photo.source = :source)
    ORDER BY photo.landing_run_id, photo.photo_id
""")


@dataclass(frozen=True, slots=True)
class Report:
    """A report as a DICOM file."""

    sop_uid: str
    content: bytes = field(repr=False)


def export_reports(*, settings: Settings, engine: Engine, folder: Path) -> dict[str, int]:
    """Write a report of each DICOM photo that the current model scored and whose bytes are still landed.

    The reports hold the patient's identifiers, taken from the photo's header: they are for the PACS alone.
    Networks that had seen the person say nothing. The same scores give the same files.

    Args:
        settings: where photos are landed.
        engine: warehouse, as fahr_loader.
        folder: does not exist or is empty; made with mode 0700.

    Returns:
        Counts: reports, refused (photos of which no valid report can be made).

    Raises:
        UsageError: the folder holds something.
    """
    folder = folder.resolve()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError("The folder of --to is not empty.", next_step="Name a new folder: reports hold identifiers.")
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700, parents=True)
    counts = {"reports": 0, "refused": 0}
    try:
        for report in made_reports(settings=settings, engine=engine):
            counts["refused" if report is None else "reports"] += 1
            if report is not None:
                (unfinished / f"{report.sop_uid}.dcm").write_bytes(report.content)
        with engine.begin() as connection:
            audit.record(connection, action="role_use", subject="export of structured reports")
            audit.record(connection, action="export_dicom_sr", counts=counts)
        if folder.exists():
            folder.rmdir()
        unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    log.info("structured reports: %s", counts)
    return counts


def made_reports(*, settings: Settings, engine: Engine, source: str | None = None) -> Iterator[Report | None]:
    """The report of each DICOM photo that the current model scored and whose bytes are landed; None: it can have none.

    Of a person who refused by today there is none, whether or not a night has followed that.

    Args:
        settings: where photos are landed.
        engine: warehouse, as fahr_loader.
        source: photos of this source alone.
    """
    today = date.today()
    with engine.connect() as connection:
        refusing = refusing_persons(connection, today, kept_persons(connection, today))
        scored = connection.execute(_SCORED, {"source": source, "refusing": list(refusing)}).all()
    for row, content in _with_bytes(settings.landing, scored):
        yield _report(row, content)


def _with_bytes(landing: Path, scored: Sequence[Row]) -> Iterator[tuple[Row, bytes]]:
    for run_id, rows in groupby(scored, key=lambda row: row.landing_run_id):
        wanted = {row.photo_id: row for row in rows}
        data = ds.dataset(landing_partition(landing, run_id), format="parquet")
        batches = data.to_batches(
            columns=["photo_id", "content"],
            filter=pc.field("photo_id").isin(list(wanted)),
            batch_size=PHOTOS_AT_ONCE,
            batch_readahead=0,
            fragment_readahead=0,
        )
        for batch in batches:
            for photo_id, content in zip(batch["photo_id"].to_pylist(), batch["content"], strict=True):
                yield wanted[photo_id], content.as_py()


def _report(row: Row, content: bytes) -> Report | None:
    """The report of one photo; None where its header cannot carry one."""
    scores = PhotoScores(
        face_age_years=row.face_age_years,
        face_survival_log_risk=row.face_survival_log_risk,
        model_id=row.model_id,
        preprocessing_id=row.preprocessing_id,
        weights_sha256=row.weights_sha256,
        scored_on=row.scored_on,
    )
    try:
        with warnings.catch_warnings():
            # Warnings of the library quote header values, which are a patient's.
            warnings.simplefilter("ignore")
            report = structured_report(_header(content), scores, code_version=code_version())
            report.save_as(file := BytesIO(), enforce_file_format=True)
    except (ValueError, TypeError, AttributeError, KeyError, InvalidDicomError) as error:
        log.warning("photo %d: no report can be made (%s)", row.photo_id, type(error).__name__)
        return None
    return Report(str(report.SOPInstanceUID), file.getvalue())


def _header(content: bytes) -> Dataset:
    """The tags that a report needs, and no pixel."""
    return dcmread(BytesIO(content), stop_before_pixels=True, specific_tags=list(HEADER_TAGS))
