"""Evaluations of a folder with a label file, and of drawn people, by small networks with random weights."""

from __future__ import annotations

import csv
import hashlib
from datetime import date

import numpy as np
import pytest
from sqlalchemy import text

from jobs.evaluation.age import evaluate_age
from jobs.evaluation.drawn_scores import score_drawn
from jobs.evaluation.errors import NothingToEvaluate
from jobs.evaluation.folder_scores import score_folder
from jobs.evaluation.publish import publish_evaluation
from jobs.evaluation.survival import evaluate_survival
from jobs.training.errors import TrainingDataRefused
from model.drawing import draw_face, random_conditions, random_latents
from model.scorer import PhotoScorer
from model.survival.bootstrap import Resampling
from model.survival.concordance import harrells_c
from model.training.people import DAYS_PER_YEAR, UNSEEN_SEEDS, simulate_people
from tests.model.releases import small_release
from tests.nights.photograph import jpeg_bytes

SUBJECTS = 6
COLUMNS = ("path", "age", "sex", "subject", "time", "event", "skin_tone")
FEW = Resampling(10, seed=1)


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    return small_release(tmp_path_factory.mktemp("release"), seed=3)


@pytest.fixture(scope="module")
def photo_set(tmp_path_factory):
    """Two photos of each of six subjects, and what is wrong with any folder: no image, no face, no file."""
    folder = tmp_path_factory.mktemp("photos")
    rows, contents = [], {}
    for subject in range(SUBJECTS):
        rng = np.random.default_rng(subject)
        latents = random_latents(rng)
        for number in range(2):
            name = f"{subject}-{number}.jpg"
            contents[name] = jpeg_bytes(draw_face(latents, random_conditions(rng), 256).pixels)
            rows.append(
                [name, f"{40 + subject}", "FM"[subject % 2], f"s{subject}", 400 + 90 * subject, subject % 3 != 0, 2]
            )
    contents["text.jpg"] = b"This is no image."
    contents["wall.jpg"] = jpeg_bytes(np.full((300, 300, 3), 120, dtype=np.uint8))
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    rows += [["text.jpg", 30, "F", "x1", "", "", ""], ["wall.jpg", 30, "F", "x2", "", "", ""]]
    rows += [["gone.jpg", 30, "F", "x3", "", "", ""], ["0-0.jpg", 200, "F", "x4", "", "", ""]]
    return folder, write_labels(folder / "labels.csv", rows), contents


def write_labels(path, rows):
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows([str(int(cell)) if isinstance(cell, bool) else cell for cell in row] for row in rows)
    return path


def score(folder, labels, settings, engine, spark, release, **wanted):
    return score_folder(
        folder, labels, settings=settings, engine=engine, spark=spark, release=release, is_synthetic=True, **wanted
    )


def test_a_folder_is_scored_labelled_and_counted(photo_set, settings, engine, spark, release):
    folder, labels, contents = photo_set
    faces = score(folder, labels, settings, engine, spark, release)
    scored = {one.face_age_years for one in PhotoScorer(release).score(contents.values()) if one.reason is None}
    assert len(scored) > SUBJECTS
    assert sorted(faces.photos["face_age_years"]) == pytest.approx(sorted(scored), abs=0.01)
    # Every line of the file is evaluated or counted by reason.
    assert faces.left_out["age_impossible"] == 1 and faces.left_out["file_missing"] == 1
    assert faces.left_out["not_an_image"] == 1 and faces.left_out["no_face"] >= 1
    assert len(faces.photos) + sum(faces.left_out.values()) == 2 * SUBJECTS + 4
    assert set(faces.photos["sex"]) == {"female", "male"} and set(faces.photos["skin_tone"]) == {"2"}
    # Both photos of a subject at one age are one session, and a subject's survival is known once.
    assert faces.photos.groupby("session")["person"].nunique().max() == 1
    assert len(faces.people) == faces.photos["person"].nunique()
    medians = faces.photos.groupby("person")["face_age_years"].median()
    assert faces.people.set_index("person")["face_age_years"].to_dict() == pytest.approx(medians.to_dict())
    assert [covariate.name for covariate in faces.clinical] == ["age_years", "sex"]
    years = sorted(faces.people["followup_years"] * DAYS_PER_YEAR)
    assert set(np.round(years)) <= {400 + 90 * subject for subject in range(SUBJECTS)}
    # Nothing of the photos stays behind.
    assert not list((settings.home / "evaluation").iterdir())

    for kind in (evaluate_age, evaluate_survival):
        published = publish_evaluation(
            settings=settings,
            engine=engine,
            release=release,
            evaluation=kind(faces, resampling=FEW),
            night=date(2026, 3, 1),
        )
        told = published.page.read_text() + published.csv.read_text()
        assert str(folder) not in told and ".jpg" not in told


def test_subjects_who_taught_the_model_are_left_out(photo_set, settings, engine, spark, release):
    folder, labels, contents = photo_set
    taught = hashlib.sha256(contents["0-0.jpg"]).hexdigest()
    with engine.begin() as connection:
        run = "'00000000-0000-0000-0000-000000000001'"
        for statement in (
            f"INSERT INTO fahr.run_v1 (run_id, stage, logical_date, status, code_version) VALUES ({run}, 'train',"
            " '2026-01-01', 'succeeded', '0')",
            "INSERT INTO fahr.training_set_v1 VALUES ('d1', 'set', 'folder', true, 'p', 1, 1, 0, '{}', 1, 0.1, 0.1, 5,"
            f" '2026-01-01', '0', {run})",
            f"INSERT INTO fahr.training_photo_v1 VALUES ('d1', '{taught}', NULL, 'train', 0)",
            f"INSERT INTO fahr.model_training_v1 VALUES ('{release.model_id}', 'age', 'n', 'd1', 'train', 0,"
            f" '2026-01-01', {run})",
        ):
            connection.execute(text(statement))
    faces = score(folder, labels, settings, engine, spark, release, most_people=3)
    # Neither of the subject's photos is evaluated, although only one of them taught the model.
    assert faces.left_out["taught_the_model"] == 2
    assert not (faces.photos["age_years"] == 40).any()
    # And of the others a quick look takes three.
    assert 1 <= faces.photos["person"].nunique() <= 3
    assert faces.left_out["not_in_quick_evaluation"] >= 2 * (SUBJECTS - 1 - 3)


@pytest.mark.parametrize(
    ("rows", "refusal", "words"),
    [
        ([["0-0.jpg", 200, "F", "s", "", "", ""]], NothingToEvaluate, r"age_impossible 1 \(lines 2\)"),
        ([["no.jpg", 50, "F", "s", "", "", ""]], NothingToEvaluate, "file_missing 1"),
        ([["wall.jpg", 50, "F", "s", "", "", ""]], NothingToEvaluate, "no_face 1"),
        ([], TrainingDataRefused, "no rows"),
    ],
)
def test_labels_with_nothing_in_them_are_an_error(
    photo_set, settings, engine, spark, release, tmp_path, rows, refusal, words
):
    labels = write_labels(tmp_path / "labels.csv", rows)
    with pytest.raises(refusal, match=words) as error:
        score(photo_set[0], labels, settings, engine, spark, release)
    assert error.value.exit_code == 11
    assert ".jpg" not in str(error.value) and str(tmp_path) not in str(error.value)


def test_drawn_people_are_held_against_the_truth(settings, release):
    faces = score_drawn(14, 2, settings=settings, release=release)
    people = simulate_people(14, UNSEEN_SEEDS, 1)
    assert faces.is_synthetic
    assert len(faces.photos) + faces.left_out["not_one_face"] == 28
    assert set(faces.photos["age_years"]) <= set(people.biological_ages.astype(float))
    evaluation = evaluate_survival(faces, resampling=Resampling(0))
    (truth,) = [f for f in evaluation.findings if f.metric == "true_risk_c_index"]
    drawn = faces.people["person"].to_numpy()
    expected = harrells_c(people.follow_up_days[drawn], people.died[drawn], people.true_log_risks[drawn]).c_index
    assert truth.estimate == pytest.approx(expected)
    # The crops are kept: a second evaluation draws nothing and finds the same.
    assert score_drawn(14, 2, settings=settings, release=release).sha256 == faces.sha256
    assert len(list((settings.home / "training").glob("crops-*.npz"))) == 1
