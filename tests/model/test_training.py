"""Training: the loss is Cox's, a small run learns and writes a release, and the shipped weights are as good as said."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from lifelines import CoxPHFitter

from model.drawing import HOSPITAL_IDENTITY_SEEDS_FROM
from model.network import NetworkConfig
from model.preprocessing import PREPROCESSING_ID
from model.release import SHIPPED_RELEASES, ModelRelease
from model.training.crops import cached_crops, make_crops
from model.training.demo import INTENDED_USE, evaluate_and_save, save, train_age, train_sign_reader, train_survival
from model.training.fit import Recipe, augmented
from model.training.losses import cox_loss
from model.training.measure import measured
from model.training.people import HELD_OUT_SEEDS, TRAINING_SEEDS, UNSEEN_SEEDS, simulate_people
from model.training.signs import drawn_signs

SHIPPED = SHIPPED_RELEASES / "fahr-demo-1"
SMALL = NetworkConfig(hidden_size=32, layers=2, heads=2, mlp_size=64, output_mean=57.0, output_sd=21.0)


@pytest.mark.parametrize("days_per_tick", [1, 400])
def test_cox_loss_is_the_partial_likelihood_that_lifelines_maximises(days_per_tick: int) -> None:
    people = simulate_people(300, TRAINING_SEEDS, 3)
    times = np.ceil(people.follow_up_days / days_per_tick)  # 400: many ties
    frame = pd.DataFrame({"risk": people.true_log_risks, "time": times, "died": people.died})
    fitted = CoxPHFitter().fit(frame, "time", "died", fit_options={"precision": 1e-12})
    predictor = torch.from_numpy(frame["risk"].to_numpy() * fitted.params_["risk"])
    loss = cox_loss(predictor, torch.from_numpy(times), torch.from_numpy(people.died))
    assert float(loss) * people.died.sum() == pytest.approx(-fitted.log_likelihood_, rel=1e-6)


def test_cox_loss_without_a_death_is_zero_and_teaches_nothing() -> None:
    log_risks = torch.randn(8, requires_grad=True)
    loss = cox_loss(log_risks, torch.arange(8.0), torch.zeros(8, dtype=torch.bool))
    loss.backward()
    assert float(loss.detach()) == 0.0
    assert log_risks.grad is not None and float(log_risks.grad.abs().max()) == 0.0


def test_cox_loss_survives_very_large_log_risks() -> None:
    log_risks = torch.tensor([300.0, -300.0, 0.0], requires_grad=True)
    loss = cox_loss(log_risks, torch.tensor([3.0, 1.0, 2.0]), torch.ones(3, dtype=torch.bool))
    loss.backward()
    assert torch.isfinite(loss.detach()) and log_risks.grad is not None and torch.isfinite(log_risks.grad).all()


def test_drawn_signs_are_standardised() -> None:
    people = simulate_people(500, TRAINING_SEEDS, 4)
    signs = drawn_signs(people.latents)
    assert signs.shape == (500, 21)
    np.testing.assert_allclose(signs.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(signs.std(axis=0), 1, atol=1e-4)


def test_simulated_people_follow_the_risk_and_four_in_ten_are_censored() -> None:
    people = simulate_people(4000, TRAINING_SEEDS, 1)
    assert 0.35 < 1 - people.died.mean() < 0.45
    frame = pd.DataFrame({"risk": people.true_log_risks, "time": people.follow_up_days, "died": people.died})
    fitted = CoxPHFitter().fit(frame, "time", "died")
    low, high = fitted.confidence_intervals_.to_numpy()[0]
    assert low < 1.0 < high


def test_nobody_is_in_two_of_training_evaluation_test_and_hospital() -> None:
    ranges = [TRAINING_SEEDS, HELD_OUT_SEEDS, UNSEEN_SEEDS]
    assert all(before.stop <= after.start for before, after in pairwise(ranges))
    assert ranges[-1].stop <= HOSPITAL_IDENTITY_SEEDS_FROM
    people = simulate_people(2000, HELD_OUT_SEEDS, 9)
    identities = {person.identity_seed for person in people.latents}
    assert len(identities) == 2000 and identities <= set(HELD_OUT_SEEDS)


def test_augmentation_moves_and_mirrors_but_keeps_the_face_in_place() -> None:
    crop = np.zeros((64, 112, 112, 3), dtype=np.uint8)
    crop[:, 40:72, 40:72] = 200
    changed = np.stack(augmented(crop, Recipe(1, 64, 1e-3), np.random.default_rng(0)))
    assert changed.shape == crop.shape and changed.dtype == np.uint8
    assert len({face.tobytes() for face in changed}) > 50
    assert changed[:, 44:68, 44:68].mean() > changed[:, :30].mean() + 100


def test_crops_are_made_once_and_are_the_same_when_read_again(tmp_path: Path) -> None:
    people = simulate_people(6, TRAINING_SEEDS, 2)
    made = cached_crops(people, 2, 2, tmp_path, caption="test")
    (stored,) = tmp_path.glob("crops-*.npz")
    written = stored.stat().st_mtime_ns
    read = cached_crops(people, 2, 2, tmp_path, caption="test")
    assert stored.stat().st_mtime_ns == written
    assert np.array_equal(made.pixels, read.pixels) and np.array_equal(made.person, read.person)
    assert made.pixels.shape == (12, 112, 112, 3)


def test_a_small_run_learns_and_writes_a_release_that_loads(tmp_path: Path) -> None:
    people = simulate_people(64, TRAINING_SEEDS, 7)
    crops = make_crops(people, 1, 7)
    untrained = train_sign_reader(people, crops, Recipe(1, 32, 0.0), 7, SMALL).age_network()
    reader = train_sign_reader(people, crops, Recipe(40, 32, 3e-3), 7, SMALL)
    age = train_age(people, crops, reader, Recipe(2, 32, 1e-3), 7)
    before = measured(untrained, untrained, people, crops)
    after = measured(age, age, people, crops)
    assert after["face_age_mae_years"] < 0.8 * before["face_age_mae_years"]

    again = train_age(people, crops, reader, Recipe(2, 32, 1e-3), 7)
    assert all(torch.equal(one, other) for one, other in zip(age.parameters(), again.parameters(), strict=True))

    survival = train_survival(people, crops, reader, Recipe(2, 48, 1e-3), 7)
    out = tmp_path / "small"
    save(out, age, survival, "64 drawn people", {})
    as_trained = ModelRelease.load(out).network("age")
    release = evaluate_and_save(out, 12, 7, tmp_path)
    assert release.trained_on_synthetic and release.preprocessing_id == PREPROCESSING_ID
    assert release.metrics["held_out_people"] == 12
    as_measured = release.network("age")
    assert all(torch.equal(a, b) for a, b in zip(as_trained.parameters(), as_measured.parameters(), strict=True))
    rounded = [weight.to(torch.bfloat16).float() for weight in age.parameters()]
    assert all(torch.equal(a, b) for a, b in zip(rounded, as_measured.parameters(), strict=True))


def test_the_shipped_release_is_small_and_says_what_it_is() -> None:
    release = ModelRelease.load(SHIPPED)  # compares every SHA-256
    assert release.model_id == "fahr-demo-1"
    assert set(release.networks) == {"age", "survival"}
    assert sum((SHIPPED / entry.file).stat().st_size for entry in release.networks.values()) <= 12 * 2**20
    assert release.trained_on_synthetic and release.licence == "Apache-2.0" and release.intended_use == INTENDED_USE
    assert all(entry.config.layers == 12 for entry in release.networks.values())
    assert release.preprocessing_id == PREPROCESSING_ID
    assert release.metrics["face_age_mae_years"] <= 5.0
    assert release.metrics["face_age_within_session_difference_years"] >= 1.5
    assert release.metrics["face_survival_c_index"] >= release.metrics["true_risk_c_index"] - 0.05


@pytest.mark.slow
def test_the_shipped_networks_do_as_well_on_people_nobody_has_seen() -> None:
    """With 300 people the MAE is known to about 0.2 years, the gap between two C-indices of one sample to 0.015."""
    release = ModelRelease.load(SHIPPED)
    people = simulate_people(300, UNSEEN_SEEDS, 1)
    crops = make_crops(people, 2, 1)
    found = measured(release.network("age"), release.network("survival"), people, crops)
    assert found["held_out_people"] >= 297
    assert found["face_age_mae_years"] <= 5.0
    assert abs(found["face_age_bias_years"]) <= 1.0
    assert found["face_age_within_session_difference_years"] >= 1.2
    assert found["true_risk_c_index"] - found["face_survival_c_index"] <= 0.05 + 2 * 0.015
