"""How many of a stretch of ranks lie below a bound, and what they weigh, for many stretches at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]


def weight_below(ranks: Integers, weights: NDArray[Any] | None, start: Integers, bound: Integers) -> NDArray[Any]:
    """For each query, the weight of those of `ranks[start:]` below `bound`, by a wavelet matrix (Claude, Navarro 2012).

    The ranks are sorted stably bit by bit, the highest first; a query walks its range down through the levels. All of
    it takes O((ranks + queries) log ranks).

    Args:
        ranks: 0 to len(ranks) - 1, (ranks,).
        weights: of each, (ranks,); None: how many there are is told, as whole numbers.
        start: where each stretch begins; it goes to the end, (queries,).
        bound: (queries,).
    """
    low, high = start.copy(), np.full(len(start), len(ranks))
    total = np.zeros(len(start), dtype=np.int64 if weights is None else float)
    for bit in reversed(range(len(ranks).bit_length())):
        is_one = (ranks >> bit & 1).astype(bool)
        ones_before = np.concatenate([[0], np.cumsum(is_one)])
        zeros = len(ranks) - ones_before[-1]
        low_ones, high_ones = ones_before[low], ones_before[high]
        goes_to_ones = (bound >> bit & 1).astype(bool)
        if weights is None:
            below = (high - low) - (high_ones - low_ones)
        else:
            zeros_weigh = np.concatenate([[0.0], np.cumsum(np.where(is_one, 0.0, weights))])
            below = zeros_weigh[high] - zeros_weigh[low]
            weights = np.concatenate([weights[~is_one], weights[is_one]])
        total += np.where(goes_to_ones, below, 0)
        low = np.where(goes_to_ones, zeros + low_ones, low - low_ones)
        high = np.where(goes_to_ones, zeros + high_ones, high - high_ones)
        ranks = np.concatenate([ranks[~is_one], ranks[is_one]])
    return total
