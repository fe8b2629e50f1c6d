"""Percentile intervals by resampling people (Efron 1979): all photos of a person are drawn together, or not at all.

Of very many people fewer are drawn each time, and what is drawn is shrunk to the spread that all of them would have:
the m-out-of-n bootstrap (Bickel, Götze and van Zwet 1997). A hundred resamples then cost the same for ten thousand
people as for a million.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from model.errors import NotComputable
from model.survival.mapping import mapped_in_chunks
from model.survival.sharing import remembered

LARGEST_SHARE_WITHOUT_NUMBER = 0.05
"""No interval is given where more resamples than these leave the number undetermined (ours)."""

LARGEST_RESAMPLE = 5_000
"""Persons drawn for one resample of a large cohort: the interval of a million's C gains nothing by more (ours)."""

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
    size = resampling.drawn(count_of(people)) * resampling.repeats * len(measures)
    drawn = mapped_in_chunks(partial(_measured, measures), list(resamples(people, resampling)), size=size)
    everybody = np.arange(len(people))
    found = {}
    for name in measures:
        values = [numbers[name] for numbers in drawn if name in numbers]
        # Around the number of everybody, which those drawn may be fewer than.
        of_everybody = partial(measures[name], everybody)
        interval = interval_of(np.array(values), of_everybody, people, resampling)
        if interval is not None:
            found[name] = interval
    return found


def _measured(measures: Mapping[str, Measure], rows: Rows) -> dict[str, float]:
    """The measures that a resample determines."""
    found = {}
    for name, measure in measures.items():
        try:
            found[name] = measure(rows)
        except NotComputable:
            continue
    return found


def interval_of(
    values: NDArray[np.float64],
    of_everybody: float | Callable[[], float],
    people: NDArray[np.int64],
    resampling: Resampling,
) -> Interval | None:
    """The interval from a number of each resample; None where too many resamples leave it undetermined.

    Args:
        values: of the resamples that determine it.
        of_everybody: the same number of all rows, or what computes it where it is needed.
        people: whose row it is, (rows,).
        resampling: how the resamples were made.
    """
    if len(values) < max(1.0, (1 - LARGEST_SHARE_WITHOUT_NUMBER) * resampling.repeats):
        return None
    shrunk = resampling.shrinkage(count_of(people))
    if shrunk < 1:
        around = of_everybody() if callable(of_everybody) else of_everybody
        values = around + shrunk * (values - around)
    lower, upper = np.quantile(values, (0.025, 0.975))
    return Interval(float(lower), float(upper))


def count_of(people: NDArray[np.int64]) -> int:
    """How many people the rows are of."""
    return _people(people).count


def resamples(people: NDArray[np.int64], resampling: Resampling) -> Iterator[Rows]:
    """Rows of people drawn with replacement, all rows of each; none where there is one person.

    As many people as there are, or `resampling.largest` of them.

    Args:
        people: whose row it is, (rows,).
        resampling: repeats and seed.
    """
    yield from remembered(("resamples", resampling), (people,), lambda: _drawn(people, resampling))


def _drawn(people: NDArray[np.int64], resampling: Resampling) -> list[Rows]:
    everybody = _people(people)
    repeats = resampling.repeats if everybody.count > 1 else 0
    return [resample(everybody, resampling, number) for number in range(repeats)]


def resample(everybody: People, resampling: Resampling, number: int) -> Rows:
    """The rows of one resample; they depend on its number and the seed alone, so that it can be drawn anywhere."""
    rng = np.random.default_rng((resampling.seed, number))
    return everybody.rows_of(rng.integers(everybody.count, size=resampling.drawn(everybody.count)))


def _people(people: NDArray[np.int64]) -> People:
    return remembered("people", (people,), lambda: People(people))


class People:
    """Whose rows are whose."""

    def __init__(self, people: NDArray[np.int64]) -> None:
        """From whose row it is, (rows,)."""
        self._by_person = np.argsort(people, kind="stable")
        in_order = people[self._by_person]
        self._starts = np.flatnonzero(np.append(True, in_order[1:] != in_order[:-1])[: len(people)])
        self._counts = np.diff(self._starts, append=len(people))

    @property
    def count(self) -> int:
        """How many people there are; they are numbered from 0."""
        return len(self._starts)

    def rows_each(self, chosen: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many rows the people of these numbers have."""
        return self._counts[chosen]

    def rows_of(self, chosen: NDArray[np.int64]) -> Rows:
        """All rows of the people of these numbers, in their order; who is named twice has them twice."""
        if self.count == len(self._by_person):
            return np.take(self._by_person, chosen)
        lengths = self._counts[chosen]
        # The rows of the chosen people one after another: each block counts up from its person's first row.
        ends = np.cumsum(lengths)
        within = np.arange(ends[-1]) - np.repeat(ends - lengths, lengths)
        return self._by_person[np.repeat(self._starts[chosen], lengths) + within]
