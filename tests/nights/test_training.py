"""Training and evaluation through the command line: from a demo hospital's photos to a promoted model's scores."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.airflow_env import airflow_environment
from jobs.demo.population import CANARY
from jobs.settings import Settings
from jobs.spark_conf import environment_bin
from tests.nights.hospital import NEXT_NIGHT, NIGHT, SmallHospital

DATA = ("--dataset", "quarter", "--quick")
DAG_MODEL = f"survival-{NIGHT}"


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallHospital]:
    """A hospital with enough deaths to learn from, its night behind it, and a data set."""
    folder = tmp_path_factory.mktemp("training")
    hospital = SmallHospital(home=folder / "home", output=folder / "output.log")
    hospital.fahr("demo", "--patients", "80")
    hospital.fahr("nightly", "--date", NIGHT)
    hospital.fahr("train", "data-set", "--date", NIGHT, "--name", "quarter")
    yield hospital
    hospital.fahr("warehouse", "stop")


@pytest.fixture(scope="module")
def trained(hospital: SmallHospital) -> SmallHospital:
    """The three trainings, one after the other, each from the one before."""
    hospital.fahr("train", "mae", "--date", NIGHT, "--name", "face", "--processes", "2", "--epochs", "2", *DATA)
    hospital.fahr("train", "age", "--date", NIGHT, "--name", "aged", "--start-from", "face", *DATA)
    hospital.fahr("train", "survival", "--date", NIGHT, "--name", "own", "--start-from", "aged", *DATA)
    return hospital


def test_each_training_leaves_a_release_and_says_what_taught_it(trained: SmallHospital):
    models = trained.home / "models"
    assert sorted(path.name for path in models.iterdir()) == ["aged", "face", "own"]
    assert sorted(path.name for path in (models / "own").glob("*.safetensors")) == [
        "age.safetensors",
        "face.safetensors",
        "survival.safetensors",
    ]
    assert (models / "face" / "reconstructions.png").read_bytes().startswith(b"\x89PNG")
    taught = trained.query("SELECT DISTINCT model_id, biomarker, split FROM fahr.model_training_v1")
    assert {("face", "encoder", "train"), ("aged", "age", "train"), ("own", "survival", "train")} <= set(taught)
    assert "test" not in {split for _, _, split in taught}
    assert trained.query("SELECT stage, status FROM fahr.run_v1 WHERE stage = 'train'") == [("train", "succeeded")] * 3
    assert not list((trained.home / "training-work").iterdir())


def test_everybody_of_the_cohort_has_one_out_of_fold_score(trained: SmallHospital):
    ((cohort,),) = trained.query("SELECT count(*) FROM fahr.training_photo_v1 WHERE split <> 'test'")
    scores = trained.query("SELECT content_sha256 FROM fahr.out_of_fold_score_v1 WHERE model_id = 'own'")
    assert len(scores) == len(set(scores)) == cohort > 50


def test_a_name_that_is_taken_is_refused_and_a_word_that_is_none(trained: SmallHospital):
    trained.fahr("train", "age", "--date", NIGHT, "--name", "aged", "--seed", "5", *DATA, expect=12)
    trained.fahr("train", "age", "--date", NIGHT, "--name", "other", "--loss", "hinge", *DATA, expect=2)
    trained.fahr("train", "age", "--date", NIGHT, "--name", "other", "--dataset", "nothing", "--quick", expect=2)


def test_the_dag_trains_evaluates_and_promotes_nothing(trained: SmallHospital):
    environment = airflow_environment(Settings(home=trained.home, spark_master="local[2]"))
    for command in (["db", "migrate"], ["dags", "test", "survival_training", NIGHT]):
        ended = subprocess.run(
            [str(environment_bin() / "airflow"), *command],
            env=environment | {"FAHR_TRAINING_OPTIONS": "--quick"},
            capture_output=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout.decode()[-3000:]
    assert (trained.home / "models" / DAG_MODEL / "survival.safetensors").is_file()
    ((evaluated,),) = trained.query(f"SELECT count(*) FROM fahr.evaluation WHERE model_id = '{DAG_MODEL}'")
    assert evaluated == 1
    assert trained.query("SELECT model_id FROM fahr.model_version_v1 WHERE is_current") == [("fahr-demo-1",)]


@pytest.mark.parametrize("kind", ["age", "survival", "robustness", "saliency"])
def test_each_evaluation_runs_on_the_hospital_and_leaves_rows_and_a_page(hospital: SmallHospital, kind: str):
    hospital.fahr("evaluate", kind, "--date", NIGHT, "--model", "fahr-demo-1", "--quick")
    ((numbers,),) = hospital.query(
        "SELECT count(estimate) FROM fahr.evaluation_metric_v1 JOIN fahr.evaluation_v1 USING (evaluation_id)"
        f" WHERE kind = '{kind}' AND model_id = 'fahr-demo-1'"
    )
    assert numbers > 5
    (page,) = (hospital.home / "reports").glob(f"evaluation-{kind}-fahr-demo-1*.html")
    assert "synthetic" in page.read_text().lower()


def test_a_promoted_model_scores_the_archive_and_its_patients_count_by_their_out_of_fold_scores(
    trained: SmallHospital,
):
    trained.fahr("weights", "promote", "own")
    trained.fahr("nightly", "--date", NEXT_NIGHT)
    trained.fahr("risk", "--date", NEXT_NIGHT)
    by_model = dict(trained.query("SELECT model_id, count(*) FROM fahr.face_score_v1 GROUP BY model_id"))
    assert by_model["own"] == by_model["fahr-demo-1"] > 50
    honest = trained.query(
        "SELECT DISTINCT face_age_years FROM fahr.face_score_unseen"
        " WHERE model_id = 'own' AND face_survival_out_of_fold"
    )
    assert honest == [(None,)]  # FaceAge was not cross-fitted: nobody it learned from has one
    cohort = trained.query(
        "SELECT person_id, face_survival_log_risk FROM fahr.cohort_member WHERE is_latest AND model_id = 'own'"
    )
    told = trained.query(
        "SELECT person_id, face_survival_log_risk FROM fahr.session_score_unseen WHERE model_id = 'own'"
    )
    assert cohort and set(cohort) <= set(told)


def test_nothing_personal_is_printed_logged_or_shown(trained: SmallHospital):
    searched = [trained.output, *(path for path in Path(trained.home / "reports").rglob("*") if path.is_file())]
    searched += [path for path in (trained.home / "airflow").rglob("*") if path.is_file()]
    searched += list((trained.home / "models").rglob("*.json"))
    assert len(searched) > 5
    leaks = [path.name for path in searched if CANARY.encode() in path.read_bytes() or b"SYN-" in path.read_bytes()]
    assert leaks == []
