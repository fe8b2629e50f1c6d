"""Balance over age: which faces, or with which weight, so that every age counts about as much as any other."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Balance = Literal["none", "sample", "weight"]

LARGEST_WEIGHT = 5.0
"""No face counts more than this times the average one: a bin with three faces must not rule the network (ours)."""

CAPPING_ROUNDS = 20
"""Capping some weights raises the others; after these rounds both hold to within a thousandth."""


def age_bins(age_years: NDArray[np.float32], bin_years: float) -> NDArray[np.int64]:
    """(n,) number of the bin each age lies in, bins of `bin_years` from 0."""
    return np.floor_divide(age_years, bin_years).astype(np.int64)


def balanced_rows(
    rows: NDArray[np.int64], age_years: NDArray[np.float32], bin_years: float, seed: int
) -> NDArray[np.int64]:
    """Rows thinned out so that no age bin has more faces than the median bin; rare ages keep all of theirs.

    Args:
        rows: (n,) row numbers.
        age_years: (n,) their ages.
        bin_years: width of a bin, years.
        seed: decides which faces of a frequent age stay.
    """
    bins = age_bins(age_years, bin_years)
    _, inverse, counts = np.unique(bins, return_inverse=True, return_counts=True)
    most = int(np.median(counts))
    order = np.random.default_rng(seed).permutation(len(rows))
    rank = np.empty(len(rows), dtype=np.int64)
    for number in range(len(counts)):
        of_bin = order[inverse[order] == number]
        rank[of_bin] = np.arange(len(of_bin))
    return np.sort(rows[rank < most])


def balancing_weights(age_years: NDArray[np.float32], bin_years: float) -> NDArray[np.float32]:
    """(n,) weights with mean 1, inverse to how frequent a face's age bin is, capped at LARGEST_WEIGHT."""
    bins = age_bins(age_years, bin_years)
    _, inverse, counts = np.unique(bins, return_inverse=True, return_counts=True)
    weights = 1 / counts[inverse]
    for _ in range(CAPPING_ROUNDS):
        weights = np.minimum(weights / weights.mean(), LARGEST_WEIGHT)
    return weights.astype(np.float32)
