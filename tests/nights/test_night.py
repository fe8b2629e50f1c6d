"""One night through the command line: nothing is lost, nothing personal gets out, a rerun changes nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from jobs.demo.population import CANARY
from tests.nights.hospital import NEXT_NIGHT, NIGHT, SmallHospital


def test_every_photo_of_manifest_and_dicom_folder_stands_in_coverage_once(night: SmallHospital):
    ((listed,),) = night.query("SELECT count(*) FROM hospital.photo_manifest")
    files = sum(path.is_file() for path in (night.home / "hospital" / "dicom").rglob("*"))
    ((rows, photos),) = night.query("SELECT count(*), count(DISTINCT photo_id) FROM fahr.coverage")
    assert rows == photos == listed + files
    assert listed > 20
    assert files > 5


def test_every_photo_is_scored_or_has_a_reason(night: SmallHospital):
    unexplained = night.query(
        "SELECT photo_id FROM fahr.coverage WHERE NOT (status = 'scored' AND reason_code IS NULL)"
        " AND NOT (status IN ('quarantined', 'failed') AND reason_code IS NOT NULL)"
    )
    assert unexplained == []
    ((scored,),) = night.query("SELECT count(*) FROM fahr.coverage WHERE status = 'scored'")
    assert scored > 20


def test_every_odd_photo_ends_as_the_hospital_recorded(night: SmallHospital):
    odd = night.query(
        "SELECT odd.oddity, odd.expected_reason, coverage.reason_code FROM demo.odd_photo AS odd"
        " JOIN fahr.photo_v1 AS photo USING (source, source_key) JOIN fahr.coverage AS coverage USING (photo_id)"
    )
    assert len(odd) >= 25
    assert [(oddity, found) for oddity, expected, found in odd if expected != found] == []


def test_nothing_personal_is_printed_logged_or_shown(night: SmallHospital):
    ((name_of_a_file,),) = night.query("SELECT relative_path FROM hospital.photo_manifest ORDER BY photo_key LIMIT 1")
    assert CANARY in name_of_a_file, "the canary must be where it would be seen"
    searched = [night.output]
    for folder in ("reports", "data_docs", "gx", "airflow", "postgres/log"):
        searched += [path for path in (night.home / folder).rglob("*") if path.is_file()]
    assert len(searched) > 3
    secrets = [CANARY.encode(), b"SYN-"]
    leaks = [path.name for path in searched if any(secret in path.read_bytes() for secret in secrets)]
    assert leaks == []


def test_running_the_night_again_changes_no_row(night: SmallHospital):
    before = night.everything()
    night.fahr("nightly", "--date", NIGHT)
    night.fahr("risk", "--date", NIGHT)
    assert night.everything() == before


def test_a_real_photograph_is_scored_from_share_and_from_dicom(night: SmallHospital):
    from skimage import data

    from tests.nights.photograph import store_as_dicom, store_as_jpeg

    mrn, person_id = night.query(
        "SELECT mrn, person_id FROM hospital.patient_id_map"
        " WHERE person_id NOT IN (SELECT person_id FROM hospital.opt_out) ORDER BY mrn LIMIT 1"
    )[0]
    store_as_jpeg(data.astronaut(), night.home / "hospital" / "photos" / "real" / "astronaut.jpg")
    store_as_dicom(data.astronaut(), night.home / "hospital" / "dicom" / "real" / "astronaut.dcm", mrn=mrn)
    night.query(
        "INSERT INTO hospital.photo_manifest VALUES"
        f" ('real-1', '{mrn}', 'real/astronaut.jpg', '2026-03-02 10:00', '2026-03-02 11:00')"
    )
    night.fahr("nightly", "--date", NEXT_NIGHT)
    new = night.query(
        "SELECT source, status, reason_code, person_id FROM fahr.coverage"
        " WHERE first_seen_on = '2026-03-02' ORDER BY source"
    )
    assert new == [("dicom_folder", "scored", None, person_id), ("share", "scored", None, person_id)]


@pytest.mark.fault
def test_a_share_that_is_away_stops_neither_the_night_nor_condemns_a_photo(fresh: SmallHospital):
    share = fresh.home / "hospital" / "photos"
    away = Path(shutil.move(share, share.with_name("away")))
    fresh.fahr("nightly", "--date", NIGHT, expect=14)
    sources = fresh.query(
        "SELECT source, count(*) FILTER (WHERE status = 'scored') > 0 FROM fahr.coverage GROUP BY source"
    )
    assert sources == [("dicom_folder", True)]
    away.rename(share)
    fresh.fahr("nightly", "--date", NIGHT)
    ((waiting,),) = fresh.query("SELECT count(*) FROM fahr.coverage WHERE status = 'waiting'")
    ((listed,),) = fresh.query("SELECT count(*) FROM hospital.photo_manifest")
    ((covered,),) = fresh.query("SELECT count(*) FROM fahr.coverage WHERE source = 'share'")
    assert (waiting, covered) == (0, listed)
