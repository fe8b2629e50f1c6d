"""Photographs for robustness and saliency: of the right people, as recorded, never of one who taught the model."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import pytest
from landed import NIGHT, land, photo, write_partition
from sqlalchemy import Engine, text

from jobs.errors import UsageError
from jobs.evaluation.errors import NothingToEvaluate
from jobs.evaluation.photographs import folder_photographs, warehouse_photographs
from jobs.evaluation.subjects import DrawnPeople, chosen_people
from jobs.settings import Settings
from model.release import SHIPPED_RELEASES, ModelRelease

EARLIER, LATEST = datetime(2026, 1, 5, 9), datetime(2026, 2, 20, 9)


@pytest.fixture(scope="module")
def release() -> ModelRelease:
    return ModelRelease.load(SHIPPED_RELEASES / "fahr-demo-1", verify=False)


def accept(engine: Engine, run_id, photos, *, accepted: bool = True, night: date = NIGHT) -> None:
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO fahr.validation_v1 (photo_id, content_sha256, accepted, reason_code, failed_rules,"
                " decided_on, run_id) VALUES (:photo_id, :content_sha256, :accepted, :reason, :rules, :night, :run_id)"
            ),
            [
                one | {"accepted": accepted, "reason": None if accepted else "not_an_image", "night": night,
                       "rules": [] if accepted else ["not_an_image"], "run_id": run_id}
                for one in photos
            ],
        )  # fmt: skip


def landed(settings: Settings, engine: Engine, photos) -> None:
    accept(engine, land(settings, engine, photos), photos)


def teach(engine: Engine, one, *, network_sha256: str, model_id: str = "another") -> None:
    """Record that a photo's person taught a network."""
    with engine.begin() as connection:
        run_id = connection.execute(text("SELECT run_id FROM fahr.run_v1 LIMIT 1")).scalar_one()
        values = one | {"run_id": run_id, "network": network_sha256, "model_id": model_id}
        for statement in (
            "INSERT INTO fahr.training_set_v1 (data_set_id, source, is_synthetic, preprocessing_id, photos, people,"
            " deaths, refused, split_seed, validation_share, test_share, folds, built_on, code_version, run_id)"
            " VALUES ('d', 'warehouse', true, 'p', 1, 1, 0, '{}', 1, 0.1, 0.1, 2, '2026-01-01', '0', :run_id)",
            "INSERT INTO fahr.training_photo_v1 (data_set_id, content_sha256, person_id, split, fold)"
            " VALUES ('d', :content_sha256, :person_id, 'train', 0)",
            "INSERT INTO fahr.model_training_v1 (model_id, biomarker, network_sha256, data_set_id, split, fold,"
            " trained_on, run_id) VALUES (:model_id, 'age', :network, 'd', 'train', 0, '2026-01-01', :run_id)",
        ):
            connection.execute(text(statement), values)


def read(settings: Settings, engine: Engine, release: ModelRelease, *, most_people: int = 50) -> set[tuple[bytes, ...]]:
    found = warehouse_photographs(
        engine, landing=settings.landing, night=NIGHT, release=release, most_people=most_people
    )
    people = list(found.read())
    assert len(people) == len(set(people))
    return set(people)


def test_the_latest_day_with_two_photographs_is_taken(settings, engine, release) -> None:
    both = [photo(n, person_id=1, captured_at=EARLIER) for n in (1, 2, 3)]
    later = photo(4, person_id=1, captured_at=LATEST)
    alone = [photo(5, person_id=2, captured_at=EARLIER), photo(6, person_id=2, captured_at=LATEST)]
    landed(settings, engine, [*both, later])
    landed(settings, engine, alone)
    assert read(settings, engine, release) == {(b"bytes of 1", b"bytes of 2"), (b"bytes of 6",)}


def test_whoever_may_not_be_looked_at_is_not(settings, engine, owner_engine, release) -> None:
    good = photo(1)
    taught, his_other_photo = photo(2, person_id=7), photo(3, person_id=7)
    refuses, unknown = photo(4, person_id=8), photo(5, person_id=None)
    twins = [photo(6, content=b"same"), photo(7, content=b"same")]
    quarantined = photo(8)
    refuses_today, refuses_under_another_id = photo(9, person_id=9), photo(10, person_id=10)
    landed(
        settings,
        engine,
        [good, taught, his_other_photo, refuses, unknown, *twins, refuses_today, refuses_under_another_id],
    )
    accept(engine, land(settings, engine, [quarantined]), [quarantined], accepted=False)
    teach(engine, taught, network_sha256=release.networks["age"].sha256)
    with owner_engine.begin() as connection:
        connection.execute(
            text("INSERT INTO hospital.opt_out VALUES (8, '2026-02-01'), (9, current_date), (90, current_date)")
        )
        connection.execute(text("INSERT INTO hospital.person_merge VALUES (90, 10, current_date)"))
    assert read(settings, engine, release) == {(b"bytes of 1",)}


def test_a_network_taken_over_from_another_release_still_counts_as_taught(settings, engine, release) -> None:
    photos = [photo(1), photo(2)]
    landed(settings, engine, photos)
    teach(engine, photos[0], network_sha256="00" * 32, model_id="somebody-elses")
    assert len(read(settings, engine, release)) == 2, "what taught another network is no matter here"
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE fahr.model_training_v1 SET network_sha256 = :sha"),
            {"sha": release.networks["survival"].sha256},
        )
    assert read(settings, engine, release) == {(b"bytes of 2",)}


def test_bytes_that_are_not_as_recorded_are_left_out(settings, engine, release) -> None:
    photos = [photo(1), photo(2)]
    run_id = land(settings, engine, photos)
    accept(engine, run_id, photos)
    write_partition(settings, run_id, [photos[0], photos[1] | {"content": b"something else"}])
    assert read(settings, engine, release) == {(b"bytes of 1",)}


def test_few_people_are_always_the_same_few(settings, engine, release) -> None:
    landed(settings, engine, [photo(n) for n in range(1, 30)])
    few = read(settings, engine, release, most_people=12)
    assert len(few) == 12 and few == read(settings, engine, release, most_people=12)
    assert read(settings, engine, release, most_people=5) < few


def test_a_warehouse_without_photographs_says_what_to_do(settings, engine, release) -> None:
    with pytest.raises(NothingToEvaluate) as refused:
        warehouse_photographs(engine, landing=settings.landing, night=NIGHT, release=release, most_people=9)
    assert "fahr-demo-1" in str(refused.value) and "--drawn" in refused.value.next_step


def test_in_a_folder_a_file_is_a_person_and_a_folder_is_one_day_of_a_person(tmp_path: Path) -> None:
    (tmp_path / "somebody").mkdir()
    for name in ("one.jpg", "two.PNG", "notes.txt", "somebody/a.jpg", "somebody/b.jpg", "somebody/c.jpg"):
        (tmp_path / name).write_bytes(name.encode())
    found = folder_photographs(tmp_path, is_synthetic=False, most_people=9, limit_bytes=100)
    assert set(found.read()) == {(b"one.jpg",), (b"two.PNG",), (b"somebody/a.jpg", b"somebody/b.jpg")}
    assert found.count == 3 and str(tmp_path) not in found.data and "somebody" not in found.data
    with pytest.raises(NothingToEvaluate):
        folder_photographs(tmp_path / "nowhere", is_synthetic=False, most_people=9, limit_bytes=100)


def test_a_release_that_ships_is_evaluated_on_drawn_people_unless_asked_otherwise(settings, engine, release) -> None:
    landed(settings, engine, [photo(1)])

    def chosen(**asked):
        options = {"drawn": None, "folder": None, "warehouse": False, "synthetic": False, "most_people": 4} | asked
        return chosen_people(settings=settings, engine=engine, night=NIGHT, release=release, **options)

    assert isinstance(chosen(), DrawnPeople) and chosen().count == 4
    assert chosen(drawn=6).count == 6 and chosen(drawn=6).sha256 != chosen(drawn=4).sha256
    assert chosen(warehouse=True).count == 1 and not chosen(warehouse=True).is_synthetic
    with pytest.raises(UsageError):
        chosen(drawn=6, warehouse=True)
