"""Averages and rank correlations of maps, with intervals from resampling the faces they were averaged over."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

Array = NDArray[np.float64]
Estimate = tuple[float, float, float]
"""A number and its 95 % interval."""


class FaceBootstrap:
    """Averages over faces, and over the same resamples of faces every time."""

    def __init__(self, faces: int, resamples: int, seed: int) -> None:
        times_drawn = np.random.default_rng(seed).multinomial(faces, np.full(faces, 1 / faces), size=resamples)
        self._weights = np.vstack([np.ones(faces), times_drawn]) / faces

    def means(self, maps: Array) -> Array:
        """(1 + resamples, m) averages of (n, m): of all faces first, then of each resample."""
        return np.asarray(self._weights @ maps)

    def correlations(self, one: Array, other: Array) -> Array:
        """(1 + resamples,) Spearman's correlation of two averaged maps, each (n, m)."""
        return spearman(self.means(one), self.means(other))


def estimate(values: Array) -> Estimate:
    """(1 + resamples,) -> the number of all faces and its 95 % interval."""
    low, high = np.quantile(values[1:], [0.025, 0.975])
    return float(values[0]), float(low), float(high)


def per_face(one: Array, other: Array) -> Array:
    """(n, 1) Spearman's correlation of each face's own two maps, (n, m) each."""
    return spearman(one, other)[:, None]


def spearman(one: Array, other: Array) -> Array:
    """Row by row; 0 where a row is constant: a map without any difference agrees with nothing."""
    ranks = [rankdata(maps, axis=1) for maps in (one, other)]
    centred = [rank - rank.mean(axis=1, keepdims=True) for rank in ranks]
    sizes = np.prod([np.sqrt((rank**2).sum(axis=1)) for rank in centred], axis=0)
    together = (centred[0] * centred[1]).sum(axis=1)
    return np.divide(together, sizes, out=np.zeros_like(together), where=sizes > 0)
