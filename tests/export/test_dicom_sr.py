"""Structured reports: valid by dciodvfy, readable by dsrdump, the same again, of DICOM photos alone."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import highdicom as hd
import pytest
from pydicom import dcmread
from sqlalchemy import Engine, text

from jobs.demo.dicom_photographs import dicom_file, photographic_object
from jobs.demo.photographs import render
from jobs.demo.population import admit_patients
from jobs.demo.sessions import DICOM_FOLDER, plan_photos, plan_sessions
from jobs.errors import UsageError
from jobs.export.reports import export_reports
from tests.export.scored import score_photos
from tests.jobs.landed import land, photo

REPORTED, SHARED, UNSCORED, BROKEN = 1, 2, 3, 4


@pytest.fixture(scope="module")
def taken():
    """The header and the bytes of one of the demo's DICOM photographs."""
    planned = next(
        one for one in plan_photos(plan_sessions(admit_patients(20, 7), 7), 7) if one.session.source == DICOM_FOLDER
    )
    dataset = photographic_object(planned, render(planned), encoding="jpeg_baseline")
    return dataset, dicom_file(dataset)


@pytest.fixture
def scored(settings, engine: Engine, taken) -> Engine:
    """A scored DICOM photo; one of the share, one without a score, one that is no DICOM file."""
    dataset, content = taken
    facts = {"source": "dicom_folder", "sop_class_uid": dataset.SOPClassUID, "image_format": "dicom"}
    landed = [
        photo(REPORTED, content=content, **facts),
        photo(SHARED),
        photo(UNSCORED, content=content + b"\0\0", **facts),
        photo(BROKEN, content=b"no DICOM at all", **facts),
    ]
    score_photos(engine, land(settings, engine, landed), unscored=[UNSCORED])
    return engine


@pytest.fixture
def reports(scored: Engine, settings, tmp_path: Path) -> Path:
    folder = tmp_path / "sr"
    assert export_reports(settings=settings, engine=scored, folder=folder) == {"reports": 1, "refused": 1}
    return folder


def tool(name: str, *arguments: str) -> str:
    """What a tool prints, on both streams."""
    path = shutil.which(name)
    assert path, f"{name} is not installed: tools/orthanc.sh"
    ended = subprocess.run([path, *arguments], capture_output=True, text=True, check=False)
    return ended.stdout + ended.stderr


def test_the_report_is_valid_and_readable_by_others(reports: Path) -> None:
    (file,) = reports.iterdir()
    assert [line for line in tool("dciodvfy", str(file)).splitlines() if line.startswith("Error")] == []
    told = tool("dsrdump", str(file))
    assert "Imaging Measurement Report" in told
    assert "61.25" in told and "-0.5" in told and "research use only" in told and "Face" in told


def test_it_refers_to_the_photo_in_the_patients_study(reports: Path, taken) -> None:
    dataset, _ = taken
    (file,) = reports.iterdir()
    report = dcmread(file)
    assert (report.PatientID, report.StudyInstanceUID) == (dataset.PatientID, dataset.StudyInstanceUID)
    assert report.SeriesInstanceUID != dataset.SeriesInstanceUID
    (series,) = report.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
    assert [one.ReferencedSOPInstanceUID for one in series.ReferencedSOPSequence] == [dataset.SOPInstanceUID]
    assert (report.VerificationFlag, report.PreliminaryFlag) == ("UNVERIFIED", "PRELIMINARY")
    groups = hd.sr.srread(file).content.get_image_measurement_groups()
    values = {one.name.value: (one.value, one.unit.value) for one in groups[0].get_measurements()}
    assert values == {"face_age": (61.25, "a"), "face_survival": (-0.5, "1")}


def test_the_same_scores_give_the_same_file(reports: Path, scored: Engine, settings, tmp_path: Path) -> None:
    again = tmp_path / "again"
    export_reports(settings=settings, engine=scored, folder=again)
    assert {file.name: file.read_bytes() for file in again.iterdir()} == {
        file.name: file.read_bytes() for file in reports.iterdir()
    }


def test_reports_are_for_one_folder_of_their_own_and_in_the_audit(reports: Path, scored: Engine, settings) -> None:
    assert reports.stat().st_mode & 0o777 == 0o700
    with pytest.raises(UsageError, match="not empty"):
        export_reports(settings=settings, engine=scored, folder=reports)
    with scored.connect() as connection:
        told = connection.execute(text("SELECT counts FROM fahr.audit_v1 WHERE action = 'export_dicom_sr'")).scalars()
        assert list(told) == [{"reports": 1, "refused": 1}]


@pytest.mark.parametrize("under", [1000 + REPORTED, 77])
def test_who_refuses_today_has_no_report_though_no_night_followed_it(
    scored: Engine, owner_engine: Engine, settings, tmp_path: Path, under: int
) -> None:
    """Also where the refusal is under an id that was merged into the patient's."""
    with owner_engine.begin() as connection:
        connection.execute(
            text("INSERT INTO hospital.person_merge VALUES (77, :person, '2026-03-01')"), {"person": 1001}
        )
        connection.execute(text("INSERT INTO hospital.opt_out VALUES (:person, current_date)"), {"person": under})
    assert export_reports(settings=settings, engine=scored, folder=tmp_path / "sr") == {"reports": 0, "refused": 1}


def test_a_photo_whose_bytes_were_purged_has_no_report(scored: Engine, settings, tmp_path: Path) -> None:
    with scored.begin() as connection:
        connection.execute(text("UPDATE fahr.photo_v1 SET bytes_purged_on = '2026-04-01'"))
    assert export_reports(settings=settings, engine=scored, folder=tmp_path / "sr") == {"reports": 0, "refused": 0}
