"""Pairs of a death and somebody who outlived it: how many there are at each time of death, by which risk was higher.

All are counted exactly. Everybody gets a number for the end of follow-up, in which deaths come before censorings of the
same time: who has a larger number than a death outlived it. In ascending order of risk, those before a death with a
larger number are the pairs in which the higher risk died first.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from model.survival.censoring import CensoringDistribution, Floats
from model.survival.larger_before import larger_before

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Timeline:
    """Ends of follow-up as numbers.

    Attributes:
        ends: of each person twice the place of the time among the distinct ones, and 1 more without the event.
        times: the distinct times, ascending, (times,).
        deaths: at each time, (times,).
        ended: how many follow-ups ended at each time, however, (times,).
    """

    ends: Integers
    times: Floats
    deaths: Integers
    ended: Integers

    @property
    def outlived(self) -> Integers:
        """How many outlived a death at each time: who is censored at the time did; (times,)."""
        return len(self.ends) - np.cumsum(self.ended) + self.ended - self.deaths

    @cached_property
    def censoring(self) -> CensoringDistribution:
        """The distribution of censoring times."""
        return CensoringDistribution.of_counts(self.times, self.deaths, self.ended)

    @classmethod
    def of(cls, durations: Floats, events: NDArray[np.bool_]) -> Timeline:
        """From follow-up, (persons,), and whether it ended with the event, (persons,)."""
        order = np.argsort(durations)
        in_order = durations[order]
        begins = np.ones(len(order), dtype=bool)
        begins[1:] = in_order[1:] != in_order[:-1]
        place = np.empty(len(order), dtype=np.int64)
        place[order] = np.cumsum(begins) - 1
        times = in_order[begins]
        ends = 2 * place + ~events
        of_end = np.bincount(ends, minlength=2 * len(times))
        return cls(
            ends=ends,
            times=times,
            deaths=of_end[0::2],
            ended=of_end[0::2] + of_end[1::2],
        )


@dataclass(frozen=True)
class PairCounts:
    """Pairs of the deaths at each time with whoever outlived them, (times,) each.

    Attributes:
        comparable: all of them.
        lower: those in which who outlived had the lower risk.
        tied: those of equal risk.
    """

    comparable: Integers
    lower: Integers
    tied: Integers


def pair_counts(timeline: Timeline, risk: Floats) -> PairCounts:
    """Compare the risks of each death and of those who outlived it.

    Args:
        timeline: of the persons.
        risk: of each, (persons,), finite.
    """
    size = 2 * len(timeline.times)
    order = np.argsort(risk)
    ends, in_order = timeline.ends[order], risk[order]
    tied = np.zeros(size, dtype=np.int64)
    same = in_order[1:] == in_order[:-1]
    if same.any():
        rank = np.concatenate([[0], np.cumsum(~same)])
        together = np.sort(rank * size + ends)
        ends = together % size
        tied = _larger_in_group(together // size, ends, size)
    return PairCounts(
        comparable=timeline.deaths * timeline.outlived,
        lower=larger_before(ends, size)[0::2],
        tied=tied[0::2],
    )


def _larger_in_group(group: Integers, ends: Integers, size: int) -> Integers:
    """Of each end: over the persons who have it, how many of their own group have a larger one; (size,).

    Sorted by group, and by end within it.
    """
    last_of_group = np.append(group[1:] != group[:-1], True)
    last_of_run = last_of_group | np.append(ends[1:] != ends[:-1], True)
    runs, groups = np.flatnonzero(last_of_run), np.flatnonzero(last_of_group)
    persons = np.diff(runs, prepend=-1)
    larger = groups[np.searchsorted(groups, runs)] - runs
    return np.bincount(ends[runs], weights=persons * larger, minlength=size).astype(np.int64)
