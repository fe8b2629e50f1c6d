"""`fahr evaluate age` and `survival` on a warehouse: who is evaluated, what is published, and how it ends otherwise."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from opened_page import Opened
from scored_hospital import MODEL_ID, fill_hospital
from sqlalchemy import text
from typer.testing import CliRunner

from jobs.cli import app
from jobs.demo.population import CANARY, DEMO_NIGHT
from jobs.errors import FahrError, ModelRefused
from jobs.evaluation.age import evaluate_age
from jobs.evaluation.errors import NothingToEvaluate
from jobs.evaluation.publish import publish_evaluation
from jobs.evaluation.survival import evaluate_survival
from jobs.evaluation.warehouse_scores import read_warehouse_scores
from jobs.risk import risk
from model.survival.bootstrap import Resampling

FEW = Resampling(20, seed=1)
KINDS = {"age": evaluate_age, "survival": evaluate_survival}


def read(engine, **wanted):
    return read_warehouse_scores(engine, **{"night": DEMO_NIGHT, "model_id": None, "cohort": "cancer_photo"} | wanted)


def evaluate(settings, engine, kind, **wanted):
    faces = read(engine, **wanted)
    evaluation = KINDS[kind](faces, resampling=FEW)
    return (
        faces,
        evaluation,
        publish_evaluation(
            settings=settings, engine=engine, release=faces.model, evaluation=evaluation, night=DEMO_NIGHT
        ),
    )


def metric(engine, name, group="all", level="all"):
    with engine.connect() as connection:
        return connection.execute(
            text(
                "SELECT estimate, lower_95, upper_95, photos, people, events, note FROM fahr.evaluation_metric"
                " WHERE is_latest AND metric = :name AND group_name = :group AND level = :level"
            ),
            {"name": name, "group": group, "level": level},
        ).one()


def query(engine, statement, **parameters):
    with engine.connect() as connection:
        return pd.DataFrame(connection.execute(text(statement), parameters).mappings().all())


def teach(owner, where):
    """Record that the photos of some people taught the hospital's model."""
    with owner.begin() as connection:
        run_id = connection.execute(text("SELECT run_id FROM fahr.run_v1 LIMIT 1")).scalar_one()
        connection.execute(
            text(
                "INSERT INTO fahr.training_set_v1 VALUES ('d1', 'set', 'warehouse', true, 'p', 1, 1, 0, '{}', 1, 0.1,"
                " 0.1, 5, '2026-01-01', '0', :run_id)"
            ),
            {"run_id": run_id},
        )
        connection.execute(
            text(
                "INSERT INTO fahr.training_photo_v1 SELECT DISTINCT 'd1', content_sha256, person_id, 'train', 0"
                f" FROM fahr.face_score WHERE {where}"
            )
        )
        connection.execute(
            text(
                "INSERT INTO fahr.model_training_v1 SELECT :model, biomarker, 'n1', 'd1', 'train', 0, '2026-01-01',"
                " :run_id FROM (VALUES ('age'), ('survival')) AS taught (biomarker)"
            ),
            {"model": MODEL_ID, "run_id": run_id},
        )


def test_age_is_what_a_query_of_the_scores_says(settings, engine, owner_engine, browser):
    fill_hospital(owner_engine, patients=120, seed=7)
    _, evaluation, published = evaluate(settings, engine, "age")
    scores = query(engine, "SELECT face_age_years, age_at_photo_years, person_id FROM fahr.face_score")
    error = scores["face_age_years"] - scores["age_at_photo_years"]
    found = metric(engine, "face_age_mae_years")
    assert found.estimate == pytest.approx(error.abs().mean())
    assert (found.photos, found.people) == (len(scores), scores["person_id"].nunique())
    assert metric(engine, "face_age_bias_years").estimate == pytest.approx(error.mean())
    women = query(
        engine,
        "SELECT avg(abs(face_age_years - age_at_photo_years)) AS mae FROM fahr.face_score"
        " JOIN cdm.person USING (person_id) WHERE gender_concept_id = 8532",
    )
    assert metric(engine, "face_age_mae_years", "sex", "female").estimate == pytest.approx(women["mae"][0])
    assert metric(engine, "face_age_c_index").events > 0
    opened = Opened(browser, published.page)
    assert opened.complaints == []
    assert [url for url in opened.requests if url != opened.url and not url.startswith("data:")] == []
    assert opened.page.locator("#figures img").count() == len(evaluation.figures) == 3
    widths = opened.page.locator("#figures img").evaluate_all("images => images.map(image => image.naturalWidth)")
    assert min(widths) > 300
    assert "FaceAge mean absolute error, years" in opened.words("#whole")
    assert "By photo source" in opened.words("#groups")
    assert "synthetic" in opened.words("#banner")


def test_survival_is_of_the_cohorts_people(settings, engine, owner_engine, browser):
    fill_hospital(owner_engine, patients=200, seed=7)
    faces, evaluation, published = evaluate(settings, engine, "survival")
    found = metric(engine, "face_survival_c_index")
    assert (found.people, found.events) == (len(faces.people), faces.people["event"].sum())
    assert found.lower_95 < found.estimate < found.upper_95
    assert metric(engine, "face_survival_adjusted_hazard_ratio_per_sd").estimate > 1
    assert metric(engine, "adjusted_hazard_ratio", "face_survival_quartile", "Q4").estimate is not None
    level = "FaceSurvival added to clinical + FaceAge"
    assert metric(engine, "likelihood_ratio_p_value", "nested_cox_models", level).estimate < 0.05
    # The same cohort, the same covariates, the same fit as the risk tables': by another way to the same number.
    adjusted = metric(engine, "c_index_apparent", "cox_model", "clinical + FaceSurvival + FaceAge")
    risk(settings=settings, engine=engine, night=DEMO_NIGHT)
    tables = query(engine, "SELECT concordance FROM fahr.risk_model WHERE model_name = 'both_adjusted' AND is_latest")
    assert adjusted.estimate == pytest.approx(tables["concordance"][0], abs=1e-9)
    opened = Opened(browser, published.page)
    assert opened.complaints == []
    words = opened.words("body")
    for title in ("Survival by quarter of FaceSurvival", "Nested Cox models", "Discrimination over time"):
        assert title in words
    assert opened.page.locator("#figures img").count() == len(evaluation.figures) == 5


def test_pages_and_files_name_nobody(settings, engine, owner_engine):
    fill_hospital(owner_engine, patients=40, seed=7)
    for kind in KINDS:
        _, _, published = evaluate(settings, engine, kind)
        for file in (published.page, published.csv):
            told = re.sub(r"base64,[A-Za-z0-9+/=]+", "", file.read_text())
            assert CANARY not in told
            assert not re.search(r"SYN-\d|key-\d|person_id|session_id|\d+/\d{4}-\d\d-\d\d", told)
            assert str(settings.home) not in told


def test_people_who_taught_the_model_are_left_out(settings, engine, owner_engine):
    fill_hospital(owner_engine, patients=120, seed=7)
    before = read(engine)
    teach(owner_engine, "person_id % 3 = 0")
    after = read(engine)
    taught = before.photos[before.photos["person"] % 3 == 0]
    assert len(taught) > 20
    assert set(after.photos["person"]) == set(before.photos["person"]) - set(taught["person"])
    assert not (after.people["person"] % 3 == 0).any() and len(after.people) < len(before.people)
    assert after.left_out["taught_the_model"] == len(taught)
    _, evaluation, _ = evaluate(settings, engine, "age")
    assert metric(engine, "not_evaluated", "left_out", "taught_the_model").photos == len(taught)
    assert evaluation.photos == len(before.photos) - len(taught)


def test_a_model_that_saw_everybody_has_nothing_to_be_evaluated_on(engine, owner_engine):
    fill_hospital(owner_engine, patients=40, seed=7)
    teach(owner_engine, "true")
    with pytest.raises(NothingToEvaluate, match="taught_the_model") as refusal:
        read(engine)
    assert refusal.value.exit_code == 11


def test_another_model_is_evaluated_on_its_own_scores(settings, engine, owner_engine):
    fill_hospital(owner_engine, patients=120, seed=7)
    with owner_engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO fahr.model_version_v1 (model_id, preprocessing_id, weights_sha256, trained_on_synthetic,"
                " training_data, licence, intended_use, metrics, registered_on, is_current, run_id)"
                " SELECT 'older', 'p-old', 'cd', true, training_data, licence, intended_use, metrics, registered_on,"
                " false, run_id FROM fahr.model_version_v1"
            )
        )
        connection.execute(
            text(
                "INSERT INTO fahr.face_score_v1 (content_sha256, model_id, preprocessing_id, weights_sha256,"
                " code_version, face_age_years, detection_probability, face_width_px, sharpness, run_id, scored_on)"
                " SELECT content_sha256, 'older', 'p-old', 'cd', code_version, face_age_years + 10,"
                " detection_probability, face_width_px, sharpness, run_id, scored_on FROM fahr.face_score_v1"
            )
        )
    current, older = read(engine), read(engine, model_id="older")
    assert older.model.model_id == "older"
    assert np.allclose(older.photos["face_age_years"], current.photos["face_age_years"] + 10)
    # It has no survival network: its people are evaluated by FaceAge alone.
    assert "face_survival_log_risk" not in older.people and len(older.people) == len(current.people)
    assert np.allclose(older.people["face_age_years"], current.people["face_age_years"] + 10)
    _, evaluation, _ = evaluate(settings, engine, "survival", model_id="older")
    assert "The release has no FaceSurvival network." in evaluation.remarks


def test_no_model_and_an_unknown_one_are_refused(engine, owner_engine):
    with pytest.raises(ModelRefused, match="No model has scored"):
        read(engine)
    fill_hospital(owner_engine, patients=20, seed=7)
    with pytest.raises(ModelRefused, match="nobody-knows"):
        read(engine, model_id="nobody-knows")


def test_impossible_ages_in_the_record_are_counted_not_averaged(settings, engine, owner_engine):
    fill_hospital(owner_engine, patients=60, seed=7)
    with owner_engine.begin() as connection:
        wrong = connection.execute(text("SELECT min(person_id) FROM cdm.person")).scalar_one()
        connection.execute(
            text(
                "UPDATE cdm.person SET year_of_birth = 1826, birth_datetime = birth_datetime - interval '150 years'"
                " WHERE person_id = :wrong"
            ),
            {"wrong": wrong},
        )
    faces = read(engine)
    assert faces.left_out["age_impossible"] > 0 and wrong not in set(faces.photos["person"])


def test_a_quick_evaluation_takes_the_same_few_people_each_time(engine, owner_engine):
    fill_hospital(owner_engine, patients=120, seed=7)
    few, again = read(engine, most_people=30), read(engine, most_people=30)
    assert few.photos["person"].nunique() == 30
    assert set(few.people["person"]) <= set(few.photos["person"])
    assert few.sha256 == again.sha256 != read(engine).sha256


def fahr(settings, *arguments):
    """Call the command in this process; gives its exit code and what it wrote or, for an error of ours, said."""
    answer = CliRunner().invoke(
        app,
        ["evaluate", *arguments, "--date", str(DEMO_NIGHT)],
        env={"FAHR_HOME": str(settings.home), "FAHR_WAREHOUSE_URL": settings.warehouse_url.get_secret_value()},
    )
    if isinstance(answer.exception, FahrError):
        return answer.exception.exit_code, f"{answer.exception} {answer.exception.next_step}"
    assert answer.exception is None or isinstance(answer.exception, SystemExit), answer.exception
    return answer.exit_code, answer.output


def test_the_command_publishes_and_says_where(settings, engine, owner_engine):
    code, words = fahr(settings, "age")
    assert code == 12 and "fahr nightly" in words
    fill_hospital(owner_engine, patients=60, seed=7)
    code, words = fahr(settings, "age", "--quick")
    assert code == 0, words
    assert re.search(r"evaluate age: \d+ photos, 60 people", words)
    assert "evaluation-age-fahr-test-1" in re.search(r"page: (\S+)", words).group(1)
    known = query(engine, "SELECT kind, people FROM fahr.evaluation")
    assert known.to_dict("list") == {"kind": ["age"], "people": [60]}
    assert "(as before)" in fahr(settings, "age", "--quick")[1]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("age", "--folder", "somewhere"), 2),
        (("age", "--folder", "somewhere", "--labels", "x.csv", "--drawn", "9"), 2),
        (("survival", "--cohort", "no-such-cohort"), 2),
        (("age", "--drawn", "9", "--model", "no-such-model"), 12),
        (("age", "--model", "no-such-model"), 12),
        (("age", "--folder", "no-such-folder", "--labels", "no-such-file.csv"), 11),
    ],
)
def test_what_the_command_refuses(settings, engine, arguments, code):
    assert fahr(settings, *arguments)[0] == code
