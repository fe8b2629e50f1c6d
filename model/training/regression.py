"""FAHR-FaceAge: two-stage, age-balanced fine-tuning. Stage 1 sees every face; stage 2 is balanced over age."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from model.network import BiomarkerNetwork
from model.preprocessing import to_network_input
from model.training.augment import Augmentation, augmented
from model.training.balance import Balance, balanced_rows, balancing_weights
from model.training.errors import TrainingRefused
from model.training.face_set import Batch, FaceLabels, SourceOf
from model.training.loop import Choice, train
from model.training.losses import AgeLoss, age_loss
from model.training.predict import concordance, predict
from model.training.processes import Team
from model.training.recipe import Recipe
from model.training.stochastic_depth import stochastic_depth
from model.training.validation import Validation, refuse_shared_subjects

Keep = Literal["mae", "prognosis", "last"]

CHOICES: dict[Keep, Choice | None] = {
    "mae": Choice("mae_years"),
    "prognosis": Choice("c_index", largest=True),
    "last": None,
}
"""Which epoch is kept: the smallest error against chronological age, the largest C-index of FaceAge, or the last.

The predecessor found that the smallest error against the calendar is not the best prognosis: both are noted always."""


@dataclass(frozen=True, slots=True)
class AgeRecipe:
    """Both stages. That there are two, the second balanced over age, is published; the numbers are ours."""

    broad: Recipe
    balanced: Recipe
    loss: AgeLoss = "smooth_l1"
    balance: Balance = "weight"
    """How stage 2 balances: "sample" thins frequent ages out, "weight" counts rare ages more."""
    bin_years: float = 5.0
    keep: Keep = "mae"
    augmentation: Augmentation = field(default_factory=Augmentation)


def fine_tune_age(
    network: BiomarkerNetwork,
    labels: FaceLabels,
    rows: NDArray[np.int64],
    source_of: SourceOf,
    validation: Validation,
    recipe: AgeRecipe,
    folder: Path,
) -> None:
    """Train `network` in place, `stage-1` and `stage-2` under `folder`, going on from checkpoints that stand there.

    Args:
        network: from `starting_network`, scaled by the mean and standard deviation of the training ages.
        labels: of all faces.
        rows: the faces to train on; those without an age are left out.
        source_of: gives faces by row.
        validation: faces of other subjects.
        recipe: how.
        folder: where checkpoints and journals go.

    Raises:
        TrainingRefused: no face has an age, an age is impossible, or a subject is on both sides.
    """
    refuse_shared_subjects(labels, rows, validation.rows)
    rows = rows[np.isfinite(labels.age_years[rows])]
    ages = labels.age_years[rows]
    if len(rows) == 0 or ages.min() < 0 or ages.max() > 120:
        raise TrainingRefused("training on age needs faces with ages from 0 to 120 years")
    stages: list[tuple[str, Recipe, Balance]] = [
        ("stage-1", recipe.broad, "none"),
        ("stage-2", recipe.balanced, recipe.balance),
    ]
    for number, (name, stage, balance) in enumerate(stages, start=1):
        if stage.epochs == 0:
            continue
        chosen = balanced_rows(rows, ages, recipe.bin_years, stage.seed) if balance == "sample" else rows
        weights = np.ones(len(labels), dtype=np.float32)
        if balance == "weight":
            weights[rows] = balancing_weights(ages, recipe.bin_years)
        with stochastic_depth(network, stage.drop_path):
            train(
                network,
                _step_loss(network, labels, weights, recipe),
                source_of(chosen),
                stage,
                folder / name,
                caption=f"age, stage {number}",
                validate=lambda _: age_metrics(network, labels, validation),
                choice=CHOICES[recipe.keep],
            )


def age_metrics(network: BiomarkerNetwork, labels: FaceLabels, validation: Validation) -> dict[str, float]:
    """Error against the calendar, and prognosis: both, always. NaN where ages or deaths are unknown."""
    said, rows = predict(network, validation.pixels), validation.rows
    errors = said - labels.age_years[rows]
    c_index = concordance(said, labels.followup_days[rows], labels.died[rows])
    known = np.isfinite(errors)
    return {
        "mae_years": float(np.abs(errors[known]).mean()) if known.any() else float("nan"),
        "bias_years": float(errors[known].mean()) if known.any() else float("nan"),
        "c_index": float("nan") if c_index is None else c_index,
    }


def _step_loss(
    network: BiomarkerNetwork, labels: FaceLabels, weights: NDArray[np.float32], recipe: AgeRecipe
) -> Callable[[nn.Module, Batch, np.random.Generator], Tensor]:
    team, scale = Team.of_this_process(), network.config.output_sd

    def step_loss(together: nn.Module, batch: Batch, rng: np.random.Generator) -> Tensor:
        device = next(network.parameters()).device
        faces = augmented(to_network_input(list(batch.pixels)), recipe.augmentation, rng)
        predicted = together(team.share(faces).to(device))
        true = team.share(torch.from_numpy(labels.age_years[batch.rows])).to(device)
        weight = team.share(torch.from_numpy(weights[batch.rows])).to(device)
        return age_loss(recipe.loss, predicted, true, weight, scale)

    return step_loss
