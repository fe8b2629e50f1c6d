"""Before a night pulls: merged persons, opt-outs and the retention time, without Spark."""

from __future__ import annotations

import uuid
from datetime import date, timedelta
from typing import Any

import pyarrow.dataset as ds
import pytest
from sqlalchemy import text

import jobs.landing_removal
from jobs.errors import DatasetRejected
from jobs.follow import follow
from jobs.landing import landing_partition
from jobs.landing_removal import READERS_LOCK, remove_landed_bytes, rewrite_partition
from jobs.publish import publish
from jobs.runs import advisory_lock, recorded_run
from jobs.standing import any_loose, forget_loose_scores
from tests.jobs.landed import NIGHT, land, photo, rows

NEXT = NIGHT + timedelta(days=1)


@pytest.fixture
def hospital(settings, engine):
    """Persons 1 and 2 with two accepted, scored photos each; the pull that landed them."""
    pull = land(
        settings,
        engine,
        [photo(number, person_id=1 if number < 3 else 2) for number in range(1, 5)],
    )
    with engine.begin() as connection:
        connection.execute(text("UPDATE fahr.photo_v1 SET listed_person_id = person_id, decision_due = false"))
        connection.execute(
            text(
                "INSERT INTO fahr.validation_v1 SELECT photo_id, content_sha256, true, NULL, '{}', :night, :run, false"
                " FROM fahr.photo_v1"
            ),
            {"night": NIGHT, "run": pull},
        )
        connection.execute(
            text(
                "INSERT INTO fahr.model_version_v1 (model_id, preprocessing_id, weights_sha256, trained_on_synthetic,"
                " training_data, licence, intended_use, metrics, registered_on, is_current, run_id)"
                " VALUES ('model', 'p', 'w', true, 'drawn', 'Apache-2.0', 'test', '{}', :night, true, :run)"
            ),
            {"night": NIGHT, "run": pull},
        )
        connection.execute(
            text(
                "INSERT INTO fahr.face_score_v1 SELECT content_sha256, 'model', 'p', 50 + photo_id, 0.1, 0.99, 200, 80,"
                " 'w', 'test', :night, :run FROM fahr.photo_v1"
            ),
            {"night": NIGHT, "run": pull},
        )
    return pull


def says(owner_engine, sql: str, **parameters: Any) -> None:
    with owner_engine.begin() as connection:
        connection.execute(text(sql), parameters)


def landed(settings, pull: uuid.UUID) -> dict[int, bool]:
    """The photos in a partition, and whether their bytes are there."""
    folder = landing_partition(settings.landing, pull)
    if not folder.is_dir():
        return {}
    table = ds.dataset(folder, format="parquet").to_table(columns=["photo_id", "content"])
    return {row["photo_id"]: row["content"] is not None for row in table.to_pylist()}


def persons(engine) -> list[int]:
    return [row.person_id for row in rows(engine, "SELECT person_id FROM fahr.photo_v1 ORDER BY photo_id")]


def test_a_night_with_nothing_decided_leaves_no_row(settings, engine, hospital):
    before = rows(engine, "SELECT count(*) FROM fahr.run_v1")
    assert follow(settings=settings, engine=engine, night=NEXT) == {}
    assert rows(engine, "SELECT count(*) FROM fahr.run_v1") == before


def test_merged_persons_are_followed_along_chains_and_back(settings, engine, owner_engine, hospital):
    says(owner_engine, "INSERT INTO hospital.person_merge VALUES (1, 7, :night), (7, 2, :night)", night=NIGHT)
    assert follow(settings=settings, engine=engine, night=NEXT) == {"merges_followed": 2, "photos_moved": 2} | {
        "persons_opted_out": 0,
        "photos_opted_out": 0,
    }
    assert persons(engine) == [2, 2, 2, 2]
    assert rows(engine, "SELECT count(*) FROM fahr.validation_v1") == [(2,)], "the moved photos are judged again"
    assert follow(settings=settings, engine=engine, night=NEXT) == {}
    says(owner_engine, "DELETE FROM hospital.person_merge")
    follow(settings=settings, engine=engine, night=NEXT)
    assert persons(engine) == [1, 1, 2, 2]
    assert rows(engine, "SELECT * FROM fahr.person_merge_v1") == []
    told = rows(engine, "SELECT action FROM fahr.audit_v1 WHERE action <> 'role_use' ORDER BY audit_id")
    assert [row.action for row in told] == [
        "merge",
        "merge",
        "unmerge",
        "unmerge",
    ]


def test_a_merge_of_tomorrow_waits_and_a_circle_stops_the_night(settings, engine, owner_engine, hospital):
    says(owner_engine, "INSERT INTO hospital.person_merge VALUES (1, 2, '2999-01-01')")
    assert follow(settings=settings, engine=engine, night=NEXT) == {}
    says(owner_engine, "INSERT INTO hospital.person_merge VALUES (3, 4, :night), (4, 3, :night)", night=NIGHT)
    with pytest.raises(DatasetRejected, match="circle") as refused:
        follow(settings=settings, engine=engine, night=NEXT)
    assert refused.value.exit_code == 11


def test_of_a_person_who_refuses_nothing_stays_but_a_reason_and_a_tombstone(settings, engine, owner_engine, hospital):
    says(owner_engine, "INSERT INTO hospital.opt_out VALUES (1, :night)", night=NEXT)
    assert follow(settings=settings, engine=engine, night=NEXT) == {"persons_opted_out": 1, "photos_opted_out": 2}
    assert rows(engine, "SELECT DISTINCT person_id FROM fahr.face_score") == [(2,)]
    assert rows(engine, "SELECT count(*) FROM fahr.face_score_v1") == [(2,)], "not even by their hash"
    assert landed(settings, hospital) == {3: True, 4: True}
    gone = rows(engine, "SELECT status, reason_code FROM fahr.coverage WHERE person_id = 1")
    assert gone == [("quarantined", "opted_out")] * 2
    assert rows(engine, "SELECT action, subject, counts FROM fahr.audit_v1 WHERE action <> 'role_use'") == [
        ("opt_out", "person 1", {"photos": 2, "landed": 2, "scores": 2})
    ]
    assert follow(settings=settings, engine=engine, night=NEXT) == {}
    publish(settings=settings, engine=engine, night=NEXT)
    assert rows(engine, "SELECT * FROM fahr.loose_content_v1") == []


def test_names_of_loose_bytes_stay_while_a_share_of_the_archive_waits(settings, engine, owner_engine, hospital):
    """A share that was ready after publish looked is of photos of before: what it brings of them must be removed."""
    says(owner_engine, "INSERT INTO hospital.opt_out VALUES (1, :night)", night=NEXT)
    follow(settings=settings, engine=engine, night=NEXT)
    with recorded_run(engine, stage="archive", logical_date=NIGHT, lock="archive") as run, run.publish():
        pass
    for waiting, stays in (([f"run={run.run_id}"], True), ([], False)):
        with engine.begin() as connection:
            forget_loose_scores(connection, waiting)
            assert any_loose(connection) is stays


def test_a_refusal_holds_for_the_person_it_was_merged_into_and_for_late_nights(
    settings, engine, owner_engine, hospital
):
    says(owner_engine, "INSERT INTO hospital.person_merge VALUES (9, 1, :night)", night=NIGHT)
    says(owner_engine, "INSERT INTO hospital.opt_out VALUES (9, :today)", today=date.today())
    assert follow(settings=settings, engine=engine, night=NIGHT)["photos_opted_out"] == 2
    assert rows(engine, "SELECT DISTINCT person_id FROM fahr.face_score") == [(2,)]


def test_a_refusal_taken_back_lets_the_photos_be_pulled_again(settings, engine, owner_engine, hospital):
    says(owner_engine, "INSERT INTO hospital.opt_out VALUES (1, :night)", night=NIGHT)
    follow(settings=settings, engine=engine, night=NEXT)
    says(owner_engine, "DELETE FROM hospital.opt_out")
    assert follow(settings=settings, engine=engine, night=NEXT)["photos_allowed_again"] == 2
    assert rows(engine, "SELECT photo_id FROM fahr.photo_v1 WHERE pull_again ORDER BY 1") == [(1,), (2,)]


def test_a_person_of_whom_only_a_risk_table_knows_leaves_it(settings, engine, owner_engine, hospital):
    """The photos went with their source, or a risk run published after the refusal was followed."""
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO fahr.cohort_member_v1 (analysis_id, cohort, person_id, index_date, followup_years, event,"
                " covariates, run_id) SELECT 'a', 'c', person, :night, 1, false, '{}', :run"
                " FROM unnest(ARRAY[8, 9]) AS person"
            ),
            {"night": NIGHT, "run": hospital},
        )
    says(owner_engine, "INSERT INTO hospital.opt_out VALUES (9, :night)", night=NIGHT)
    assert follow(settings=settings, engine=engine, night=NEXT) == {"persons_opted_out": 1, "photos_opted_out": 0}
    assert rows(engine, "SELECT person_id FROM fahr.cohort_member_v1") == [(8,)]
    assert rows(engine, "SELECT subject FROM fahr.audit_v1 WHERE action = 'opt_out'") == [("person 9",)]
    assert follow(settings=settings, engine=engine, night=NEXT) == {}


def test_bytes_shared_with_another_patient_keep_their_score_only_while_somebody_has_them(
    settings, engine, owner_engine, hospital
):
    land(settings, engine, [photo(5, person_id=3, content=b"bytes of 1")], night=NEXT)
    says(owner_engine, "INSERT INTO hospital.opt_out VALUES (1, :night)", night=NIGHT)
    follow(settings=settings, engine=engine, night=NEXT)
    assert rows(engine, "SELECT count(*) FROM fahr.face_score_v1") == [(3,)]
    assert rows(engine, "SELECT decision_due FROM fahr.photo_v1 WHERE photo_id = 5") == [(True,)]


def test_landed_bytes_are_purged_after_their_days_and_scores_are_kept(settings, engine, hospital):
    kept = settings.model_copy(update={"landing_days": 30})
    assert follow(settings=kept, engine=engine, night=NIGHT + timedelta(days=30)) == {}
    assert follow(settings=kept, engine=engine, night=NIGHT + timedelta(days=31)) == {"photos_purged": 4}
    assert landed(settings, hospital) == {1: False, 2: False, 3: False, 4: False}
    assert rows(engine, "SELECT count(*) FROM fahr.coverage WHERE status = 'scored'") == [(4,)]
    assert follow(settings=kept, engine=engine, night=NIGHT + timedelta(days=32)) == {}
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM fahr.face_score_v1"))
    assert rows(engine, "SELECT DISTINCT status, reason_code, since FROM fahr.coverage") == [
        ("quarantined", "bytes_purged", NIGHT + timedelta(days=31))
    ]


def test_a_removal_that_was_killed_is_finished_by_the_next_night(settings, engine, owner_engine, hospital, monkeypatch):
    """Killed after the decision was committed, and again after the new file was written but not put in its place."""
    says(owner_engine, "INSERT INTO hospital.opt_out VALUES (1, :night)", night=NIGHT)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(jobs.landing_removal, "_checksum_of", killed)
        with pytest.raises(KeyboardInterrupt):
            follow(settings=settings, engine=engine, night=NEXT)
    assert set(landed(settings, hospital)) == {1, 2, 3, 4}, "the old file is whole while the new one is not in place"
    assert rows(engine, "SELECT count(*) FROM fahr.face_score_v1") == [(2,)]
    follow(settings=settings, engine=engine, night=NEXT)
    assert landed(settings, hospital) == {3: True, 4: True}
    assert [path.name for path in landing_partition(settings.landing, hospital).iterdir()] == ["part-0.parquet"]
    assert rows(engine, "SELECT * FROM fahr.landing_removal_v1") == []


def test_files_are_not_replaced_under_the_eyes_of_who_scores_the_archive(settings, engine, owner_engine, hospital):
    says(owner_engine, "INSERT INTO hospital.opt_out VALUES (1, :night)", night=NIGHT)
    with advisory_lock(engine, READERS_LOCK):
        follow(settings=settings, engine=engine, night=NEXT)
        assert set(landed(settings, hospital)) == {1, 2, 3, 4}
    assert remove_landed_bytes(engine, settings) == 2
    assert set(landed(settings, hospital)) == {3, 4}


def test_a_partition_of_which_nothing_stays_is_removed(settings, hospital):
    partition = landing_partition(settings.landing, hospital)
    rewrite_partition(partition, without={1, 2, 3, 4}, without_bytes=set())
    assert not partition.exists()
    rewrite_partition(partition, without={1}, without_bytes=set())
