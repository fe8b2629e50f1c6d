"""Changes of a face that change neither age nor risk: mirror, small moves, light, colour, noise, a hidden patch.

Nothing that regression could not survive is among them: no cropping away of chin or hairline, no mixing of two people.
All numbers are ours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How far a face may be changed; each change is drawn uniformly up to its limit."""

    shift_px: float = 3.0
    rotation_degrees: float = 4.0
    scale: float = 0.04
    brightness: float = 0.16
    """In network units (-1 … 1)."""
    contrast: float = 0.15
    colour: float = 0.06
    """Gain of each channel."""
    noise_sd: float = 0.04
    """Largest standard deviation of added noise, in network units."""
    hidden_share: float = 0.10
    """Share of faces with one grey patch."""
    hidden_px: int = 28
    """Largest side of that patch."""


MASKED_AUTOENCODER = Augmentation(brightness=0.0, contrast=0.0, colour=0.0, noise_sd=0.0, hidden_share=0.0)
"""For pre-training: masking is the lesson, so only mirror and small moves remain (He et al., 2022: crop and flip)."""


def augmented(faces: Tensor, limits: Augmentation, rng: np.random.Generator) -> Tensor:
    """Normalised faces (B, 3, H, W), -1 … 1, each changed in its own way; `rng` alone decides how."""
    count, _, height, width = faces.shape
    grid = affine_grid(_moves(count, width, limits, rng), [count, 3, height, width], align_corners=False)
    changed = grid_sample(faces, grid, mode="bilinear", padding_mode="border", align_corners=False)
    gain = 1 + _uniform(rng, count, limits.contrast)[:, None] + limits.colour * rng.uniform(-1, 1, (count, 3))
    shift = _uniform(rng, count, limits.brightness)
    changed = changed * _as_tensor(gain)[:, :, None, None] + _as_tensor(shift)[:, None, None, None]
    if limits.noise_sd > 0:
        amount = _as_tensor(rng.uniform(0, limits.noise_sd, count))[:, None, None, None]
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        changed = changed + amount * torch.randn(changed.shape, generator=generator)
    for face in np.flatnonzero(rng.random(count) < limits.hidden_share):
        side_y, side_x = rng.integers(8, limits.hidden_px + 1, 2)
        top, left = rng.integers(0, height - side_y), rng.integers(0, width - side_x)
        changed[face, :, top : top + side_y, left : left + side_x] = 0.0
    return changed.clamp(-1, 1)


def _moves(count: int, width: int, limits: Augmentation, rng: np.random.Generator) -> Tensor:
    """(B, 2, 3) affine maps from output to input, in grid units: -1 … 1 over the picture."""
    angle = _uniform(rng, count, math.radians(limits.rotation_degrees))
    scale = 1 + _uniform(rng, count, limits.scale)
    mirror = np.where(rng.random(count) < 0.5, -1.0, 1.0)
    shift = rng.uniform(-1, 1, (count, 2)) * limits.shift_px * 2 / width
    cosine, sine = scale * np.cos(angle), scale * np.sin(angle)
    rows = [mirror * cosine, -sine, shift[:, 0], mirror * sine, cosine, shift[:, 1]]
    return _as_tensor(np.stack(rows, axis=1)).reshape(count, 2, 3)


def _uniform(rng: np.random.Generator, count: int, limit: float) -> NDArray[np.float64]:
    return limit * rng.uniform(-1, 1, count)


def _as_tensor(values: NDArray[np.float64]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))
