"""Pairs of a death and somebody who outlived it: how many there are at each time of death, by which risk was higher.

All are counted exactly. In ascending order of risk, those before a death whose follow-up ended later are the pairs in
which the higher risk died first; and those among whom a death is with its equals are tied.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from model.survival.compiled import compiled
from model.survival.timeline import Floats, Integers, Timeline


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


@dataclass(frozen=True)
class Ranking:
    """Persons by the end of their follow-up and the rank of their risk.

    Attributes:
        timeline: of the persons.
        ranks: of their risks, equal ones of the same rank, (persons,).
    """

    timeline: Timeline
    ranks: Integers

    @classmethod
    def of(cls, timeline: Timeline, risk: Floats) -> Ranking:
        """From the risk of each person, (persons,), finite; higher is worse."""
        order = np.argsort(risk)
        in_order = risk[order]
        begins = np.zeros(len(order), dtype=bool)
        begins[1:] = in_order[1:] != in_order[:-1]
        ranks = np.empty(len(order), dtype=np.int64)
        ranks[order] = np.cumsum(begins)
        return cls(timeline, ranks)

    def of_rows(self, rows: Integers) -> Ranking:
        """Of some of the persons, by their row numbers; a resample names some of them again."""
        return Ranking(self.timeline.of_rows(rows), np.take(self.ranks, rows))

    @property
    def bits(self) -> int:
        """How many bits an end of follow-up takes."""
        return (2 * len(self.timeline.times)).bit_length()

    @cached_property
    def in_order(self) -> Integers:
        """Rank and end of each person, ascending: the rank in the higher bits of a number, the end in the lower."""
        return np.sort(self.ranks << self.bits | self.timeline.ends)

    @cached_property
    def pairs(self) -> PairCounts:
        """The risks of each death and of those who outlived it, compared."""
        lower, up_to = _compared(self.in_order, self.bits, len(self.timeline.times))
        return PairCounts(comparable=self.timeline.deaths * self.timeline.outlived, lower=lower, tied=up_to - lower)


def pair_counts(timeline: Timeline, risk: Floats) -> PairCounts:
    """Compare the risks of each death and of those who outlived it.

    Args:
        timeline: of the persons.
        risk: of each, (persons,), finite.
    """
    return Ranking.of(timeline, risk).pairs


@compiled
def _compared(in_order: Integers, bits: int, times: int) -> Integers:
    """In how many pairs of the deaths at each time who outlived had a lower risk, and at most the same; (2, times).

    Persons come in by ascending risk, those of equal risk at once; a Fenwick tree (Fenwick 1994) knows of how many who
    are in it how many times of death they outlived. O(persons log times).

    Args:
        in_order: rank and end of each, ascending, (persons,).
        bits: of the end.
        times: how many there are.
    """
    found = np.zeros((2, times), dtype=np.int64)
    tree = np.zeros(times + 2, dtype=np.int64)
    mask = (1 << bits) - 1
    first, persons = 0, len(in_order)
    while first < persons:
        last = first + 1
        while last < persons and in_order[last] >> bits == in_order[first] >> bits:
            last += 1
        alone = last == first + 1
        for row in range(first, last):
            end = in_order[row] & mask
            if end % 2 == 0:
                longer = first - _up_to(tree, end >> 1)
                found[0, end >> 1] += longer
                found[1, end >> 1] += longer if alone else 0
        for row in range(first, last):
            _come_in(tree, ((in_order[row] & mask) + 1) >> 1)
        for row in range(first, first if alone else last):
            end = in_order[row] & mask
            if end % 2 == 0:
                found[1, end >> 1] += last - _up_to(tree, end >> 1)
        first = last
    return found


@compiled
def _up_to(tree: Integers, outlived: int) -> int:
    """How many in the tree outlived at most so many times."""
    found, place = 0, outlived + 1
    while place > 0:
        found += tree[place]
        place &= place - 1
    return found


@compiled
def _come_in(tree: Integers, outlived: int) -> None:
    place = outlived + 1
    while place < len(tree):
        tree[place] += 1
        place += place & -place
