"""FAHR-FaceSurvival: a log-risk head fine-tuned on right-censored follow-up, and its cross-fitting.

A patient whose photo taught a network has no honest score from it. Cross-fitting gives one: each fold's patients are
scored by a network that the other folds taught (Stone, JRSS B 36, 1974).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from model.network import BiomarkerNetwork
from model.preprocessing import to_network_input
from model.training.augment import Augmentation, augmented
from model.training.errors import TrainingRefused
from model.training.face_set import Batch, FaceLabels, SourceOf
from model.training.loop import Choice, train
from model.training.losses import survival_loss
from model.training.predict import concordance, predict, predict_rows
from model.training.processes import Team
from model.training.recipe import Recipe
from model.training.stochastic_depth import stochastic_depth
from model.training.validation import Validation, refuse_shared_subjects

FEWEST_DEATHS = 10
"""Fewer teach nothing (ours)."""


@dataclass(frozen=True, slots=True)
class SurvivalRecipe:
    """How to fine-tune. The paper says "a ranking-type loss"; the mixture and all numbers are ours."""

    recipe: Recipe
    ranking_share: float = 0.5
    augmentation: Augmentation = field(default_factory=Augmentation)


def fine_tune_survival(
    network: BiomarkerNetwork,
    labels: FaceLabels,
    rows: NDArray[np.int64],
    source_of: SourceOf,
    validation: Validation,
    recipe: SurvivalRecipe,
    folder: Path,
    *,
    caption: str = "survival",
) -> None:
    """Train `network` in place on faces with known follow-up, going on from a checkpoint in `folder`.

    The epoch with the largest C-index over `validation` is kept, and the output is then centred: 0 is the mean over
    the validation faces. The risk set of a step is its batch.

    Args:
        network: from `starting_network`, with mean 0 and standard deviation 1.
        labels: of all faces.
        rows: the faces to train on; those without follow-up are left out.
        source_of: gives faces by row.
        validation: faces of other subjects; their C-index must exist.
        recipe: how.
        folder: where the checkpoint and the journal go.
        caption: names the training where progress is shown.

    Raises:
        TrainingRefused: too few deaths, no comparable pair to validate by, a subject on both sides, or more than one
            process (a risk set is not divisible).
    """
    if Team.of_this_process().size > 1:
        raise TrainingRefused("survival is trained by one process: its loss compares all faces of a batch")
    refuse_shared_subjects(labels, rows, validation.rows)
    rows = rows[np.isfinite(labels.followup_days[rows])]
    deaths = int(labels.died[rows].sum())
    if deaths < FEWEST_DEATHS or deaths == len(rows):
        raise TrainingRefused(f"{deaths} deaths among {len(rows)} faces with follow-up: both outcomes are needed")
    followed = labels.followup_days[validation.rows], labels.died[validation.rows]
    if concordance(np.zeros(len(validation.rows)), *followed) is None:
        raise TrainingRefused("the validation faces have no two whose order of death is known")
    with stochastic_depth(network, recipe.recipe.drop_path):
        train(
            network,
            _step_loss(network, labels, recipe),
            source_of(rows),
            recipe.recipe,
            folder,
            caption=caption,
            validate=lambda _: {"c_index": concordance(predict(network, validation.pixels), *followed) or float("nan")},
            choice=Choice("c_index", largest=True),
        )
    _centre(network, float(predict(network, validation.pixels).mean()))


def out_of_fold(
    start: Callable[[], BiomarkerNetwork],
    labels: FaceLabels,
    rows: NDArray[np.int64],
    source_of: SourceOf,
    validation_of: Callable[[NDArray[np.int64]], Validation],
    pixels_of: Callable[[NDArray[np.int64]], NDArray[np.uint8]],
    recipe: SurvivalRecipe,
    folder: Path,
) -> NDArray[np.float64]:
    """(n,) log-risks of the faces `rows`, each from a network that neither was taught nor chosen by that face's fold.

    For each fold, the next one chooses the epoch and centres the output, and the others teach.

    Args:
        start: makes the network that each fold starts from. It must not have seen the deaths of `rows`.
        labels: of all faces; `fold` says who is scored together.
        rows: faces to score and, fold by fold, to learn from.
        source_of: gives faces by row.
        validation_of: gives some rows, or as many of them as fit into memory, for choosing an epoch.
        pixels_of: gives the pixels (n, 112, 112, 3) of rows, in their order.
        recipe: as for the network that all of them teach.
        folder: `fold-<n>` under it holds each fold's checkpoint.

    Raises:
        TrainingRefused: as `fine_tune_survival`, or there are fewer than three folds.
    """
    folds = np.unique(labels.fold[rows])
    if len(folds) < 3:
        raise TrainingRefused("cross-fitting needs at least three folds: one to score, one to choose by, one to learn")
    scores = np.full(len(rows), np.nan)
    for scored, chooses in zip(folds, np.roll(folds, -1), strict=True):
        of_fold, name = labels.fold[rows], f"fold-{scored}"
        teachers = rows[(of_fold != scored) & (of_fold != chooses)]
        validation = validation_of(rows[of_fold == chooses])
        network = start()
        fine_tune_survival(network, labels, teachers, source_of, validation, recipe, folder / name, caption=name)
        scores[of_fold == scored] = predict_rows(network, pixels_of, rows[of_fold == scored])
    return scores


def _centre(network: BiomarkerNetwork, mean: float) -> None:
    with torch.no_grad():
        network.head.bias.sub_(mean / network.config.output_sd)


def _step_loss(
    network: BiomarkerNetwork, labels: FaceLabels, recipe: SurvivalRecipe
) -> Callable[[nn.Module, Batch, np.random.Generator], Tensor]:
    def step_loss(together: nn.Module, batch: Batch, rng: np.random.Generator) -> Tensor:
        device = next(network.parameters()).device
        faces = augmented(to_network_input(list(batch.pixels)), recipe.augmentation, rng)
        log_risks = together(faces.to(device))
        times = torch.from_numpy(labels.followup_days[batch.rows]).to(device)
        died = torch.from_numpy(labels.died[batch.rows]).to(device)
        return survival_loss(log_risks, times, died, recipe.ranking_share)

    return step_loss
