"""Pull: what lands, what is refused and why, and that a rerun changes nothing."""

from __future__ import annotations

import hashlib
import os
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pyarrow.dataset as ds
import pytest
from sqlalchemy import text

from jobs.errors import PartialNight
from jobs.pull import pull
from jobs.retry import mark_for_retry
from tests.nights.photograph import jpeg_bytes, store_as_dicom

NIGHT = date(2026, 3, 2)


@pytest.fixture
def share(settings, owner_engine) -> Path:
    """A share without photographs, with two known patients."""
    settings.share.mkdir(parents=True)
    (settings.share / "README").write_text("Photographs of the clinic.")
    with owner_engine.begin() as connection:
        connection.execute(text("INSERT INTO hospital.patient_id_map VALUES ('M1', 1), ('M2', 2)"))
    return settings.share


def _photo(seed: int) -> bytes:
    return jpeg_bytes(np.random.default_rng(seed).integers(0, 255, (60, 80, 3), dtype=np.uint8))


def _register(owner_engine, key: str, path: str, *, mrn: str = "M1", registered: str = "2026-03-01 09:00") -> None:
    with owner_engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO hospital.photo_manifest VALUES (:key, :mrn, :path, '2026-02-28 10:00', :registered)"
                " ON CONFLICT (photo_key) DO UPDATE SET registered_at = excluded.registered_at"
            ),
            {"key": key, "mrn": mrn, "path": path, "registered": registered},
        )


def _ledger(engine) -> dict[str, tuple]:
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT * FROM fahr.photo_v1 ORDER BY photo_id")).mappings()
        return {row["source_key"]: row for row in rows}


def test_a_photo_lands_with_its_bytes_hash_and_header(settings, engine, owner_engine, spark, share):
    content = _photo(1)
    (share / "a.jpg").write_bytes(content)
    _register(owner_engine, "k1", "a.jpg")
    counts = pull(settings=settings, engine=engine, spark=spark, night=NIGHT)
    assert counts == {"listed": 1, "landed": 1}
    row = _ledger(engine)["k1"]
    sha256 = hashlib.sha256(content).hexdigest()
    assert (row["content_sha256"], row["byte_count"], row["person_id"]) == (sha256, len(content), 1)
    assert (row["image_format"], row["width_px"], row["height_px"]) == ("jpeg", 80, 60)
    assert row["captured_at"] == datetime(2026, 2, 28, 10)
    landed = ds.dataset(settings.landing / f"pull={row['landing_run_id']}").to_table().to_pylist()
    assert [(photo["photo_id"], photo["content"]) for photo in landed] == [(row["photo_id"], content)]


def test_a_second_pull_of_the_same_night_changes_nothing(settings, engine, owner_engine, spark, share):
    (share / "a.jpg").write_bytes(_photo(1))
    _register(owner_engine, "k1", "a.jpg")
    _register(owner_engine, "k2", "not-there.jpg")
    pull(settings=settings, engine=engine, spark=spark, night=NIGHT)
    before = _ledger(engine)
    pull(settings=settings, engine=engine, spark=spark, night=NIGHT)
    assert _ledger(engine) == before
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM fahr.run_v1")).scalar_one() == 1


def test_only_what_was_registered_up_to_the_night_is_pulled(settings, engine, owner_engine, spark, share):
    (share / "a.jpg").write_bytes(_photo(1))
    _register(owner_engine, "today", "a.jpg", registered="2026-03-02 23:59")
    _register(owner_engine, "tomorrow", "a.jpg", registered="2026-03-03 00:00")
    pull(settings=settings, engine=engine, spark=spark, night=NIGHT)
    assert list(_ledger(engine)) == ["today"]


def test_a_missing_file_is_tried_on_later_nights_until_it_comes(settings, engine, owner_engine, spark, share):
    _register(owner_engine, "k1", "late.jpg")
    pull(settings=settings, engine=engine, spark=spark, night=NIGHT)
    assert _ledger(engine)["k1"]["reason_code"] == "file_missing"
    pull(settings=settings, engine=engine, spark=spark, night=date(2026, 3, 3))
    assert _ledger(engine)["k1"]["tries"] == 2
    (share / "late.jpg").write_bytes(_photo(2))
    pull(settings=settings, engine=engine, spark=spark, night=date(2026, 3, 4))
    row = _ledger(engine)["k1"]
    assert (row["reason_code"], row["photo_id"], row["first_seen_on"]) == (None, 1, NIGHT)


def test_a_changed_photo_lands_anew_under_its_number(settings, engine, owner_engine, spark, share):
    (share / "a.jpg").write_bytes(_photo(1))
    _register(owner_engine, "k1", "a.jpg")
    pull(settings=settings, engine=engine, spark=spark, night=NIGHT)
    (share / "a.jpg").write_bytes(_photo(9))
    _register(owner_engine, "k1", "a.jpg", registered="2026-03-03 08:00")
    pull(settings=settings, engine=engine, spark=spark, night=date(2026, 3, 3))
    row = _ledger(engine)["k1"]
    assert (row["photo_id"], row["content_sha256"]) == (1, hashlib.sha256(_photo(9)).hexdigest())


def test_paths_and_links_that_leave_the_share_are_refused(settings, engine, owner_engine, spark, share, tmp_path):
    (tmp_path / "secret.jpg").write_bytes(_photo(1))
    (share / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    for number, path in enumerate(("../secret.jpg", str(tmp_path / "secret.jpg"), "link.jpg")):
        _register(owner_engine, f"k{number}", path)
    counts = pull(settings=settings, engine=engine, spark=spark, night=NIGHT)
    assert counts == {"listed": 3, "landed": 0, "outside_photo_root": 3}


def test_photos_of_a_person_who_opted_out_are_not_read(settings, engine, owner_engine, spark, share):
    (share / "a.jpg").write_bytes(_photo(1))
    store_as_dicom(np.zeros((60, 80, 3), np.uint8), settings.home / "hospital" / "dicom" / "b.dcm", mrn="M2")
    _register(owner_engine, "k1", "a.jpg", mrn="M2")
    with owner_engine.begin() as connection:
        connection.execute(text("INSERT INTO hospital.opt_out VALUES (2, '2026-01-01')"))
    assert pull(settings=settings, engine=engine, spark=spark, night=NIGHT) == {
        "listed": 2,
        "landed": 0,
        "opted_out": 2,
    }


def test_a_file_over_the_limit_is_not_landed(settings, engine, owner_engine, spark, share):
    (share / "big.jpg").write_bytes(b"\xff\xd8" + bytes(2**20))
    _register(owner_engine, "k1", "big.jpg")
    small = settings.model_copy(update={"max_photo_bytes": 2**20})
    assert pull(settings=small, engine=engine, spark=spark, night=NIGHT)["file_too_large"] == 1


def test_a_dicom_photo_finds_its_person_through_the_id_map(settings, engine, owner_engine, spark, share):
    folder = settings.home / "hospital" / "dicom"
    store_as_dicom(np.zeros((60, 80, 3), np.uint8), folder / "known.dcm", mrn="M2")
    store_as_dicom(np.zeros((60, 80, 3), np.uint8), folder / "unknown.dcm", mrn="M77")
    pull(settings=settings, engine=engine, spark=spark, night=NIGHT)
    ledger = _ledger(engine)
    assert (ledger["known.dcm"]["person_id"], ledger["unknown.dcm"]["person_id"]) == (2, None)
    assert (ledger["known.dcm"]["reason_code"], ledger["unknown.dcm"]["reason_code"]) == (None, "unknown_patient")
    assert ledger["known.dcm"]["captured_at"] == datetime(2026, 3, 2, 10)
    assert ledger["known.dcm"]["sop_class_uid"] == "1.2.840.10008.5.1.4.1.1.77.1.4"


def test_a_share_that_is_not_mounted_condemns_nothing(settings, engine, owner_engine, spark):
    _register(owner_engine, "k1", "a.jpg")
    with pytest.raises(PartialNight) as partial:
        pull(settings=settings, engine=engine, spark=spark, night=NIGHT)
    assert partial.value.exit_code == 14
    assert _ledger(engine) == {}


def test_what_a_killed_pull_left_is_removed(settings, engine, owner_engine, spark, share):
    orphan = settings.landing / "pull=00000000-0000-0000-0000-000000000000"
    orphan.mkdir(parents=True)
    (share / "a.jpg").write_bytes(_photo(1))
    _register(owner_engine, "k1", "a.jpg")
    pull(settings=settings, engine=engine, spark=spark, night=NIGHT)
    assert not orphan.exists()
    assert len(list(settings.landing.iterdir())) == 1


def _maps(owner_engine, mrn: str, person_id: int) -> None:
    with owner_engine.begin() as connection:
        connection.execute(
            text("INSERT INTO hospital.patient_id_map VALUES (:mrn, :id)"), {"mrn": mrn, "id": person_id}
        )


def _files_landed(settings) -> int:
    return len(list(settings.landing.rglob("*.parquet")))


def test_a_photo_whose_patient_is_corrected_is_judged_again(settings, engine, owner_engine, spark, share):
    (share / "a.jpg").write_bytes(_photo(1))
    _register(owner_engine, "k1", "a.jpg", mrn="M1")
    pull(settings=settings, engine=engine, spark=spark, night=NIGHT)
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO fahr.validation_v1 SELECT photo_id, content_sha256, false, 'captured_before_birth',"
                " '{captured_before_birth}', :night, run_id FROM fahr.photo_v1"
            ),
            {"night": NIGHT},
        )
    with owner_engine.begin() as connection:
        connection.execute(text("UPDATE hospital.photo_manifest SET mrn = 'M2', registered_at = '2026-03-03 08:00'"))
    pull(settings=settings, engine=engine, spark=spark, night=date(2026, 3, 3))
    assert _ledger(engine)["k1"]["person_id"] == 2
    with engine.connect() as connection:
        assert connection.execute(text("SELECT status FROM fahr.coverage")).scalars().all() == ["waiting"]


def test_a_photo_of_a_patient_the_map_does_not_know_is_not_read_until_it_does(
    settings, engine, owner_engine, spark, share
):
    (share / "a.jpg").write_bytes(_photo(1))
    _register(owner_engine, "k1", "a.jpg", mrn="M9")
    unread = {"listed": 1, "landed": 0, "unknown_patient": 1}
    assert pull(settings=settings, engine=engine, spark=spark, night=NIGHT) == unread
    assert pull(settings=settings, engine=engine, spark=spark, night=date(2026, 3, 3)) == {"listed": 0, "landed": 0}
    assert _files_landed(settings) == 0
    _maps(owner_engine, "M9", 9)
    assert pull(settings=settings, engine=engine, spark=spark, night=date(2026, 3, 4)) == {"listed": 1, "landed": 1}
    assert (_ledger(engine)["k1"]["person_id"], _ledger(engine)["k1"]["reason_code"]) == (9, None)


def test_a_patient_who_refused_before_the_map_knew_them_has_no_face_in_landing(
    settings, engine, owner_engine, spark, share
):
    (share / "a.jpg").write_bytes(_photo(1))
    folder = settings.home / "hospital" / "dicom"
    store_as_dicom(np.zeros((60, 80, 3), np.uint8), folder / "b.dcm", mrn="M9")
    (folder / "letter.txt").write_text("no photograph")
    os.utime(folder / "letter.txt", (0, 0))
    _register(owner_engine, "k1", "a.jpg", mrn="M9")
    counts = pull(settings=settings, engine=engine, spark=spark, night=NIGHT)
    assert counts == {"listed": 3, "landed": 0, "unknown_patient": 2, "not_an_image": 1}
    assert _files_landed(settings) == 0
    _maps(owner_engine, "M9", 9)
    with owner_engine.begin() as connection:
        connection.execute(text("INSERT INTO hospital.opt_out VALUES (9, '2026-03-02')"))
    mark_for_retry(engine, "unknown_patient")
    counts = pull(settings=settings, engine=engine, spark=spark, night=date(2026, 3, 3))
    assert counts == {"listed": 2, "landed": 0, "opted_out": 2}
    assert _files_landed(settings) == 0
    with engine.connect() as connection:
        assert (
            connection.execute(text("SELECT count(*) FROM fahr.photo_v1 WHERE landing_run_id IS NOT NULL")).scalar()
            == 0
        )


def test_what_was_landed_of_nobody_known_goes_and_is_asked_for_again(settings, engine, owner_engine, spark, share):
    """As an earlier version left them: one of a patient whom the map knows by now, one of somebody it never will."""
    (share / "a.jpg").write_bytes(_photo(1))
    (share / "b.jpg").write_bytes(_photo(2))
    _register(owner_engine, "known-by-now", "a.jpg", mrn="M1")
    _register(owner_engine, "never", "b.jpg", mrn="M2")
    pull(settings=settings, engine=engine, spark=spark, night=NIGHT)
    first = _ledger(engine)["never"]["landing_run_id"]
    with engine.begin() as connection:
        connection.execute(text("UPDATE fahr.photo_v1 SET person_id = NULL, listed_person_id = NULL"))
    with owner_engine.begin() as connection:
        connection.execute(text("DELETE FROM hospital.patient_id_map WHERE mrn = 'M2'"))
    counts = pull(settings=settings, engine=engine, spark=spark, night=date(2026, 3, 3))
    assert counts == {"photos_of_strangers": 2, "listed": 2, "landed": 1, "unknown_patient": 1}
    assert not (settings.landing / f"pull={first}").exists()
    ledger = _ledger(engine)
    assert (ledger["known-by-now"]["person_id"], ledger["never"]["reason_code"]) == (1, "unknown_patient")
    assert pull(settings=settings, engine=engine, spark=spark, night=date(2026, 3, 3)) == {"listed": 0, "landed": 0}
