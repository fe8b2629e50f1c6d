"""Ends of follow-up as whole numbers: what is counted, or looked up, by time then needs no sorting and no search."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from model.survival.censoring import CensoringDistribution, Floats
from model.survival.sharing import remembered

Integers = NDArray[np.int64]

SPARSE = 4
"""Times a person from which the times of some persons are numbered anew (ours)."""


@dataclass(frozen=True)
class Timeline:
    """Ends of follow-up as numbers.

    Attributes:
        ends: of each person twice the place of the time among the distinct ones, and 1 more without the event, so that
            deaths come before censorings of the same time.
        times: the distinct times, ascending, (times,); the last is the longest follow-up. Of some persons out of many
            there may be times at which nobody's follow-up ended.
        deaths: at each time, (times,).
        ended: how many follow-ups ended at each time, however, (times,).
    """

    ends: Integers
    times: Floats
    deaths: Integers
    ended: Integers

    @property
    def at_risk(self) -> Integers:
        """How many were followed up to each time; (times,)."""
        return len(self.ends) - np.cumsum(self.ended) + self.ended

    @property
    def outlived(self) -> Integers:
        """How many outlived a death at each time: who is censored at the time did; (times,)."""
        return self.at_risk - self.deaths

    @cached_property
    def censoring(self) -> CensoringDistribution:
        """The distribution of censoring times."""
        return CensoringDistribution.of_counts(self.times, self.deaths, self.ended)

    def places_up_to(self, time: float) -> int:
        """How many of the times are at or before one."""
        return int(np.searchsorted(self.times, time, side="right"))

    @classmethod
    def of(cls, durations: Floats, events: NDArray[np.bool_]) -> Timeline:
        """From follow-up, (persons,), and whether it ended with the event, (persons,)."""
        order = np.argsort(durations)
        in_order = durations[order]
        begins = np.ones(len(order), dtype=bool)
        begins[1:] = in_order[1:] != in_order[:-1]
        place = np.empty(len(order), dtype=np.int64)
        place[order] = np.cumsum(begins) - 1
        return cls._counted(2 * place + ~events, in_order[begins])

    def of_rows(self, rows: Integers) -> Timeline:
        """Of some of the persons, by their row numbers; a resample names some of them again."""
        ends = np.take(self.ends, rows)
        if len(self.times) <= SPARSE * len(rows):
            return self._counted(ends, self.times[: ends.max(initial=-1) // 2 + 1])
        places, place = np.unique(ends // 2, return_inverse=True)
        return self._counted(2 * place + ends % 2, self.times[places])

    @classmethod
    def _counted(cls, ends: Integers, times: Floats) -> Timeline:
        of_end = np.bincount(ends, minlength=2 * len(times))
        return cls(ends=ends, times=times, deaths=of_end[0::2], ended=of_end[0::2] + of_end[1::2])


def timeline_of(durations: Floats, events: NDArray[np.bool_]) -> Timeline:
    """Ends of follow-up as numbers, within `sharing()` once for all that is asked of the same persons."""
    return remembered("timeline", (durations, events), lambda: Timeline.of(durations, events))
