"""An evaluation is published once: rows, CSV and a page agree, a repeat changes nothing, readers see what they may."""

from __future__ import annotations

import csv
import re
import threading
from dataclasses import dataclass, replace
from datetime import date, timedelta

import pytest
from opened_page import Opened
from sqlalchemy import text

from jobs.evaluation.findings import Evaluation, Figure, Finding
from jobs.evaluation.publish import publish_evaluation
from jobs.runs import recorded_run
from jobs.warehouse.connection import open_warehouse

NIGHT = date(2026, 3, 1)
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360f8cf50000003860186"
    "5a33a2130000000049454e44ae426082"
)


@dataclass(frozen=True)
class Model:
    model_id: str = "tiny <1>"
    preprocessing_id: str = "p-test"
    weights_sha256: str = "ab" * 32
    trained_on_synthetic: bool = True


EVALUATION = Evaluation(
    kind="age",
    data="Drawn faces of 120 people.",
    data_sha256="cd" * 32,
    is_synthetic=True,
    photos=300,
    people=120,
    findings=(
        Finding("face_age_mae_years", 1 / 3, photos=300, people=120, lower_95=0.1, upper_95=0.7),
        Finding("c_index", None, people=120, events=0, note="no events"),
        Finding("face_age_mae_years", 4.2, "sex", "female", photos=203, people=81),
        Finding("face_age_mae_years", 9.9, "sex", "male", photos=7, people=3),
    ),
    figures=(Figure("A figure", "What is seen.", PNG),),
    remarks=("Weak where <light> is dim.",),
    method="100 resamplings",
)


def publish(settings, engine, evaluation=EVALUATION, *, night=NIGHT, model=None):
    return publish_evaluation(
        settings=settings, engine=engine, release=model or Model(), evaluation=evaluation, night=night
    )


def rows(engine, query):
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def everything(engine):
    return {
        table: sorted(rows(engine, f"SELECT * FROM fahr.{table}"), key=str)
        for table in ("evaluation_v1", "evaluation_metric_v1", "run_v1")
    }


def test_rows_and_csv_hold_the_same_numbers(settings, engine):
    published = publish(settings, engine)
    metrics = rows(
        engine,
        "SELECT metric, group_name, level, estimate, lower_95, upper_95, photos, people, events, note, is_latest"
        f" FROM fahr.evaluation_metric WHERE evaluation_id = '{published.evaluation_id}'",
    )
    assert ("face_age_mae_years", "all", "all", 1 / 3, 0.1, 0.7, 300, 120, None, None, True) in metrics
    assert ("c_index", "all", "all", None, None, None, None, 120, 0, "no events", True) in metrics
    with published.csv.open(newline="") as stream:
        told = list(csv.DictReader(stream))
    assert len(told) == len(metrics) == 4
    assert {float(row["estimate"]) for row in told if row["estimate"]} == {1 / 3, 4.2, 9.9}
    assert {row["is_synthetic"] for row in told} == {"true"}
    assert rows(engine, "SELECT stage, status, counts->>'metrics' FROM fahr.run") == [("evaluate", "succeeded", "4")]


def test_a_repeat_changes_nothing_and_a_changed_number_replaces(settings, engine):
    first = publish(settings, engine)
    before, page = everything(engine), first.page.read_bytes()
    again = publish(settings, engine)
    assert first.changed and not again.changed
    assert everything(engine) == before and again.page.read_bytes() == page
    changed = replace(EVALUATION, findings=(replace(EVALUATION.findings[0], estimate=0.5), *EVALUATION.findings[1:]))
    assert publish(settings, engine, changed).evaluation_id == first.evaluation_id
    assert rows(engine, "SELECT estimate FROM fahr.evaluation_metric WHERE level = 'all' AND estimate > 0") == [(0.5,)]


def test_the_latest_of_kind_and_model_is_marked(settings, engine):
    publish(settings, engine)
    publish(settings, engine, replace(EVALUATION, data_sha256="ef" * 32), night=NIGHT + timedelta(days=1))
    publish(settings, engine, replace(EVALUATION, kind="survival"))
    publish(settings, engine, model=Model(model_id="other"))
    latest = rows(engine, "SELECT kind, model_id, data_sha256 FROM fahr.evaluation WHERE is_latest ORDER BY 1, 2")
    assert latest == [
        ("age", "other", "cd" * 32),
        ("age", "tiny <1>", "ef" * 32),
        ("survival", "tiny <1>", "cd" * 32),
    ]
    # What was the latest before is so again when it is evaluated again on a later day.
    publish(settings, engine, night=NIGHT + timedelta(days=2))
    latest = rows(engine, "SELECT data_sha256 FROM fahr.evaluation WHERE is_latest AND kind = 'age' ORDER BY model_id")
    assert latest == [("cd" * 32,), ("cd" * 32,)]


def test_the_page_shows_every_number_and_fetches_nothing(settings, engine, browser):
    published = publish(settings, engine)
    opened = Opened(browser, published.page)
    assert [url for url in opened.requests if url != opened.url and not url.startswith("data:")] == []
    assert opened.complaints == []
    page = published.page.read_text()
    assert "<script" not in page and str(settings.home) not in page
    assert not re.search(r"(?:src|href)=[\"'](?!#|data:)|@import|url\(", page)
    assert "not for clinical use" in opened.words("#banner") and "synthetic" in opened.words("#banner")
    assert "FaceAge mean absolute error, years 0.333 0.100 to 0.700 300 120" in opened.words("#whole")
    assert "no events" in opened.words("#whole")
    assert "female 203 81 4.20" in opened.words("#groups")
    assert "Weak where <light> is dim." in opened.words("#remarks")
    assert opened.page.locator("#figures img").evaluate("image => image.naturalWidth") == 1


def test_a_page_about_people_does_not_call_them_synthetic(settings, engine, browser):
    real = replace(EVALUATION, is_synthetic=False, figures=(), remarks=())
    opened = Opened(browser, publish(settings, engine, real, model=replace(Model(), trained_on_synthetic=False)).page)
    assert "not for clinical use" in opened.words("#banner") and "synthetic" not in opened.words("#banner")
    assert opened.complaints == []


def test_researchers_see_no_small_cell(settings, engine):
    publish(settings, engine)
    seen = {}
    for role, view in (("fahr_analyst", "evaluation_metric"), ("fahr_researcher", "researcher_evaluation_metric")):
        as_role = open_warehouse(settings, role=role)
        seen[role] = rows(as_role, f"SELECT level, photos, people FROM fahr.{view} WHERE group_name = 'sex' ORDER BY 1")
        as_role.dispose()
    assert seen["fahr_analyst"] == [("female", 203, 81), ("male", 7, 3)]
    assert seen["fahr_researcher"] == [("female", 205, 80)]


def test_another_that_publishes_just_now_is_waited_for(settings, engine):
    holder = recorded_run(engine, stage="evaluate", logical_date=NIGHT, lock="evaluate")
    holder.__enter__().nothing_to_do()
    released = threading.Timer(1.0, holder.__exit__, (None, None, None))
    released.start()
    assert publish(settings, engine).changed
    assert released.finished.is_set()
    released.join()


@pytest.mark.parametrize(
    "finding", [{"estimate": float("nan")}, {"estimate": None}, {"estimate": 1.0, "upper_95": float("inf")}]
)
def test_a_number_nobody_could_read_is_refused(finding):
    with pytest.raises(ValueError):
        Finding("c_index", **finding)


def test_the_same_metric_twice_is_refused_before_anything_is_written(settings, engine):
    with pytest.raises(ValueError, match="twice"):
        publish(settings, engine, replace(EVALUATION, findings=EVALUATION.findings[:1] * 2))
    assert rows(engine, "SELECT * FROM fahr.evaluation") == []
