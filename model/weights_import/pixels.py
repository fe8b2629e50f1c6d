"""Weights of a network that was fed otherwise: other normalisation of pixels, other image size."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from model.preprocessing import NORMALISATION_MEAN, NORMALISATION_SD
from model.weights_import.shapes import PATCHES, POSITIONS
from model.weights_import.wish import Wish

PATCH_BIAS = PATCHES.replace("weight", "bias")


def fed_as_ours(state: Mapping[str, Tensor], wish: Wish) -> dict[str, Tensor]:
    """Weights that take our normalised pixels and compute what the given ones compute from theirs.

    With p in 0 to 1, they are fed (p - m) / s and we feed x = (p - 0.5) / 0.5, so (p - m) / s = x 0.5 / s +
    (0.5 - m) / s: a scale and an offset for each channel, which the patch projection, being linear and without
    padding, takes in exactly.
    """
    mean = torch.tensor(wish.pixel_mean, dtype=torch.float64)
    sd = torch.tensor(wish.pixel_sd, dtype=torch.float64)
    weight = state[PATCHES].double()
    offset = (weight.sum((2, 3)) * ((NORMALISATION_MEAN - mean) / sd)).sum(1)
    return {
        **state,
        PATCHES: (weight * (NORMALISATION_SD / sd)[:, None, None]).float(),
        PATCH_BIAS: (state[PATCH_BIAS].double() + offset).float(),
    }


def resized_positions(state: Mapping[str, Tensor], patches: int) -> dict[str, Tensor]:
    """Weights with position embeddings of `patches` patches, bicubically interpolated as in timm; [CLS] keeps its."""
    positions = state[POSITIONS]
    side, wanted = math.isqrt(positions.shape[1] - 1), math.isqrt(patches)
    if side == wanted:
        return dict(state)
    grid = positions[:, 1:].float().reshape(1, side, side, -1).permute(0, 3, 1, 2)
    grid = interpolate(grid, size=(wanted, wanted), mode="bicubic", antialias=True)
    return {**state, POSITIONS: torch.cat([positions[:, :1].float(), grid.permute(0, 2, 3, 1).flatten(1, 2)], dim=1)}
