"""Percentile intervals by resampling people (Efron 1979): all photos of a person are drawn together, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LARGEST_SHARE_WITHOUT_NUMBER = 0.05
"""No interval is given where more resamples than these leave the number undetermined (ours)."""

Statistic = Callable[[NDArray[np.int64]], Mapping[str, float]]
"""Takes row numbers (repeated ones included); gives numbers by name, without those it cannot compute."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A 95 % interval."""

    lower: float
    upper: float


@dataclass(frozen=True, slots=True)
class Resampling:
    """How intervals are made: how many resamples, and the seed that makes them the same each time."""

    repeats: int = 1000
    seed: int = 20260301

    @property
    def words(self) -> str:
        """For an evaluation's `method`."""
        if not self.repeats:
            return "no intervals"
        return f"intervals: percentiles 2.5 and 97.5 of {self.repeats} resamples of people, seed {self.seed}"


def bootstrap_intervals(statistic: Statistic, people: NDArray[np.int64], resampling: Resampling) -> dict[str, Interval]:
    """Intervals of the numbers that `statistic` gives.

    Args:
        statistic: computes numbers from rows.
        people: whose row it is, (rows,).
        resampling: repeats (0: no intervals) and seed.

    Returns:
        The 2.5 % and 97.5 % percentiles by name; a number that too many resamples leave undetermined has none.
    """
    rng = np.random.default_rng(resampling.seed)
    rows_by_person = np.argsort(people, kind="stable")
    _, starts, counts = np.unique(people[rows_by_person], return_index=True, return_counts=True)
    drawn: dict[str, list[float]] = {}
    for _ in range(resampling.repeats if len(starts) > 1 else 0):
        chosen = rng.integers(len(starts), size=len(starts))
        lengths = counts[chosen]
        # The rows of the chosen people one after another: each block counts up from its person's first row.
        ends = np.cumsum(lengths)
        within = np.arange(ends[-1]) - np.repeat(ends - lengths, lengths)
        rows = rows_by_person[np.repeat(starts[chosen], lengths) + within]
        for name, value in statistic(rows).items():
            drawn.setdefault(name, []).append(value)
    return {
        name: Interval(*(float(bound) for bound in np.quantile(values, (0.025, 0.975))))
        for name, values in drawn.items()
        if len(values) >= (1 - LARGEST_SHARE_WITHOUT_NUMBER) * resampling.repeats
    }
