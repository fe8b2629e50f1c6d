"""The training loop, one for both networks: AdamW, warm-up, cosine, and light augmentation."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from model.preprocessing import to_network_input

log = logging.getLogger(__name__)

Loss = Callable[[Tensor, NDArray[np.int64]], Tensor]
"""(outputs (B, ...), photo numbers (B,)) -> one number."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How long and how fast; all ours."""

    epochs: int
    batch: int
    peak_rate: float
    weight_decay: float = 0.05
    warm_up_share: float = 0.08
    largest_shift_px: int = 3
    brightness_jitter: float = 0.08
    contrast_jitter: float = 0.10


def fit(
    network: nn.Module, pixels: NDArray[np.uint8], loss: Loss, recipe: Recipe, seed: int, *, caption: str
) -> list[float]:
    """Train `network` in place on aligned crops (m, 112, 112, 3); returns each epoch's mean loss."""
    rng = np.random.default_rng([seed, len(pixels)])
    optimizer = torch.optim.AdamW(_decayed_apart(network, recipe.weight_decay), lr=recipe.peak_rate, betas=(0.9, 0.98))
    steps = recipe.epochs * (len(pixels) // recipe.batch)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, steps, recipe.warm_up_share))
    network.train()
    history = []
    for epoch in range(1, recipe.epochs + 1):
        started, losses = time.monotonic(), []
        batches = tqdm(
            _batches(len(pixels), recipe.batch, rng),
            total=len(pixels) // recipe.batch,
            desc=f"{caption} {epoch}/{recipe.epochs}",
            disable=None,
        )
        for chosen in batches:
            faces = to_network_input(augmented(pixels[chosen], recipe, rng))
            value = loss(network(faces), chosen)
            optimizer.zero_grad(set_to_none=True)
            value.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            losses.append(value.item())
            batches.set_postfix(loss=f"{np.mean(losses[-20:]):.4f}")
        history.append(float(np.mean(losses)))
        log.info(
            "%s epoch %d/%d loss %.4f in %.0f s", caption, epoch, recipe.epochs, history[-1], time.monotonic() - started
        )
    network.eval()
    return history


def augmented(pixels: NDArray[np.uint8], recipe: Recipe, rng: np.random.Generator) -> list[NDArray[np.uint8]]:
    """Each crop mirrored or not, moved by a few pixels (edges repeated), brightness and contrast changed a little."""
    reach, side = recipe.largest_shift_px, pixels.shape[1]
    changed = []
    for crop in pixels:
        down, across = rng.integers(0, 2 * reach + 1, size=2)
        moved = np.pad(crop, ((reach, reach), (reach, reach), (0, 0)), mode="edge")
        moved = moved[down : down + side, across : across + side]
        if rng.random() < 0.5:
            moved = moved[:, ::-1]
        contrast = 1 + recipe.contrast_jitter * rng.uniform(-1, 1)
        brightness = 255 * recipe.brightness_jitter * rng.uniform(-1, 1)
        levels = np.clip((np.arange(256) - 128) * contrast + 128 + brightness, 0, 255).astype(np.uint8)
        changed.append(levels[moved])
    return changed


def _batches(count: int, batch: int, rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    order = rng.permutation(count)
    for start in range(0, count - batch + 1, batch):
        yield order[start : start + batch]


def _rate(step: int, steps: int, warm_up_share: float) -> float:
    warm_up = max(int(steps * warm_up_share), 1)
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(steps - warm_up, 1))) + 1e-3


def _decayed_apart(network: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """Matrices decay; biases, norms, positions and the [CLS] token do not."""
    matrices = [value for value in network.parameters() if value.ndim == 2 or value.ndim == 4]
    others = [value for value in network.parameters() if value.ndim not in (2, 4)]
    return [{"params": matrices, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
