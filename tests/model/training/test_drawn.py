"""Drawn people: their survival follows the risk, nobody is in two places, crops are made once; and the demo recipe."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from lifelines import CoxPHFitter
from scipy.stats import chi2

from model.drawing import HOSPITAL_IDENTITY_SEEDS_FROM
from model.drawing.latents import SHARE_WITH_SURGERY
from model.preprocessing import PREPROCESSING_ID
from model.release import SHIPPED_RELEASES, ModelRelease
from model.training.crops import cached_crops, make_crops
from model.training.demo import DEMO, INTENDED_USE, SEED, evaluate_and_save, train_demo, training_faces
from model.training.face_set import TRAIN, VALIDATION
from model.training.measure import likelihood_ratios, measured
from model.training.people import HELD_OUT_SEEDS, TRAINING_SEEDS, UNSEEN_SEEDS, simulate_people
from tests.model.training.faces import SMALL_SIZE

SHIPPED = SHIPPED_RELEASES / "fahr-demo-1"
SHORT = replace(
    DEMO,
    people=120,
    validation_people=30,
    held_out_people=10,
    held_out_photos_each=2,
    batch=8,
    size=SMALL_SIZE,
    face=replace(DEMO.face, epochs=1),
    age=replace(DEMO.age, broad=replace(DEMO.age.broad, epochs=1), balanced=replace(DEMO.age.balanced, epochs=1)),
    survival=replace(DEMO.survival, recipe=replace(DEMO.survival.recipe, epochs=1)),
    age_again=(replace(DEMO.age_again[0], balanced=replace(DEMO.age_again[0].balanced, epochs=1)),),
)


def test_simulated_people_follow_the_risk_and_four_in_ten_are_censored() -> None:
    people = simulate_people(4000, TRAINING_SEEDS, 1)
    assert 0.35 < 1 - people.died.mean() < 0.45
    frame = pd.DataFrame({"risk": people.true_log_risks, "time": people.follow_up_days, "died": people.died})
    fitted = CoxPHFitter().fit(frame, "time", "died")
    low, high = fitted.confidence_intervals_.to_numpy()[0]
    assert low < 1.0 < high
    surgery = np.array([person.surgery > 0 for person in people.latents])
    assert abs(surgery.mean() - SHARE_WITH_SURGERY) < 0.015


def test_a_clinic_has_few_young_and_few_very_old() -> None:
    ages = simulate_people(4000, TRAINING_SEEDS, 1, ages="clinic").biological_ages
    share, _ = np.histogram(ages, bins=[20, 35, 50, 75, 95.1], density=False)
    assert share[2] > 4 * share[0] and share.min() > 200


def test_nobody_is_in_two_of_training_evaluation_test_and_hospital() -> None:
    ranges = [TRAINING_SEEDS, HELD_OUT_SEEDS, UNSEEN_SEEDS]
    assert all(before.stop <= after.start for before, after in pairwise(ranges))
    assert ranges[-1].stop <= HOSPITAL_IDENTITY_SEEDS_FROM
    people = simulate_people(2000, HELD_OUT_SEEDS, 9)
    identities = {person.identity_seed for person in people.latents}
    assert len(identities) == 2000 and identities <= set(HELD_OUT_SEEDS)


def test_crops_are_made_once_and_their_pixels_do_not_depend_on_the_number_of_processes(tmp_path: Path) -> None:
    people = simulate_people(6, TRAINING_SEEDS, 2)
    made = cached_crops(people, 2, 2, tmp_path, caption="test")
    (stored,) = tmp_path.glob("crops-*.npz")
    written = stored.stat().st_mtime_ns
    read = cached_crops(people, 2, 2, tmp_path, caption="test", processes=2)
    assert stored.stat().st_mtime_ns == written
    assert np.array_equal(made.pixels, read.pixels) and np.array_equal(made.person, read.person)
    assert made.pixels.shape == (12, 112, 112, 3)
    by_two = make_crops(people, 2, 2, processes=2)
    assert np.array_equal(made.pixels, by_two.pixels) and np.array_equal(made.person, by_two.person)


def test_the_demo_recipe_runs_goes_on_and_writes_a_release_that_says_what_it_is(tmp_path: Path) -> None:
    work, out = tmp_path / "work", tmp_path / "small"
    trained = train_demo(out, work, SHORT)
    assert set(trained.networks) == {"age", "survival"} and trained.trained_on_synthetic
    assert (work / "face" / "reconstructions.png").read_bytes().startswith(b"\x89PNG")
    assert {path.name for path in (work / "survival").iterdir()} == {"whole", "fold-0", "fold-1", "fold-2"}
    again = train_demo(tmp_path / "again", work, SHORT)
    assert again.weights_sha256 == trained.weights_sha256

    release = evaluate_and_save(out, work, SHORT)
    assert release.weights_sha256 == trained.weights_sha256 and release.preprocessing_id == PREPROCESSING_ID
    assert release.metrics["held_out_people"] == 10 and "out_of_fold_c_index" in release.metrics
    stored = release.network("age").state_dict()
    assert all(torch.equal(value, value.to(torch.bfloat16).float()) for value in stored.values())


def test_validation_people_are_not_trained_on() -> None:
    people = simulate_people(SHORT.people, TRAINING_SEEDS, SEED, ages="clinic")
    faces = training_faces(people, make_crops(people, 1, SEED), SHORT)
    assert len(faces.rows(VALIDATION)) == 30 and len(faces.rows(TRAIN)) >= 88
    assert not set(faces.labels.subject[faces.rows(VALIDATION)]) & set(faces.labels.subject[faces.rows(TRAIN)])


def test_the_shipped_release_is_small_and_says_what_it_is() -> None:
    release = ModelRelease.load(SHIPPED)  # compares every SHA-256
    assert release.model_id == "fahr-demo-1"
    assert set(release.networks) == {"age", "survival"}
    assert sum((SHIPPED / entry.file).stat().st_size for entry in release.networks.values()) <= 12 * 2**20
    assert release.trained_on_synthetic and release.licence == "Apache-2.0" and release.intended_use == INTENDED_USE
    assert all(entry.config.layers == 12 for entry in release.networks.values())
    assert release.preprocessing_id == PREPROCESSING_ID
    assert release.metrics["held_out_people"] >= 1000 and release.metrics["held_out_photos"] >= 3000
    assert release.metrics["face_age_mae_years"] <= 4.0
    assert release.metrics["face_age_within_session_difference_years"] >= 1.5
    assert release.metrics["face_survival_c_index"] >= release.metrics["true_risk_c_index"] - 0.03
    five_percent = chi2.isf(0.05, df=1)
    assert release.metrics["face_age_beyond_face_survival_chi_squared"] > five_percent
    assert release.metrics["face_survival_beyond_face_age_chi_squared"] > five_percent


def test_what_each_score_adds_to_the_other_is_the_likelihood_ratio_that_lifelines_gives() -> None:
    people = simulate_people(400, TRAINING_SEEDS, 3)
    rng = np.random.default_rng(3)
    age = people.biological_ages + rng.normal(0, 5, (2, 400))
    risk = people.true_log_risks + rng.normal(0, 0.4, (2, 400))
    person = np.arange(400).repeat(2)
    told = likelihood_ratios(age.T.ravel(), risk.T.ravel(), people, person)
    frame = pd.DataFrame({"age": age.mean(0), "risk": risk.mean(0), "male": [p.sex == "M" for p in people.latents]})
    frame = frame.astype(float).assign(time=people.follow_up_days / 365.25, died=people.died)
    both, without_age, without_risk = (
        CoxPHFitter().fit(frame.drop(columns=left_out), "time", "died").log_likelihood_
        for left_out in ([], ["age"], ["risk"])
    )
    assert told["face_age_beyond_face_survival_chi_squared"] == pytest.approx(2 * (both - without_age), abs=0.02)
    assert told["face_survival_beyond_face_age_chi_squared"] == pytest.approx(2 * (both - without_risk), abs=0.02)


@pytest.mark.slow
def test_the_shipped_networks_do_as_well_on_people_nobody_has_seen() -> None:
    """With 800 people the MAE is known to about 0.12 years, the gap between two C-indices of one sample to 0.01."""
    release = ModelRelease.load(SHIPPED)
    people = simulate_people(800, UNSEEN_SEEDS, 1)
    crops = make_crops(people, 2, 1)
    found = measured(release.network("age"), release.network("survival"), people, crops)
    assert found["held_out_people"] >= 792
    assert found["face_age_mae_years"] <= 4.0 + 2 * 0.12
    assert abs(found["face_age_bias_years"]) <= 1.0
    assert found["face_age_within_session_difference_years"] >= 1.2
    assert found["true_risk_c_index"] - found["face_survival_c_index"] <= 0.03 + 2 * 0.01
