"""How long, how fast and in which precision to train; and what an optimizer makes of it."""

from __future__ import annotations

import math
import re
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from torch import nn


@dataclass(frozen=True, slots=True)
class Recipe:
    """One training. Defaults that are not the published ones are ours."""

    epochs: int
    peak_rate: float
    """Learning rate after warm-up."""
    weight_decay: float = 0.05
    betas: tuple[float, float] = (0.9, 0.95)
    warm_up_share: float = 0.08
    """Share of all steps over which the rate rises; then it falls as a cosine."""
    layer_decay: float = 1.0
    """Each layer below the head learns this much slower than the one above (0.65 for ViT-B, 0.75 for ViT-L)."""
    drop_path: float = 0.0
    """Chance that the deepest layer is skipped for a face; shallower ones less, linearly."""
    accumulate: int = 1
    """Batches whose gradients make one step."""
    clip: float = 1.0
    """Largest norm of a step's gradient."""
    precision: Literal["float32", "bfloat16"] = "float32"
    checkpoint_steps: int = 200
    seed: int = 0

    def to_dict(self) -> dict[str, Any]:
        """As fingerprinted and stored."""
        return asdict(self)


def rate_factor(step: int, steps: int, warm_up_share: float) -> float:
    """Share of the peak rate at a step: linear warm-up, then a cosine to a thousandth."""
    warm_up = max(int(steps * warm_up_share), 1)
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(steps - warm_up, 1))) + 1e-3


def optimizer_of(network: nn.Module, recipe: Recipe) -> torch.optim.AdamW:
    """AdamW with layer-wise rates (Clark et al., 2020); biases, norms, positions and tokens do not decay."""
    layers = 1 + max((_layer(name, 0) for name, _ in network.named_parameters()), default=0)
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            scale = recipe.layer_decay ** (layers - _layer(name, layers))
            decay = recipe.weight_decay if parameter.ndim in (2, 4) else 0.0
            groups.setdefault((scale, decay), []).append(parameter)
    return torch.optim.AdamW(
        [
            {"params": parameters, "lr": recipe.peak_rate * scale, "weight_decay": decay}
            for (scale, decay), parameters in groups.items()
        ],
        lr=recipe.peak_rate,
        betas=recipe.betas,
    )


def _layer(name: str, above_all: int) -> int:
    """0 for the embeddings, n + 1 for encoder layer n, `above_all` for what is above the encoder's layers."""
    if ".embeddings." in f".{name}":
        return 0
    numbered = re.search(r"(?:^|\.)vit\.layers\.(\d+)\.", name)
    return int(numbered.group(1)) + 1 if numbered else above_all
