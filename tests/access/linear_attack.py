"""What somebody can work out of hidden counts: from all that is shown, how it was rounded, and how it adds up."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linprog

SMALL_CELL = 10
ROUNDING = 2
"""A count shown as a multiple of five is at most so far from the true one."""


@dataclass
class Attack:
    """Counts, each between bounds, and sums of them: everything that is known, as one linear programme."""

    known: dict[Hashable, tuple[float, float]] = field(default_factory=dict)
    sums: list[dict[Hashable, float]] = field(default_factory=list)

    def is_shown(self, count: Hashable, shown: float) -> None:
        """A researcher sees the count, rounded to five: it is not small."""
        self.lies_between(count, max(SMALL_CELL, shown - ROUNDING), shown + ROUNDING)

    def lies_between(self, count: Hashable, least: float, most: float) -> None:
        """Something else that is shown bounds the count."""
        before = self.known.get(count, (0.0, math.inf))
        self.known[count] = (max(before[0], least), min(before[1], most))

    def adds_up(self, total: Hashable, parts: Sequence[Hashable]) -> None:
        """The parts are the total."""
        for count in (total, *parts):
            self.known.setdefault(count, (0.0, math.inf))
        self.sums.append({total: -1.0, **dict.fromkeys(parts, 1.0)})

    def bounds(self, count: Hashable) -> tuple[float, float]:
        """The least and the most that a whole number of persons can be, all else considered."""
        if count not in self.known:
            return 0, math.inf
        names = list(self.known)
        matrix = np.array([[one.get(name, 0.0) for name in names] for one in self.sums])
        found = []
        for sign in (1.0, -1.0):
            solved = linprog(
                [sign * (name == count) for name in names],
                A_eq=matrix if self.sums else None,
                b_eq=np.zeros(len(self.sums)) if self.sums else None,
                bounds=[(least, None if math.isinf(most) else most) for least, most in self.known.values()],
            )
            assert solved.status in (0, 3), f"what is shown contradicts itself: {solved.message}"
            found.append(math.inf if solved.status == 3 else sign * solved.fun)
        return math.ceil(found[0] - 1e-6), found[1] if math.isinf(found[1]) else math.floor(found[1] + 1e-6)

    def finds_out(self, count: Hashable, true: int) -> bool:
        """Whether a small count is narrowed to fewer than all small ones."""
        if not 0 < true < SMALL_CELL:
            return False
        least, most = self.bounds(count)
        assert least <= true <= most, "the attacker is wrong"
        return least > 1 or most < SMALL_CELL - 1
