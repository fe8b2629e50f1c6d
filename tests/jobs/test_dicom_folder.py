"""A folder of DICOM photographs as file servers are: odd names, files that move while it is listed, closed folders."""

from __future__ import annotations

import logging
import os
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import text

from jobs.errors import PartialNight
from jobs.pull import pull
from jobs.sources import dicom_folder
from jobs.sources.base import SourceUnreachable
from jobs.sources.dicom_folder import DicomFolderSource
from tests.jobs.landed import rows
from tests.nights.photograph import store_as_dicom

NIGHT = date(2026, 3, 2)


@pytest.fixture
def folder(settings, owner_engine) -> Path:
    """A folder of one photograph of a known patient."""
    with owner_engine.begin() as connection:
        connection.execute(text("INSERT INTO hospital.patient_id_map VALUES ('M1', 1)"))
    folder = settings.home / "hospital" / "dicom"
    store(folder / "plain.dcm")
    return folder


def store(path: Path, seed: int = 0) -> None:
    pixels = np.random.default_rng(seed).integers(0, 255, (60, 80, 3), dtype=np.uint8)
    store_as_dicom(pixels, path, mrn="M1")


def test_a_file_whose_name_is_no_utf8_is_pulled_once_and_stays(settings, engine, spark, folder):
    names = [b"M\xfcller.dcm", b"M%FCller.dcm", "Müller.dcm".encode()]
    for seed, name in enumerate(names):
        store(folder / "new.dcm", seed=seed + 1)
        (folder / "new.dcm").rename(folder / os.fsdecode(name))
    night = {"settings": settings, "engine": engine, "spark": spark}
    assert pull(night=NIGHT, **night) == {"listed": 4, "landed": 4}
    keys = {row.source_key for row in rows(engine, "SELECT source_key FROM fahr.photo_v1")}
    assert keys == {"plain.dcm", "./M%FCller.dcm", "M%FCller.dcm", "Müller.dcm"}
    assert rows(engine, "SELECT count(DISTINCT content_sha256) FROM fahr.photo_v1") == [(4,)]
    assert pull(night=date(2026, 3, 9), **night) == {"listed": 0, "landed": 0}, "all are found by the comparison"


def test_a_file_that_goes_while_the_folder_is_listed_is_passed_over(folder):
    store(folder / "series" / "one.dcm", seed=1)
    store(folder / "series" / "two.dcm", seed=2)
    found = dicom_folder._files_below(folder / "series")
    path, _ = next(found)
    for other in {"one.dcm", "two.dcm"} - {path.name}:
        (folder / "series" / other).rename(folder / "renamed.dcm")
    assert list(found) == []


def test_a_folder_that_cannot_be_looked_into_is_away_and_the_log_says_why(settings, engine, spark, folder, caplog):
    # A link that leads round in a circle is refused to root too, which no mode is.
    (folder / "round.dcm").symlink_to("round.dcm")
    with caplog.at_level(logging.WARNING, "fahr.pull"), pytest.raises(PartialNight):
        pull(settings=settings, engine=engine, spark=spark, night=NIGHT)
    assert "dicom_folder cannot be reached: a folder or file in it cannot be looked at" in caplog.text
    assert "round" not in caplog.text and str(folder) not in caplog.text


def test_a_folder_that_lost_its_mount_withdraws_nothing(settings, engine, spark, folder, caplog):
    night = {"settings": settings, "engine": engine, "spark": spark}
    pull(night=NIGHT, **night)
    (folder / "plain.dcm").unlink()
    with caplog.at_level(logging.WARNING, "fahr.pull"), pytest.raises(PartialNight):
        pull(night=date(2026, 3, 9), **night)
    assert "its folder is empty" in caplog.text
    assert len(rows(engine, "SELECT * FROM fahr.photo_v1")) == 1
    with engine.connect() as connection, pytest.raises(SourceUnreachable, match="not there"):
        folder.rmdir()
        DicomFolderSource(folder).new_photos(connection, NIGHT)
