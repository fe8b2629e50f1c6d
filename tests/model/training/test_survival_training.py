"""FaceSurvival learns an order of deaths, and cross-fitting gives scores that no memory of a patient can flatter."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sksurv.metrics import concordance_index_censored

from model.network import BiomarkerNetwork
from model.training.augment import Augmentation
from model.training.errors import TrainingRefused
from model.training.journal import Journal
from model.training.predict import concordance, predict
from model.training.recipe import Recipe
from model.training.start import starting_network
from model.training.survival import SurvivalRecipe, fine_tune_survival, out_of_fold
from tests.model.training.faces import SMALL, Faces

STILL = Augmentation(brightness=0.0, contrast=0.0, colour=0.0)
RECIPE = SurvivalRecipe(Recipe(8, 3e-3), augmentation=STILL)


def start() -> BiomarkerNetwork:
    return starting_network(SMALL, None, mean=0.0, sd=1.0, seed=0)


def fine_tuned(faces: Faces, folder: Path, recipe: SurvivalRecipe = RECIPE) -> BiomarkerNetwork:
    network = start()
    fine_tune_survival(network, faces.labels, faces.rows, faces.source_of, faces.validation, recipe, folder)
    return network


@pytest.mark.parametrize("ranking_share", [0.0, 1.0])
def test_either_loss_learns_who_dies_first(tmp_path: Path, ranking_share: float) -> None:
    faces = Faces(240, batch=32)
    network = fine_tuned(faces, tmp_path, replace(RECIPE, ranking_share=ranking_share))
    rows = faces.validation.rows
    said = predict(network, faces.validation.pixels)
    c_index = concordance(said, faces.labels.followup_days[rows], faces.labels.died[rows])
    assert c_index is not None and c_index > 0.7
    assert c_index == max(epoch["c_index"] for epoch in Journal(tmp_path).epochs())
    assert abs(said.mean()) < 1e-5  # centred on the validation faces


def test_concordance_is_that_of_an_independent_package() -> None:
    faces = Faces(120)
    risk = np.random.default_rng(0).normal(size=120)
    followed, died = faces.labels.followup_days, faces.labels.died
    assert concordance(risk, followed, died) == pytest.approx(concordance_index_censored(died, followed, risk)[0])
    assert concordance(risk, followed, np.zeros(120, dtype=bool)) is None
    assert concordance(risk, np.full(120, 7.0), np.ones(120, dtype=bool)) is None


def test_out_of_fold_scores_hold_no_memory_of_a_patient(tmp_path: Path) -> None:
    """Deaths here have nothing to do with faces: a network can only remember them."""
    faces = Faces(150, batch=25, risk_shows=False)
    rows = np.arange(150)
    memorising = SurvivalRecipe(Recipe(12, 3e-3), ranking_share=0.0, augmentation=Augmentation(0, 0, 0, 0, 0, 0, 0, 0))
    honest = out_of_fold(
        start, faces.labels, rows, faces.source_of, faces.validation_of, faces.pixels_of, memorising, tmp_path
    )
    assert np.isfinite(honest).all()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fold-0", "fold-1", "fold-2"]
    out = concordance(honest, faces.labels.followup_days, faces.labels.died)
    assert out is not None and 0.38 < out < 0.62


def test_every_patient_is_scored_by_a_network_of_the_other_folds(tmp_path: Path) -> None:
    faces, asked = Faces(120), []

    def watched(rows: np.ndarray) -> object:
        asked.append(set(faces.labels.fold[rows].tolist()))
        return faces.source_of(rows)

    out_of_fold(
        start, faces.labels, np.arange(120), watched, faces.validation_of, faces.pixels_of,
        SurvivalRecipe(Recipe(1, 1e-3)), tmp_path,
    )  # fmt: skip
    assert asked == [{2}, {0}, {1}]  # fold 0 is scored, 1 chooses, 2 teaches; and so round


def test_what_cannot_be_trained_on_is_refused(tmp_path: Path) -> None:
    faces = Faces()
    nobody = replace(faces.labels, died=np.zeros(96, dtype=bool))
    everybody = replace(faces.labels, died=np.ones(96, dtype=bool))
    unknown = replace(faces.labels, followup_days=np.full(96, np.nan))
    for labels, why in ((nobody, "0 deaths"), (everybody, "both outcomes"), (unknown, "0 deaths among 0")):
        faces.labels = labels
        with pytest.raises(TrainingRefused, match=why):
            fine_tuned(faces, tmp_path)
    faces = Faces()
    died = faces.labels.died.copy()
    died[faces.validation.rows] = False
    faces.labels = replace(faces.labels, died=died)
    with pytest.raises(TrainingRefused, match="order of death"):
        fine_tuned(faces, tmp_path)
    faces.labels = replace(faces.labels, fold=np.zeros(96, dtype=np.int8))
    with pytest.raises(TrainingRefused, match="three folds"):
        out_of_fold(
            start, faces.labels, faces.rows, faces.source_of, faces.validation_of, faces.pixels_of, RECIPE, tmp_path
        )
