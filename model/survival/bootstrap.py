"""Percentile intervals by resampling people (Efron 1979): all photos of a person are drawn together, or not at all.

Of very many people fewer are drawn each time, and what is drawn is shrunk to the spread that all of them would have:
the m-out-of-n bootstrap (Bickel, Götze and van Zwet 1997). A hundred resamples then cost the same for ten thousand
people as for a million.
"""

from __future__ import annotations

import math
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
    largest: int | None = None
    """Most people drawn for a resample; None: as many as there are."""

    @property
    def words(self) -> str:
        """For an evaluation's `method`."""
        if not self.repeats:
            return "no intervals"
        of = "people" if self.largest is None else f"at most {self.largest} people"
        return f"intervals: percentiles 2.5 and 97.5 of {self.repeats} resamples of {of}, seed {self.seed}"

    def drawn(self, people: int) -> int:
        """How many of so many people a resample draws."""
        return people if self.largest is None else min(people, self.largest)

    def shrinkage(self, people: int) -> float:
        """What the spread over resamples is multiplied by to get that of an estimate of everybody; at most 1."""
        return math.sqrt(self.drawn(people) / people) if people else 1.0


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
    for rows in resamples(people, resampling):
        for name, measure in measures.items():
            try:
                drawn[name].append(measure(rows))
            except NotComputable:
                continue
    enough = max(1.0, (1 - LARGEST_SHARE_WITHOUT_NUMBER) * resampling.repeats)
    shrunk = resampling.shrinkage(len(np.unique(people)))
    determined = {}
    for name, values in drawn.items():
        if len(values) < enough:
            continue
        # Around the number of everybody, which those drawn are fewer than.
        around = measures[name](np.arange(len(people))) if shrunk < 1 else 0.0
        determined[name] = around + shrunk * (np.array(values) - around)
    return {
        name: Interval(*(float(bound) for bound in np.quantile(values, (0.025, 0.975))))
        for name, values in determined.items()
    }


def resamples(people: NDArray[np.int64], resampling: Resampling) -> Iterator[Rows]:
    """Rows of people drawn with replacement, all rows of each; none where there is one person.

    As many people as there are, or `resampling.largest` of them.
    """
    rng = np.random.default_rng(resampling.seed)
    everybody = People(people)
    for _ in range(resampling.repeats if everybody.count > 1 else 0):
        yield everybody.rows_of(rng.integers(everybody.count, size=resampling.drawn(everybody.count)))


class People:
    """Whose rows are whose."""

    def __init__(self, people: NDArray[np.int64]) -> None:
        """From whose row it is, (rows,)."""
        self._by_person = np.argsort(people, kind="stable")
        _, self._starts, self._counts = np.unique(people[self._by_person], return_index=True, return_counts=True)

    @property
    def count(self) -> int:
        """How many people there are; they are numbered from 0."""
        return len(self._starts)

    def rows_of(self, chosen: NDArray[np.int64]) -> Rows:
        """All rows of the people of these numbers, in their order; who is named twice has them twice."""
        if self.count == len(self._by_person):
            return self._by_person[chosen]
        lengths = self._counts[chosen]
        # The rows of the chosen people one after another: each block counts up from its person's first row.
        ends = np.cumsum(lengths)
        within = np.arange(ends[-1]) - np.repeat(ends - lengths, lengths)
        return self._by_person[np.repeat(self._starts[chosen], lengths) + within]
