"""Soft shapes in float32, without exponentials, each computed only where it is not zero."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]
"""(h, w): one value a pixel."""

Picture = NDArray[np.float32]
"""(3, h, w): red, green and blue planes, about 0 to 1; planes are several times faster here than (h, w, 3)."""


Colour = NDArray[np.float32]
"""(3,): red, green, blue, about 0 to 1."""


def rgb(red: float, green: float, blue: float) -> Colour:
    """A colour, about 0 to 1 in each channel."""
    return np.array([red, green, blue], dtype=np.float32)


def bump(dx: Plane, dy: Plane, sx: float, sy: float) -> Plane:
    """A bell of height 1: (1 - s²/4)⁴, a near twin of exp(-s²) that ends smoothly at s = 2."""
    falloff = 1.0 - (dx * (0.5 / sx)) ** 2 - (dy * (0.5 / sy)) ** 2
    np.maximum(falloff, 0.0, out=falloff)
    falloff *= falloff
    falloff *= falloff
    return falloff


def ramp(signed: Plane, sharpness: float) -> Plane:
    """0 to 1 across an edge where `signed` crosses zero; `sharpness` is the slope."""
    edge = signed * np.float32(sharpness)
    edge += np.float32(0.5)
    return np.minimum(np.maximum(edge, 0, out=edge), 1, out=edge)


def smooth_step(values: Plane, low: float, high: float) -> Plane:
    """Cubic step from 0 at `low` to 1 at `high`."""
    t = np.clip((values - low) * (1.0 / (high - low)), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def paint(picture: Picture, cover: Plane, colour: NDArray[np.float32]) -> None:
    """Lay `colour` ((3,) or (3, h, w)) over `picture` (3, h, w) in place, as opaque as `cover` (h, w) says."""
    for channel, tint in zip(picture, colour, strict=True):
        difference = tint - channel
        difference *= cover
        channel += difference


def cloud(rng: np.random.Generator, shape: tuple[int, int], cells: tuple[int, int]) -> Plane:
    """Smooth noise of unit scale: a coarse random grid of `cells` (rows, columns), interpolated linearly to `shape`."""
    grid = rng.standard_normal((cells[0] + 1, cells[1] + 1), dtype=np.float32)
    rows = np.linspace(0, cells[0], shape[0], endpoint=False, dtype=np.float32)
    columns = np.linspace(0, cells[1], shape[1], endpoint=False, dtype=np.float32)
    top, left = rows.astype(np.intp), columns.astype(np.intp)
    down, right = (rows - top)[:, None], (columns - left)[None, :]
    along_rows = grid[top] * (1 - down) + grid[top + 1] * down
    return along_rows[:, left] * (1 - right) + along_rows[:, left + 1] * right
