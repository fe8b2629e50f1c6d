"""Rule 6, end to end: a photo used to train a model never enters that model's evaluation or risk tables."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pandas as pd
import pytest
import sqlalchemy.exc
from scored_hospital import MODEL_ID, PREPROCESSING_ID, fill_hospital, models_only
from sqlalchemy import Engine, text
from test_risk import database

from jobs.demo.population import DEMO_NIGHT
from jobs.risk import risk
from jobs.runs import recorded_run
from jobs.training.ledger import (
    OutOfFoldScore,
    StartedFrom,
    record_model_training,
    record_out_of_fold_scores,
)
from jobs.warehouse.connection import connect
from schemas.cohort import COHORTS, DeclarationError, load_cohort

PATIENTS = 120
AGE_NETWORK, SURVIVAL_NETWORK = "aa" * 32, "bb" * 32
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def filled(postgres_server: str) -> Iterator[str]:
    """Name of a database with a scored hospital and a recorded data set of its people 1 to 40."""
    with database(postgres_server, "fahr_unseen", "fahr_template") as url:
        owner = connect(url, role=None)
        fill_hospital(owner, patients=PATIENTS, seed=7)
        with owner.begin() as connection:
            connection.execute(
                text("UPDATE fahr.model_version_v1 SET age_weights_sha256 = :age, survival_weights_sha256 = :survival"),
                {"age": AGE_NETWORK, "survival": SURVIVAL_NETWORK},
            )
            for statement in DATA_SET:
                connection.execute(text(statement))
        owner.dispose()
        yield "fahr_unseen"


DATA_SET = (
    """
    INSERT INTO fahr.training_set_v1
    SELECT 'set-1', NULL, 'warehouse', true, 'p-test', 1, 1, 0, '{}', 1, 0.15, 0.15, 2, '2026-01-01', '0', run_id
    FROM fahr.run_v1 LIMIT 1
    """,
    # 1 to 20 train, 21 to 30 validation, 31 to 40 test; even people are in fold 0.
    """
    INSERT INTO fahr.training_photo_v1
    SELECT 'set-1', content_sha256, person_id,
        CASE WHEN person_id <= 20 THEN 'train' WHEN person_id <= 30 THEN 'validation' ELSE 'test' END, person_id % 2
    FROM fahr.face_score WHERE person_id <= 40
    """,
)


@pytest.fixture
def warehouse_url(postgres_server: str, filled: str) -> Iterator[str]:
    """A copy of the filled warehouse."""
    with database(postgres_server, f"fahr_unseen_{next(_numbers)}", filled) as url:
        yield url


def rows(engine: Engine, query: str) -> pd.DataFrame:
    with engine.connect() as connection:
        return pd.read_sql(text(query), connection)


def run_risk(settings, engine) -> dict[str, int]:
    return risk(settings=settings, engine=engine, night=DEMO_NIGHT, cohort=models_only())


def members(engine: Engine) -> pd.DataFrame:
    return rows(engine, "SELECT * FROM fahr.cohort_member WHERE is_latest ORDER BY person_id").set_index("person_id")


def teach(engine: Engine, biomarker: str = "survival", model_id: str = MODEL_ID, **options) -> None:
    with recorded_run(engine, stage="train", logical_date=DEMO_NIGHT, lock="train") as run, run.publish() as connection:
        given = {
            "network_sha256": SURVIVAL_NETWORK if biomarker == "survival" else AGE_NETWORK,
            "data_set_id": "set-1",
        } | options
        record_model_training(
            connection, model_id=model_id, biomarker=biomarker, trained_on=DEMO_NIGHT, run_id=run.run_id, **given
        )


def give_out_of_fold(engine: Engine, scores: list[OutOfFoldScore], **options) -> int:
    with recorded_run(engine, stage="train", logical_date=DEMO_NIGHT, lock="train") as run, run.publish() as connection:
        given = {"biomarker": "survival", "network_sha256": SURVIVAL_NETWORK, "data_set_id": "set-1"} | options
        return record_out_of_fold_scores(
            connection, scores, model_id=MODEL_ID, preprocessing_id=PREPROCESSING_ID, run_id=run.run_id, **given
        )


def test_without_training_the_unseen_scores_are_the_scores(engine):
    query = "SELECT photo_id, model_id, face_age_years, face_survival_log_risk, session_id FROM {} ORDER BY 1, 2"
    pd.testing.assert_frame_equal(
        rows(engine, query.format("fahr.face_score_unseen")), rows(engine, query.format("fahr.face_score"))
    )
    query = "SELECT session_id, photos, face_age_years, face_survival_log_risk, face_age_gap_years FROM {} ORDER BY 1"
    pd.testing.assert_frame_equal(
        rows(engine, query.format("fahr.session_score_unseen")), rows(engine, query.format("fahr.session_score"))
    )


def test_people_who_taught_the_model_leave_the_risk_tables_and_come_back_with_out_of_fold_scores(settings, engine):
    counts = run_risk(settings, engine)
    assert counts["analysed"] == PATIENTS and "taught_the_model" not in counts
    before = members(engine)

    teach(engine)
    counts = run_risk(settings, engine)
    assert (counts["persons"], counts["taught_the_model"], counts["analysed"]) == (PATIENTS, 30, PATIENTS - 30)
    after = members(engine)
    assert sorted(set(before.index) - set(after.index)) == list(range(1, 31))
    pd.testing.assert_series_equal(
        after["face_survival_log_risk"], before.loc[after.index, "face_survival_log_risk"], check_exact=True
    )
    recorded = rows(engine, "SELECT counts FROM fahr.run WHERE stage = 'risk' ORDER BY started_at DESC LIMIT 1")
    assert recorded["counts"].item()["taught_the_model"] == 30

    photos = rows(engine, "SELECT content_sha256, fold, person_id FROM fahr.training_photo WHERE person_id <= 12")
    scores = [OutOfFoldScore(row.content_sha256, row.fold, row.person_id / 10) for row in photos.itertuples()]
    assert give_out_of_fold(engine, scores) == len(photos)
    counts = run_risk(settings, engine)
    assert (counts["taught_the_model"], counts["analysed"]) == (18, PATIENTS - 18)
    back = members(engine)
    for person in range(1, 13):
        assert back.loc[person, "face_survival_log_risk"] == person / 10
        assert back.loc[person, "face_age_years"] == before.loc[person, "face_age_years"]
    others = [person for person in back.index if person > 12]
    assert (back.loc[others, "face_survival_log_risk"] == before.loc[others, "face_survival_log_risk"]).all()


def test_only_the_parts_that_taught_count(settings, engine):
    teach(engine, splits=("train",), folds=(0,))
    assert run_risk(settings, engine)["taught_the_model"] == 10
    assert sorted(set(range(1, PATIENTS + 1)) - set(members(engine).index)) == list(range(2, 21, 2))


@pytest.mark.parametrize(
    ("biomarker", "withheld"), [("age", (True, False)), ("survival", (False, True)), ("encoder", (True, True))]
)
def test_each_biomarker_is_withheld_by_what_taught_it(engine, biomarker, withheld):
    teach(engine, biomarker)
    told = rows(
        engine,
        "SELECT person_id <= 30 AS taught, bool_and(face_age_withheld) AS age,"
        " bool_and(face_survival_withheld) AS survival, count(face_age_years) AS ages,"
        " count(face_survival_log_risk) AS risks, count(*) AS photos"
        " FROM fahr.face_score_unseen GROUP BY 1 ORDER BY 1",
    )
    seen, unseen = told.iloc[1], told.iloc[0]
    assert (bool(seen["age"]), bool(seen["survival"])) == withheld
    assert (seen["ages"] == 0, seen["risks"] == 0) == withheld
    assert unseen["ages"] == unseen["risks"] == unseen["photos"] and not unseen["age"] and not unseen["survival"]


def test_other_photos_of_a_person_who_taught_are_not_unseen(engine, owner_engine):
    """One photo of each person taught; every photo of them is withheld, out-of-fold scores or not."""
    with owner_engine.begin() as connection:
        connection.execute(
            text(
                "DELETE FROM fahr.training_photo_v1 WHERE content_sha256 NOT IN"
                " (SELECT min(content_sha256) FROM fahr.training_photo_v1 GROUP BY person_id)"
            )
        )
    teach(engine)
    photo = rows(engine, "SELECT content_sha256, fold FROM fahr.training_photo WHERE person_id = 2").iloc[0]
    give_out_of_fold(engine, [OutOfFoldScore(photo["content_sha256"], int(photo["fold"]), 0.5)])
    told = rows(
        engine,
        "SELECT person_id, count(*) AS photos, count(face_survival_log_risk) AS unseen FROM fahr.face_score_unseen"
        " WHERE person_id <= 30 GROUP BY 1 ORDER BY 1",
    ).set_index("person_id")
    assert (told["photos"] > 1).any()
    assert told["unseen"].drop(2).eq(0).all() and told.loc[2, "unseen"] == 1


def test_the_same_bytes_under_another_person_are_not_unseen(settings, engine, owner_engine):
    """The bytes of a photo of person 3 are filed under person 90 too; and a public photo set held one of person 91."""
    with owner_engine.begin() as connection:
        for statement in (
            "UPDATE fahr.photo_v1 SET content_sha256 = (SELECT min(content_sha256) FROM fahr.training_photo_v1"
            " WHERE person_id = 3) WHERE photo_id = (SELECT min(photo_id) FROM fahr.face_score WHERE person_id = 90)",
            "INSERT INTO fahr.training_photo_v1 SELECT 'set-1', min(content_sha256), NULL, 'train', 0"
            " FROM fahr.face_score WHERE person_id = 91",
        ):
            connection.execute(text(statement))
    teach(engine)
    assert run_risk(settings, engine)["taught_the_model"] == 32
    assert not {90, 91} & set(members(engine).index)


def test_a_release_that_takes_a_network_over_was_taught_by_what_taught_it(settings, engine):
    teach(engine, model_id="an-older-release")
    assert run_risk(settings, engine)["taught_the_model"] == 30


def test_a_network_was_taught_by_what_it_started_from(settings, engine):
    teach(engine, "encoder", "the-base", network_sha256="cc" * 32, splits=("test",))
    assert "taught_the_model" not in run_risk(settings, engine)
    teach(engine, splits=("train",), started_from=StartedFrom("the-base", "encoder"))
    assert run_risk(settings, engine)["taught_the_model"] == 30  # 20 of train, and the 10 of test


def test_training_of_another_model_withholds_nothing(settings, engine):
    teach(engine, model_id="another", network_sha256="dd" * 32)
    counts = run_risk(settings, engine)
    assert "taught_the_model" not in counts and counts["analysed"] == PATIENTS


def test_recording_again_changes_nothing(engine):
    photo = rows(engine, "SELECT content_sha256, fold FROM fahr.training_photo LIMIT 1").iloc[0]
    score = OutOfFoldScore(photo["content_sha256"], int(photo["fold"]), 0.5)
    for new in (1, 0):
        teach(engine)
        assert give_out_of_fold(engine, [score]) == new
    assert rows(engine, "SELECT count(*) AS n FROM fahr.model_training")["n"].item() == 4
    assert rows(engine, "SELECT count(*) AS n FROM fahr.out_of_fold_score")["n"].item() == 1


@pytest.mark.parametrize("wrong", ["fold", "photo", "value"])
def test_the_warehouse_refuses_out_of_fold_scores_that_cannot_be(engine, wrong):
    photo = rows(engine, "SELECT content_sha256, fold FROM fahr.training_photo LIMIT 1").iloc[0]
    score = OutOfFoldScore(photo["content_sha256"], int(photo["fold"]), 0.5)
    changed = {"fold": {"fold": 1 - score.fold}, "photo": {"content_sha256": "none"}, "value": {"value": float("nan")}}
    with pytest.raises(sqlalchemy.exc.IntegrityError):
        give_out_of_fold(engine, [score._replace(**changed[wrong])])
    assert rows(engine, "SELECT * FROM fahr.out_of_fold_score").empty


def test_nothing_can_be_recorded_of_what_is_not_there(engine):
    for options, says in (({"splits": ("exam",)}, "no split exam"), ({"data_set_id": "none"}, "not recorded")):
        with pytest.raises(ValueError, match=says):
            teach(engine, **options)
    assert rows(engine, "SELECT * FROM fahr.model_training").empty


def test_a_cohort_may_not_read_scores_of_people_who_taught(tmp_path):
    folder = tmp_path / "cancer_photo"
    folder.mkdir()
    for file in (COHORTS / "cancer_photo").iterdir():
        (folder / file.name).write_text(file.read_text().replace("fahr.session_score_unseen", "fahr.session_score"))
    with pytest.raises(DeclarationError, match=r"reads fahr\.session_score.*read fahr\.session_score_unseen"):
        load_cohort(folder)
