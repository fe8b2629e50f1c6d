"""Percentile intervals by resampling people (Efron 1979): all photos of a person are drawn together, or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from model.errors import NotComputable

LARGEST_SHARE_WITHOUT_NUMBER = 0.05
"""No interval is given where more resamples than these leave the number undetermined (ours)."""

Rows = NDArray[np.int64]


class Measure(Protocol):
    """A number of some rows."""

    def __call__(self, rows: Rows, /) -> float:
        """The number of `rows`, row numbers in which a resample repeats some. Raises NotComputable."""
        ...


@dataclass(frozen=True, slots=True)
class Interval:
    """A 95 % interval."""

    lower: float
    upper: float


@dataclass(frozen=True, slots=True)
class Resampling:
    """How intervals are made: how many resamples (0: no intervals), and the seed that makes them the same each time."""

    repeats: int = 1000
    seed: int = 20260301

    @property
    def words(self) -> str:
        """For an evaluation's `method`."""
        if not self.repeats:
            return "no intervals"
        return f"intervals: percentiles 2.5 and 97.5 of {self.repeats} resamples of people, seed {self.seed}"


def bootstrap_intervals(
    measures: Mapping[str, Measure], people: NDArray[np.int64], resampling: Resampling
) -> dict[str, Interval]:
    """The 2.5 % and 97.5 % percentiles of each measure over resamples of people, the same resamples for all.

    Args:
        measures: by name.
        people: whose row it is, (rows,).
        resampling: repeats and seed.

    Returns:
        Intervals by name; a number that too many resamples leave undetermined has none.
    """
    drawn: dict[str, list[float]] = {name: [] for name in measures}
    for rows in _resamples(people, resampling):
        for name, measure in measures.items():
            try:
                drawn[name].append(measure(rows))
            except NotComputable:
                continue
    enough = max(1.0, (1 - LARGEST_SHARE_WITHOUT_NUMBER) * resampling.repeats)
    return {
        name: Interval(*(float(bound) for bound in np.quantile(values, (0.025, 0.975))))
        for name, values in drawn.items()
        if len(values) >= enough
    }


def _resamples(people: NDArray[np.int64], resampling: Resampling) -> Iterator[Rows]:
    """As many people as there are, drawn with replacement, with all their rows; none where there is one person."""
    rng = np.random.default_rng(resampling.seed)
    by_person = np.argsort(people, kind="stable")
    _, starts, counts = np.unique(people[by_person], return_index=True, return_counts=True)
    for _ in range(resampling.repeats if len(starts) > 1 else 0):
        chosen = rng.integers(len(starts), size=len(starts))
        lengths = counts[chosen]
        # The rows of the chosen people one after another: each block counts up from its person's first row.
        ends = np.cumsum(lengths)
        within = np.arange(ends[-1]) - np.repeat(ends - lengths, lengths)
        yield by_person[np.repeat(starts[chosen], lengths) + within]
