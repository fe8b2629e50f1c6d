"""FaceAge is learned in two stages, the second balanced over age, and judged by error and prognosis."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from model.training.augment import Augmentation, augmented
from model.training.balance import LARGEST_WEIGHT, age_bins, balanced_rows, balancing_weights
from model.training.errors import TrainingRefused
from model.training.journal import Journal
from model.training.loop import Choice
from model.training.recipe import Recipe
from model.training.regression import AgeRecipe, age_metrics, fine_tune_age
from model.training.start import starting_network
from model.training.stochastic_depth import stochastic_depth
from tests.model.training.faces import SMALL, Faces

STILL = Augmentation(brightness=0.0, contrast=0.0, colour=0.0)
RECIPE = AgeRecipe(broad=Recipe(10, 3e-3), balanced=Recipe(2, 3e-4, seed=1), augmentation=STILL)


def fine_tuned(faces: Faces, folder: Path, recipe: AgeRecipe = RECIPE) -> torch.nn.Module:
    network = starting_network(SMALL, None, mean=55.0, sd=20.0, seed=0)
    fine_tune_age(network, faces.labels, faces.rows, faces.source_of, faces.validation, recipe, folder)
    return network


def test_two_stages_learn_the_age_and_note_error_and_prognosis(tmp_path: Path) -> None:
    faces = Faces()
    untrained = age_metrics(starting_network(SMALL, None, mean=55.0, sd=20.0, seed=0), faces.labels, faces.validation)
    network = fine_tuned(faces, tmp_path)
    trained = age_metrics(network, faces.labels, faces.validation)
    assert trained["mae_years"] < 0.5 * untrained["mae_years"]
    stages = [Journal(tmp_path / name).epochs() for name in ("stage-1", "stage-2")]
    assert [len(stage) for stage in stages] == [10, 2]
    assert all(set(epoch) == {"epoch", "mae_years", "bias_years", "c_index"} for stage in stages for epoch in stage)
    assert trained["mae_years"] == min(epoch["mae_years"] for epoch in stages[1])


def test_the_epoch_kept_is_the_one_asked_for(tmp_path: Path) -> None:
    faces = Faces()
    by_prognosis = fine_tuned(faces, tmp_path, replace(RECIPE, keep="prognosis"))
    best = max(epoch["c_index"] for epoch in Journal(tmp_path / "stage-2").epochs())
    assert age_metrics(by_prognosis, faces.labels, faces.validation)["c_index"] == best
    assert (
        Choice("c_index", largest=True).best_of([{"c_index": float("nan")}, {"c_index": 0.6}, {"c_index": 0.5}]) == 0.6
    )
    assert Choice("mae_years").best_of([]) is None


def test_a_sample_balanced_over_age_thins_the_frequent_and_keeps_the_rare() -> None:
    ages = np.repeat([22.0, 47.0, 52.0, 88.0], [5, 400, 300, 40]).astype(np.float32)
    rows = np.arange(1000, 1745)
    kept = balanced_rows(rows, ages, 5.0, seed=1)
    _, counts = np.unique(age_bins(ages[kept - 1000], 5.0), return_counts=True)
    assert counts.tolist() == [5, 170, 170, 40]
    assert np.array_equal(kept, balanced_rows(rows, ages, 5.0, seed=1))
    assert not np.array_equal(kept, balanced_rows(rows, ages, 5.0, seed=2))


def test_balancing_weights_make_every_age_count_alike_up_to_a_cap() -> None:
    ages = np.repeat([22.0, 47.0, 88.0], [100, 300, 200]).astype(np.float32)
    weights = balancing_weights(ages, 5.0)
    assert weights.mean() == pytest.approx(1.0)
    totals = [weights[ages == age].sum() for age in (22.0, 47.0, 88.0)]
    np.testing.assert_allclose(totals, 200.0, rtol=1e-5)
    rare = balancing_weights(np.repeat([22.0, 47.0], [1, 9999]).astype(np.float32), 5.0)
    assert rare.max() <= LARGEST_WEIGHT * 1.001


def test_what_cannot_be_trained_on_is_refused(tmp_path: Path) -> None:
    faces = Faces()
    shared = replace(faces.labels, subject=np.zeros(96, dtype=np.int64))
    impossible = replace(faces.labels, age_years=np.full(96, 140.0, dtype=np.float32))
    unknown = replace(faces.labels, age_years=np.full(96, np.nan, dtype=np.float32))
    for labels, why in ((shared, "1 subjects"), (impossible, "0 to 120"), (unknown, "0 to 120")):
        faces.labels = labels
        with pytest.raises(TrainingRefused, match=why):
            fine_tuned(faces, tmp_path)
    with pytest.raises(TrainingRefused, match="another shape"):
        starting_network(SMALL, {"nothing": torch.zeros(1)}, mean=0.0, sd=1.0, seed=0)


def test_layers_are_skipped_in_training_alone_and_the_more_the_deeper() -> None:
    network = starting_network(replace(SMALL, layers=4), None, mean=0.0, sd=1.0, seed=0)
    face = torch.randn(1, 3, 112, 112).repeat(400, 1, 1, 1)
    with torch.no_grad(), stochastic_depth(network, 0.6):
        assert len(torch.unique(network.train()(face).round(decimals=4))) > 1
        assert len(torch.unique(network.eval()(face).round(decimals=4))) == 1
        skipped = []
        for layer in list(network.vit.layers)[:-1]:
            inside = torch.randn(400, 5, 32)
            skipped.append(float((layer.train()(inside) == inside).all(dim=(1, 2)).float().mean()))
    np.testing.assert_allclose(skipped, [0.0, 0.2, 0.4], atol=0.08)
    assert len(torch.unique(network.train()(face).round(decimals=4))) == 1


def test_augmentation_keeps_the_face_in_place_and_is_decided_by_its_randomness() -> None:
    face = torch.full((64, 3, 112, 112), -1.0)
    face[:, :, 40:72, 40:72] = 0.6
    changed = augmented(face, Augmentation(hidden_share=0.0), np.random.default_rng(0))
    assert torch.equal(changed, augmented(face, Augmentation(hidden_share=0.0), np.random.default_rng(0)))
    assert changed.shape == face.shape and changed.min() >= -1 and changed.max() <= 1
    assert len({one.numpy().tobytes() for one in changed}) == 64
    assert changed[:, :, 46:66, 46:66].mean() > changed[:, :, :30].mean() + 1.0
    nothing = Augmentation(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    still = augmented(face, nothing, np.random.default_rng(0))
    torch.testing.assert_close(still, face, atol=1e-4, rtol=0)  # mirrored or not, a centred square is itself


def test_a_hidden_patch_hides_no_more_than_said() -> None:
    limits = Augmentation(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, hidden_share=1.0, hidden_px=20)
    changed = augmented(torch.ones(32, 3, 112, 112), limits, np.random.default_rng(0))
    hidden = (changed[:, 0] == 0).sum(dim=(1, 2))
    assert hidden.min() >= 64 and hidden.max() <= 400
