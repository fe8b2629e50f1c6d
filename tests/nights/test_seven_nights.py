"""Seven nights in which everything changes end in the very tables that one clean night over the final state gives."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, text

from jobs.errors import PartialNight
from jobs.nightly import run_stages
from jobs.settings import Settings
from jobs.spark import LazySpark
from jobs.warehouse.connection import open_warehouse
from tests.conftest import TEMPLATE, database_url, execute_alone
from tests.jobs.landed import IMPORTS_GREAT_EXPECTATIONS
from tests.model.releases import small_release
from tests.nights.changing_hospital import ChangingHospital, copy_hospital, face, landed_bytes, tables_of
from tests.nights.photograph import jpeg_bytes

pytestmark = IMPORTS_GREAT_EXPECTATIONS

NIGHTS = [date(2026, 3, day) for day in range(1, 8)]


def _settings(home: Path, url: str, share: Path, dicom: Path, model: Path) -> Settings:
    home.mkdir(mode=0o700)
    return Settings(
        home=home,
        warehouse_url=SecretStr(url),
        spark_master="local[2]",
        photo_root=share,
        dicom_root=dicom,
        model=str(model),
        comparison_days=1,
        # Photos that share a batch change each other's scores in the last bits; which do is history.
        score_batch_size=1,
    )


def _opened(stack: ExitStack, settings: Settings, role: str | None = "fahr_loader") -> Engine:
    engine = open_warehouse(settings, role=role)
    stack.callback(engine.dispose)
    return engine


@pytest.fixture
def clean_url(postgres_server: str) -> Iterator[str]:
    """URL of a second fresh warehouse."""
    execute_alone(postgres_server, f"CREATE DATABASE clean_night TEMPLATE {TEMPLATE}")
    yield database_url(postgres_server, "clean_night")
    execute_alone(postgres_server, "DROP DATABASE clean_night WITH (FORCE)")


def _first_night(hospital: ChangingHospital) -> None:
    hospital.maps(M1=1, M2=2, M3=3, M4=4, M5=5, M6=6)
    registered = "2026-03-01 09:00"
    for number, (key, mrn) in enumerate(
        [("a-stays", "M1"), ("a-changes", "M2"), ("a-deleted", "M2"), ("a-opts-out", "M3"), ("a-unmapped", "M9")]
    ):
        hospital.registers(key, mrn, face(number), registered=registered)
    hospital.registers("a-redated", "M1", face(10), registered=registered, captured="2027-01-01 10:00")
    hospital.registers("a-merged-4", "M4", face(11), registered=registered, captured="2024-02-20 10:00")
    hospital.registers("a-merged-5", "M5", face(12), registered=registered)
    hospital.registers("a-shared-4", "M4", face(13), registered=registered)
    hospital.registers("a-shared-5", "M5", face(13), registered=registered)
    hospital.registers("a-comes-late", "M6", None, registered=registered)
    hospital.registers("a-wall", "M6", jpeg_bytes(np.full((300, 300, 3), 180, np.uint8)), registered=registered)
    hospital.stores_dicom("stays.dcm", "M1", 20, arrived=NIGHTS[0])
    hospital.stores_dicom("deleted.dcm", "M2", 21, arrived=NIGHTS[0])
    hospital.stores_dicom("opts-out.dcm", "M3", 22, arrived=NIGHTS[0])
    hospital.stores_dicom("unmapped.dcm", "M9", 23, arrived=NIGHTS[0])


def test_seven_nights_end_in_the_tables_of_one_clean_night(
    warehouse_url: str, clean_url: str, owner_engine: Engine, tmp_path: Path
):
    share, dicom, model = tmp_path / "share", tmp_path / "dicom", small_release(tmp_path / "release", seed=3).folder
    share.mkdir()
    dicom.mkdir()
    settings = _settings(tmp_path / "seven", warehouse_url, share, dicom, model)
    hospital = ChangingHospital(owner_engine, share, dicom)
    clean_settings = _settings(tmp_path / "one", clean_url, share, dicom, model)
    with ExitStack() as stack:
        spark = stack.enter_context(LazySpark(settings, "seven nights", scores=True))
        engine, clean_owner, clean_engine = (
            _opened(stack, settings),
            _opened(stack, clean_settings, role=None),
            _opened(stack, clean_settings),
        )

        def night(number: int, **options: str) -> dict[str, dict[str, int]]:
            return run_stages(settings=settings, engine=engine, spark=spark, night=NIGHTS[number - 1], **options)

        _first_night(hospital)
        first = night(1)
        assert first["pull"] == {"listed": 16, "landed": 13, "file_missing": 1, "unknown_patient": 2}
        assert first["validate"]["bytes_of_another_patient"] == 2
        assert first["publish"] == {"scored": 6, "rejected": 1, "failed": 0}

        # The day has come on which the DICOM photos say they were taken. A photo is new; but the share is away.
        hospital.registers("b-new", "M6", face(30), registered="2026-03-02 09:00")
        away = share.rename(tmp_path / "away")
        with pytest.raises(PartialNight):
            night(2)
        away.rename(share)
        assert hospital.scored("dicom_folder") == 3

        # New bytes under the same key; a row that the hospital dates back by days.
        hospital.registers("a-changes", "M2", face(31), registered="2026-03-03 09:00")
        hospital.registers("c-dated-back", "M1", face(32), registered="2026-02-27 09:00", captured="2023-02-20 10:00")
        third = night(3)
        assert (third["pull"]["landed"], third["publish"]["forgotten"]) == (3, 1)

        # What failed recovers; a date of capture is corrected.
        (share / "a-comes-late.jpg").write_bytes(face(33))
        hospital.registers("a-redated", "M1", None, registered="2026-03-04 09:00", captured="2026-02-10 10:00")
        fourth = night(4)
        assert (fourth["pull"]["landed"], fourth["validate"]["accepted"]) == (2, 2)

        # Deleted at both sources; a patient refuses.
        hospital.deletes("a-deleted")
        (dicom / "deleted.dcm").unlink()
        hospital.execute("INSERT INTO hospital.opt_out VALUES (3, '2026-03-05')")
        fifth = night(5)
        assert (fifth["pull"]["withdrawn"], fifth["pull"]["photos_opted_out"]) == (2, 2)

        # Two persons are one; a record number finds its person, and the share's photo of that patient comes in.
        hospital.execute("INSERT INTO hospital.person_merge VALUES (5, 4, '2026-03-06')")
        hospital.maps(M9=9)
        sixth = night(6)
        assert (sixth["pull"]["photos_moved"], sixth["pull"]["landed"], sixth["validate"]["accepted"]) == (2, 1, 3)

        # The DICOM folder's is read again by its reason; a photo's bytes turn up under another patient.
        hospital.registers("d-same-bytes", "M6", face(0), registered="2026-03-07 09:00")
        seventh = night(7, retry="unknown_patient")
        assert (seventh["retry"]["photos"], seventh["validate"]["bytes_of_another_patient"]) == (1, 2)
        assert night(7) == {
            "pull": {"listed": 0, "landed": 0},
            "validate": {},
            "score": {},
            "publish": {},
            "archive": {},
        }

        copy_hospital(owner_engine, clean_owner)
        run_stages(settings=clean_settings, engine=clean_engine, spark=spark, night=NIGHTS[-1])

        expected, found = tables_of(clean_owner), tables_of(owner_engine)
        landed = landed_bytes(settings.landing, owner_engine)
        assert landed == landed_bytes(clean_settings.landing, clean_owner)

    assert {table: len(rows) for table, rows in found.items()} == {table: len(rows) for table, rows in expected.items()}
    assert [table for table, rows in expected.items() if found[table] != rows] == []
    assert {row["person_id"] for row in found["session_score"]} == {1, 2, 4, 6, 9}
    assert len(found["face_aging_rate"]) >= 2
    with owner_engine.connect() as connection:
        tombstones = connection.execute(
            text("SELECT action, subject, counts FROM fahr.audit_v1 WHERE action IN ('opt_out', 'merge', 'withdraw')")
        ).all()
    assert {row.action for row in tombstones} == {"opt_out", "merge", "withdraw"}
    assert [row.counts for row in tombstones if row.action == "opt_out"] == [{"photos": 2, "landed": 2, "scores": 2}]
