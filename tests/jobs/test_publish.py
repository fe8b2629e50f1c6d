"""Publish: what scoring staged is audited and merged as one, once, whatever happens in between."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import text

from jobs.errors import DatasetRejected
from jobs.publish import publish
from jobs.scoring_worker import STAGED_SCHEMA
from tests.jobs.landed import IMPORTS_GREAT_EXPECTATIONS, NIGHT, land, photo, rows

pytestmark = IMPORTS_GREAT_EXPECTATIONS

NEXT = NIGHT + timedelta(days=1)
WEIGHTS = "a" * 64
PERMANENT = {"no_face"}


def score(content: str, **facts: Any) -> dict[str, Any]:
    return {
        "content_sha256": hashlib.sha256(content.encode()).hexdigest(),
        "model_id": "model",
        "preprocessing_id": "preprocessing",
        "weights_sha256": WEIGHTS,
        "code_version": "test",
        "face_age_years": 61.25,
        "face_survival_log_risk": -0.1,
        "detection_probability": 0.99,
        "face_width_px": 410.5,
        "sharpness": 90.0,
        "reason_code": None,
    } | facts


def failure(content: str, reason: str) -> dict[str, Any]:
    return score(
        content,
        reason_code=reason,
        face_age_years=None,
        face_survival_log_risk=None,
        detection_probability=None,
        face_width_px=None,
        sharpness=None,
    )


@pytest.fixture
def accepted(settings, engine):
    """Contents a to f, accepted on the night; the model is registered."""
    pull = land(settings, engine, [photo(number, content=name.encode()) for number, name in enumerate("abcdef", 1)])
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO fahr.validation_v1 SELECT photo_id, content_sha256, true, NULL, '{}', :night, :run"
                " FROM fahr.photo_v1"
            ),
            {"night": NIGHT, "run": pull},
        )
        connection.execute(
            text(
                "INSERT INTO fahr.model_version_v1 (model_id, preprocessing_id, weights_sha256, trained_on_synthetic,"
                " training_data, licence, intended_use, metrics, registered_on, is_current, run_id)"
                " VALUES ('model', 'preprocessing', :weights, true, 'drawn', 'Apache-2.0', 'test', '{}', :night, true,"
                " :run)"
            ),
            {"weights": WEIGHTS, "night": NIGHT, "run": pull},
        )


def stage(
    settings, engine, staged: Sequence[dict[str, Any]], *, night: date = NIGHT, status: str = "succeeded"
) -> uuid.UUID:
    """Stage rows as a scoring run leaves them."""
    run_id = uuid.uuid4()
    scored = sum(row["reason_code"] is None for row in staged)
    rejected = sum(row["reason_code"] in PERMANENT for row in staged)
    write(settings, run_id, staged)
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO fahr.run_v1 (run_id, stage, logical_date, status, finished_at, code_version, counts)"
                " VALUES (:run_id, 'score', :night, :status, clock_timestamp(), 'test', jsonb_build_object("
                "'pending', :pending, 'scored', :scored, 'rejected', :rejected, 'failed', :failed))"
            ),
            {
                "run_id": run_id,
                "night": night,
                "status": status,
                "pending": len(staged),
                "scored": scored,
                "rejected": rejected,
                "failed": len(staged) - scored - rejected,
            },
        )
    return run_id


def write(settings, run_id: uuid.UUID, staged: Sequence[dict[str, Any]]) -> None:
    folder = settings.staged / f"run={run_id}"
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(list(staged), schema=STAGED_SCHEMA), folder / "part-0.parquet")


def published(engine) -> tuple[list[Any], list[Any]]:
    return (
        rows(engine, "SELECT * FROM fahr.face_score_v1 ORDER BY 1"),
        rows(engine, "SELECT * FROM fahr.score_failure_v1 ORDER BY 1"),
    )


def publishes(engine) -> list[str]:
    return [row.status for row in rows(engine, "SELECT status FROM fahr.run_v1 WHERE stage = 'publish'")]


NIGHTS_ROWS = [score("a"), score("b", face_age_years=None), failure("c", "no_face"), failure("d", "scorer_unavailable")]


def test_staged_rows_become_scores_and_failures_once(settings, engine, accepted):
    run_id = stage(settings, engine, NIGHTS_ROWS)
    assert publish(settings=settings, engine=engine, night=NIGHT) == {"scored": 2, "rejected": 1, "failed": 1}
    scores, failures = published(engine)
    first = next(row for row in scores if row.content_sha256 == score("a")["content_sha256"])
    assert (first.face_age_years, first.face_survival_log_risk, first.face_width_px) == (61.25, -0.1, 410.5)
    assert (first.run_id, first.scored_on, first.weights_sha256) == (run_id, NIGHT, WEIGHTS)
    assert {(row.reason_code, row.tries, row.last_failed_on) for row in failures} == {
        ("no_face", 1, NIGHT),
        ("scorer_unavailable", 1, NIGHT),
    }
    assert not any(settings.staged.iterdir())
    assert rows(engine, "SELECT * FROM fahr_stage.face_score") == []
    assert publish(settings=settings, engine=engine, night=NIGHT) == {}
    assert published(engine) == (scores, failures)
    assert publishes(engine) == ["succeeded"]


def test_a_publish_killed_after_its_transaction_finds_nothing_left_to_do(settings, engine, accepted):
    run_id = stage(settings, engine, NIGHTS_ROWS)
    publish(settings=settings, engine=engine, night=NIGHT)
    before = published(engine)
    write(settings, run_id, NIGHTS_ROWS)  # the folder is still there
    assert publish(settings=settings, engine=engine, night=NEXT) == {}
    assert published(engine) == before
    assert not any(settings.staged.iterdir())
    assert publishes(engine) == ["succeeded"]


def test_a_folder_that_was_half_removed_is_not_published_again(settings, engine, accepted):
    (settings.staged / "published-run=0" / "rest").mkdir(parents=True)
    assert publish(settings=settings, engine=engine, night=NIGHT) == {}
    assert not any(settings.staged.iterdir())


@pytest.mark.parametrize("status", ["running", "failed", "abandoned"])
def test_what_an_unfinished_scoring_run_staged_is_thrown_away(settings, engine, accepted, status):
    stage(settings, engine, NIGHTS_ROWS, status=status)
    assert publish(settings=settings, engine=engine, night=NIGHT) == {}
    assert published(engine) == ([], [])
    assert not any(settings.staged.iterdir())


def test_with_nothing_staged_there_is_nothing_to_do(settings, engine):
    assert publish(settings=settings, engine=engine, night=NIGHT) == {}
    assert rows(engine, "SELECT * FROM fahr.run_v1") == []


def test_a_transient_failure_is_counted_by_nights_and_ends_with_the_score(settings, engine, accepted):
    def failures() -> list[tuple[Any, ...]]:
        return rows(engine, "SELECT reason_code, tries, first_failed_on, last_failed_on FROM fahr.score_failure_v1")

    stage(settings, engine, [failure("a", "scorer_unavailable")])
    publish(settings=settings, engine=engine, night=NIGHT)
    stage(settings, engine, [failure("a", "scorer_unavailable")])
    assert publish(settings=settings, engine=engine, night=NIGHT) == {}
    assert failures() == [("scorer_unavailable", 1, NIGHT, NIGHT)]
    stage(settings, engine, [failure("a", "scorer_unavailable")], night=NEXT)
    assert publish(settings=settings, engine=engine, night=NEXT)["failed"] == 1
    assert failures() == [("scorer_unavailable", 2, NIGHT, NEXT)]
    stage(settings, engine, [score("a")], night=NEXT + timedelta(days=1))
    assert publish(settings=settings, engine=engine, night=NEXT + timedelta(days=1))["scored"] == 1
    assert failures() == []


def test_runs_of_several_nights_are_published_in_their_order(settings, engine, accepted):
    first = stage(
        settings, engine, [score("a"), failure("b", "scorer_unavailable"), failure("c", "scorer_unavailable")]
    )
    second = stage(settings, engine, [score("a"), failure("b", "no_face"), score("c", face_age_years=30.0)], night=NEXT)
    assert publish(settings=settings, engine=engine, night=NEXT) == {"scored": 2, "rejected": 1, "failed": 2}
    scores, failures = published(engine)
    assert {(row.content_sha256, row.run_id) for row in scores} == {
        (score("a")["content_sha256"], first),
        (score("c")["content_sha256"], second),
    }
    assert [(row.reason_code, row.tries, row.first_failed_on, row.last_failed_on) for row in failures] == [
        ("no_face", 2, NIGHT, NEXT)
    ]


def test_a_decision_is_due_for_scoring_until_a_model_judged_its_bytes(settings, engine, accepted):
    def due() -> set[str]:
        return {row.content_sha256 for row in rows(engine, "SELECT * FROM fahr.validation_v1 WHERE score_due")}

    def of(contents: str) -> set[str]:
        return {score(content)["content_sha256"] for content in contents}

    stage(settings, engine, NIGHTS_ROWS)
    publish(settings=settings, engine=engine, night=NIGHT)
    assert due() == of("def")  # scored: a, b; never to be scored: c; to be tried again: d
    with engine.begin() as connection:  # as a new decision on bytes that have their score
        connection.execute(text("UPDATE fahr.validation_v1 SET score_due = true"))
    stage(settings, engine, [score("e")], night=NEXT)
    publish(settings=settings, engine=engine, night=NEXT)
    assert due() == of("df")


@pytest.mark.parametrize("table", ["face_score_v1", "score_failure_v1"])
def test_a_row_that_does_not_arrive_undoes_the_publish(settings, engine, owner_engine, accepted, table):
    run_id = stage(settings, engine, NIGHTS_ROWS)
    with owner_engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE FUNCTION fahr.lose() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
            f"CREATE TRIGGER lose BEFORE INSERT ON fahr.{table} FOR EACH ROW EXECUTE FUNCTION fahr.lose()"
        )
    with pytest.raises(RuntimeError, match="2 staged rows did not arrive"):
        publish(settings=settings, engine=engine, night=NIGHT)
    assert published(engine) == ([], [])
    assert publishes(engine) == ["failed"]
    assert (settings.staged / f"run={run_id}").is_dir()


def altered(row: int, **facts: Any) -> list[dict[str, Any]]:
    return [one | facts if number == row else one for number, one in enumerate(NIGHTS_ROWS)]


@pytest.mark.parametrize(
    ("rows_found", "broken"),
    [
        (NIGHTS_ROWS[:3], "complete"),
        ([], "complete"),
        ([*NIGHTS_ROWS, NIGHTS_ROWS[0]], "each_content_once"),
        ([*NIGHTS_ROWS[:3], NIGHTS_ROWS[0]], "failed_as_counted, each_content_once"),
        (altered(0, face_age_years=151.0), "age_in_range"),
        (altered(0, face_age_years=float("nan")), "age_in_range"),
        (altered(0, face_survival_log_risk=100.0), "risk_in_range"),
        (altered(0, detection_probability=None), "score_with_face"),
        (altered(0, face_width_px=0.0), "width_positive"),
        (altered(0, weights_sha256="b" * 64), "model_registered"),
        (altered(0, model_id="unheard of"), "model_registered"),
        (altered(0, content_sha256="0" * 64), "content_accepted"),
        (altered(0, reason_code="no_face"), "score_or_reason"),
        (altered(2, reason_code="bad luck"), "known_reason"),
        (altered(2, reason_code=None), "score_or_reason"),
    ],
)
def test_staged_scores_that_were_altered_are_refused_as_a_whole(settings, engine, accepted, rows_found, broken):
    run_id = stage(settings, engine, NIGHTS_ROWS)
    write(settings, run_id, rows_found)
    with pytest.raises(DatasetRejected, match=broken) as refused:
        publish(settings=settings, engine=engine, night=NIGHT)
    assert refused.value.exit_code == 11
    assert published(engine) == ([], [])
    assert publishes(engine) == ["rejected"]
    assert rows(engine, "SELECT * FROM fahr_stage.face_score") == []
    assert (settings.staged / f"run={run_id}").is_dir()


@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_a_staged_file_that_was_damaged_is_refused(settings, engine, accepted, damage):
    run_id = stage(settings, engine, NIGHTS_ROWS)
    file = settings.staged / f"run={run_id}" / "part-0.parquet"
    if damage == "cut":
        file.write_bytes(file.read_bytes()[:-50])
    else:
        file.unlink()
    with pytest.raises(DatasetRejected):
        publish(settings=settings, engine=engine, night=NIGHT)
    assert published(engine) == ([], [])
    assert publishes(engine) == ["rejected"]
