"""Data sets on real Spark: from accepted photos of the warehouse, and from a folder with a label file."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
from collections.abc import Iterator
from datetime import date, datetime, timedelta

import numpy as np
import pytest
from landed import land, photo, write_partition
from sqlalchemy import text

from jobs.errors import SettingsError
from jobs.training import data_set as building
from jobs.training.crop_reader import PetastormSource
from jobs.training.data_set import build_data_set, counts, training_folder
from jobs.training.errors import TrainingDataRefused
from jobs.training.splits import SplitRecipe
from jobs.warehouse.migrate import migrate
from model.crop import FaceCropper
from model.drawing import draw_face, random_conditions, random_latents
from model.training.face_set import TEST, TRAIN
from tests.nights.photograph import jpeg_bytes

NIGHT = date(2026, 3, 1)
TAKEN = date(2025, 1, 10)
PEOPLE = 8


def face(seed: int) -> bytes:
    rng = np.random.default_rng(seed)
    return jpeg_bytes(draw_face(random_latents(rng), random_conditions(rng), 256).pixels)


@pytest.fixture(scope="module")
def faces() -> list[bytes]:
    """Photos of drawn faces: two of each person, and one more."""
    return [face(seed) for seed in range(2 * PEOPLE + 1)]


CDM = """
CREATE SCHEMA cdm;
CREATE TABLE cdm.person (person_id bigint PRIMARY KEY, gender_concept_id integer, year_of_birth integer,
    month_of_birth integer, day_of_birth integer, birth_datetime timestamp);
CREATE TABLE cdm.observation_period (person_id bigint, observation_period_start_date date,
    observation_period_end_date date);
CREATE TABLE cdm.death (person_id bigint, death_date date);
INSERT INTO cdm.person SELECT p, CASE p % 2 WHEN 0 THEN 8507 ELSE 8532 END, 1940 + p, 1, 10, NULL
    FROM generate_series(1, 20) AS p;
INSERT INTO cdm.observation_period SELECT p, '2024-01-01', '2025-12-31' FROM generate_series(1, 20) AS p;
"""


@pytest.fixture
def hospital(settings, engine, owner_engine, faces):
    """Two photos of each of eight people, landed and accepted; the last photo stands under person 9."""
    with owner_engine.begin() as connection:
        connection.execute(text(CDM))
    migrate(owner_engine)
    photos = [
        photo(number + 1, content=content, person_id=number // 2 + 1, captured_at=datetime(2025, 1, 10, 9))
        for number, content in enumerate(faces)
    ]
    land(settings, engine, photos[:9])
    land(settings, engine, photos[9:])
    accept(engine)
    return owner_engine


def accept(engine) -> None:
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO fahr.validation_v1 SELECT photo_id, content_sha256, true, NULL, '{}', :night, run_id"
                " FROM fahr.photo_v1 ON CONFLICT DO NOTHING"
            ),
            {"night": NIGHT},
        )


def change(owner, statement: str, **parameters) -> None:
    with owner.begin() as connection:
        connection.execute(text(statement), parameters)


def same_face(crop, other) -> None:
    """Equal but for rounding: the detector's last bits depend on which photos it looks at together."""
    assert crop.shape == other.shape == (112, 112, 3)
    difference = np.abs(crop.astype(int) - other.astype(int))
    assert difference.max() <= 2 and (difference > 0).mean() < 0.01


def rows(engine, query: str) -> list[tuple]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def build(settings, engine, spark, **options):
    return build_data_set(settings=settings, engine=engine, spark=spark, night=NIGHT, **options)


def test_crops_are_those_that_scoring_sees_with_the_labels_of_their_photos(settings, engine, spark, hospital, faces):
    change(hospital, "INSERT INTO cdm.death VALUES (3, '2025-06-09')")
    built = build(settings, engine, spark)
    table = built.table.to_pylist()
    assert len(built) == len(table) == 17
    by_content = {row["content_sha256"]: row for row in table}
    scored = next(FaceCropper().crop_stream([faces]))
    crops = built.pixels(range(17))
    for number, (content, outcome) in enumerate(zip(faces, scored, strict=True)):
        row = by_content[hashlib.sha256(content).hexdigest()]
        same_face(crops[row["row"]], outcome.face)
        assert row["subject"] == number // 2 + 1
        assert row["sex"] == ("F" if row["subject"] % 2 else "M")
        assert row["age_years"] == 2025 - 1940 - row["subject"]
        assert row["sharpness"] == pytest.approx(outcome.sharpness)
        assert (row["followup_days"], row["died"]) == ((150, True) if row["subject"] == 3 else (355, False))
    assert counts(built) | {"train": 0, "validation": 0, "test": 0} == {
        "photos": 17, "people": 9, "deaths": 1, "train": 0, "validation": 0, "test": 0,
    }  # fmt: skip
    assert built.description["is_synthetic"] is False


def test_rows_lie_in_an_order_that_content_decides_and_people_are_not_torn(settings, engine, spark, hospital):
    built = build(settings, engine, spark)
    table = built.table.to_pylist()
    order = [(row["split"], row["fold"], row["content_sha256"]) for row in table]
    assert order == sorted(order)
    place = {row["subject"]: (row["split"], row["fold"]) for row in table}
    assert all(place[row["subject"]] == (row["split"], row["fold"]) for row in table)
    chosen = np.flatnonzero(built.labels.split == TRAIN)
    source = PetastormSource(built, chosen, batch_size=1, seed=1)
    assert sorted(int(batch.rows[0]) for batch in source.batches(0)) == chosen.tolist()


def test_building_again_does_nothing_and_a_data_set_is_recorded_once(settings, engine, spark, hospital, monkeypatch):
    built = build(settings, engine, spark, name="spring")
    assert rows(engine, "SELECT data_set_id, name, source, photos, people FROM fahr.training_set") == [
        (built.data_set_id, "spring", "warehouse", 17, 9)
    ]
    assert rows(engine, "SELECT count(*), count(DISTINCT person_id) FROM fahr.training_photo") == [(17, 9)]
    written = {path: path.stat().st_mtime_ns for path in built.folder.rglob("*")}
    monkeypatch.setattr(building, "_crop", lambda *_, **__: pytest.fail("it cropped again"))
    assert build(settings, engine, spark).data_set_id == built.data_set_id
    assert {path: path.stat().st_mtime_ns for path in built.folder.rglob("*")} == written
    assert rows(engine, "SELECT count(*) FROM fahr.run WHERE stage = 'dataset'") == [(1,)]


def test_what_decides_a_data_set_decides_its_id(settings, engine, spark, hospital):
    first = build(settings, engine, spark).data_set_id
    assert build(settings, engine, spark, recipe=SplitRecipe(seed=1)).data_set_id != first
    change(hospital, "UPDATE cdm.person SET year_of_birth = 1930 WHERE person_id = 2")
    second = build(settings, engine, spark).data_set_id
    change(hospital, "UPDATE cdm.person SET year_of_birth = 1942 WHERE person_id = 2")
    assert second != first
    assert build(settings, engine, spark).data_set_id == first


def test_a_killed_build_leaves_nothing_that_looks_finished(settings, engine, spark, hospital, monkeypatch):
    class Killed(BaseException):
        pass

    def killed(*_, **__):
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(building, "_describe", killed)
        with pytest.raises(Killed):
            build(settings, engine, spark)
    assert all(path.name.startswith("_building-") for path in training_folder(settings).iterdir())
    with monkeypatch.context() as patched:
        patched.setattr(building, "record_data_set", killed)
        with pytest.raises(Killed):
            build(settings, engine, spark)
    assert rows(engine, "SELECT count(*) FROM fahr.training_set") == [(0,)]
    built = build(settings, engine, spark)
    assert [path.name for path in training_folder(settings).iterdir()] == [built.data_set_id]
    assert rows(engine, "SELECT data_set_id FROM fahr.training_set") == [(built.data_set_id,)]


def test_nothing_is_lost_every_photo_is_in_or_counted(settings, engine, spark, hospital, faces):
    odd = [
        photo(101, content=jpeg_bytes(np.full((400, 400, 3), 150, np.uint8)), person_id=1),  # a wall
        photo(102, content=faces[0][:4000], person_id=1),  # cut off
        photo(103, content=face(500), person_id=999),  # nobody the warehouse knows
        photo(104, content=face(501), person_id=11),
        photo(105, content=face(502), person_id=12),
        photo(106, content=face(502), person_id=13),  # the same bytes
    ]
    land(settings, engine, odd)
    accept(engine)
    change(hospital, "INSERT INTO hospital.opt_out VALUES (11, '2026-02-01')")
    built = build(settings, engine, spark)
    assert built.description["refused"] == {
        "bytes_of_another_patient": 1, "no_face": 1, "opted_out": 1, "truncated_image": 1, "unknown_patient": 1,
    }  # fmt: skip
    assert built.description["photos"] == 17


def test_a_refusal_of_today_holds_for_a_data_set_of_an_earlier_night(settings, engine, hospital):
    change(hospital, "INSERT INTO hospital.opt_out VALUES (1, current_date), (92, current_date)")
    change(hospital, "INSERT INTO hospital.person_merge VALUES (92, 2, current_date)")
    listing = building.warehouse_listing(engine, landing=settings.landing, night=NIGHT, recipe=SplitRecipe())
    assert not {photo.subject for photo in listing.photos} & {1, 2}
    assert listing.refused.counts["opted_out"] > 1


@pytest.mark.parametrize(
    ("statement", "followup"),
    [
        ("INSERT INTO cdm.death VALUES (2, '2026-01-05')", (355, False)),  # after the observation period
        ("INSERT INTO cdm.death VALUES (2, '2025-01-10')", (None, False)),  # on the day of the photo
        ("DELETE FROM cdm.observation_period WHERE person_id = 2", (None, False)),
        ("UPDATE cdm.observation_period SET observation_period_end_date = '2030-01-01'", (415, False)),  # the night
        ("UPDATE cdm.observation_period SET observation_period_end_date = '2025-01-09'", (None, False)),
    ],
)
def test_followup_is_censored_as_in_the_risk_tables(settings, engine, hospital, statement, followup):
    change(hospital, statement)
    listing = building.warehouse_listing(engine, landing=settings.landing, night=NIGHT, recipe=SplitRecipe())
    (told,) = {(photo.followup_days, photo.died) for photo in listing.photos if photo.subject == 2}
    assert told == followup
    assert timedelta(days=415) == (NIGHT - TAKEN)


def test_missing_hospital_tables_are_named(settings, engine, spark):
    with pytest.raises(SettingsError, match=r"cdm\.person, cdm\.observation_period, cdm\.death"):
        build(settings, engine, spark)


def test_an_empty_warehouse_gives_no_data_set(settings, engine, owner_engine, spark):
    change(owner_engine, CDM)
    migrate(owner_engine)
    with pytest.raises(TrainingDataRefused, match="there are none"):
        build(settings, engine, spark)


def test_a_photo_that_was_landed_twice_is_read_as_it_is_now(settings, engine, spark, hospital, faces):
    """Its older bytes lie in an older partition, under the same number."""
    newer = photo(1, content=face(700), person_id=1, captured_at=datetime(2025, 1, 10, 9))
    run = land(settings, engine, [newer | {"photo_id": 300}])
    partition = settings.landing / f"pull={run}"
    shutil.rmtree(partition)
    write_partition(settings, run, [newer])
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM fahr.photo_v1 WHERE photo_id = 300"))
        connection.execute(
            text("UPDATE fahr.photo_v1 SET content_sha256 = :sha, landing_run_id = :run WHERE photo_id = 1"),
            {"sha": newer["content_sha256"], "run": run},
        )
    accept(engine)
    told = set(build(settings, engine, spark).table["content_sha256"].to_pylist())
    assert newer["content_sha256"] in told and hashlib.sha256(faces[0]).hexdigest() not in told


@pytest.fixture
def collection(tmp_path, faces) -> Iterator:
    """A folder with a label file, written by the test."""
    folder = tmp_path / "collection"
    folder.mkdir()
    for number, content in enumerate(faces[:6]):
        (folder / f"CANARY{number}.jpg").write_bytes(content)

    def write(lines: list[dict[str, object]]):
        label_file = tmp_path / "labels.csv"
        with label_file.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(lines[0]))
            writer.writeheader()
            writer.writerows(lines)
        return {"folder": folder, "labels": label_file}

    yield write


def line(number: int, **cells: object) -> dict[str, object]:
    return {"path": f"CANARY{number}.jpg", "age": 30 + number, "sex": "F", "subject": f"S{number // 2}", **cells}


def test_a_folder_with_a_label_file_becomes_a_data_set(settings, engine, spark, collection, faces):
    given = {0: "train", 1: "train", 2: "test", 3: "test", 4: "validation", 5: "validation"}
    lines = [line(number, split=split, time=100 + number, event=number % 2) for number, split in given.items()]
    built = build(settings, engine, spark, **collection(lines), synthetic=True)
    table = {row["content_sha256"]: row for row in built.table.to_pylist()}
    crops = next(FaceCropper().crop_stream([faces[:6]]))
    for number, content in enumerate(faces[:6]):
        row = table[hashlib.sha256(content).hexdigest()]
        assert (row["age_years"], row["followup_days"], row["died"]) == (30 + number, 100 + number, number % 2 == 1)
        same_face(built.pixels([row["row"]])[0], crops[number].face)
    assert counts(built) == {"photos": 6, "people": 3, "deaths": 3, "train": 2, "validation": 2, "test": 2}
    assert built.description["is_synthetic"] is True and built.description["source"] == "folder"
    assert rows(engine, "SELECT count(*), count(person_id) FROM fahr.training_photo WHERE split = 'test'") == [(2, 0)]
    assert (built.labels.split == TEST).sum() == 2
    everything = b"".join(path.read_bytes() for path in built.folder.rglob("*") if path.is_file())
    assert b"CANARY" not in everything and b"S1" not in json.dumps(built.description).encode()


def test_rows_of_a_folder_that_cannot_be_used_are_counted_by_reason(settings, engine, spark, collection, tmp_path):
    folder = tmp_path / "collection"
    (folder / "cut.jpg").write_bytes((folder / "CANARY0.jpg").read_bytes()[:3000])
    (folder / "note.jpg").write_text("no image")
    (tmp_path / "CANARY_outside.jpg").write_bytes((folder / "CANARY5.jpg").read_bytes())
    (folder / "link.jpg").symlink_to(tmp_path / "CANARY_outside.jpg")
    lines = [
        line(0),
        line(0, path="cut.jpg"),
        line(0, path="note.jpg"),
        line(0, path="gone.jpg"),
        line(0, path="../CANARY_outside.jpg"),
        line(0, path="link.jpg"),
        line(1, path="CANARY0.jpg"),  # the same bytes again, of the same subject
        line(2),
        line(2, subject="another"),  # the same bytes under another subject: nobody's
        line(3, age=121),
    ]
    built = build(settings, engine, spark, **collection(lines))
    assert built.description["refused"] == {
        "age_impossible": 1, "bytes_of_another_patient": 2, "duplicate_bytes": 1, "file_missing": 1,
        "not_an_image": 1, "outside_photo_root": 2, "truncated_image": 1,
    }  # fmt: skip
    assert built.description["photos"] == 1


def test_a_folder_without_one_usable_photo_is_refused_and_told_by_line(settings, engine, spark, collection):
    with pytest.raises(TrainingDataRefused, match=r"age_impossible 1 \(lines 2\); file_missing 1 \(lines 3\)") as told:
        build(settings, engine, spark, **collection([line(0, age=-1), line(1, path="CANARY_gone.jpg")]))
    assert "CANARY" not in str(told.value) and told.value.exit_code == 11
    assert not list(training_folder(settings).glob("*"))


def test_a_photo_that_changes_while_it_is_read_stops_the_build(settings, engine, spark, collection, monkeypatch):
    lines = collection([line(0), line(2)])
    crop = building._crop

    def change_and_crop(*arguments, **options):
        (lines["folder"] / "CANARY0.jpg").write_bytes(face(900))
        crop(*arguments, **options)

    monkeypatch.setattr(building, "_crop", change_and_crop)
    with pytest.raises(TrainingDataRefused, match="1 photos failed for a cause outside them, or changed"):
        build(settings, engine, spark, **lines)
    assert not list(training_folder(settings).iterdir())
