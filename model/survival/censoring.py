"""The distribution of censoring times, by which what censoring hides is weighted back in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.errors import NotComputable

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class CensoringDistribution:
    """G(t), the Kaplan-Meier estimate of the probability to be uncensored up to and including t.

    Deaths come before censorings of the same time: who dies at t is not at risk of being censored at t. G is
    right-continuous, so a death at t weighs 1 / G(t) even where somebody was censored at t (as in scikit-survival).
    """

    times: Floats
    """(k,) distinct follow-up times, ascending."""
    probability: Floats
    """(k,) G at and after each."""

    @classmethod
    def of(cls, durations: Floats, events: NDArray[np.bool_]) -> CensoringDistribution:
        """Estimate it from follow-up (persons,) and whether it ended in death (persons,)."""
        times, inverse = np.unique(durations, return_inverse=True)
        died = np.bincount(inverse, weights=events, minlength=len(times))
        return cls.of_counts(times, died, np.bincount(inverse, minlength=len(times)))

    @classmethod
    def of_counts(cls, times: Floats, died: NDArray[Any], ended: NDArray[Any]) -> CensoringDistribution:
        """Estimate it from how many died, and how many follow-ups ended, at each distinct time; (times,) each."""
        at_risk = ended.sum() - np.concatenate([[0], np.cumsum(ended)[:-1]]) - died
        # Where all who are left die there is nobody to be censored, and G stays.
        steps = 1.0 - (ended - died) / np.where(at_risk > 0, at_risk, 1)
        return cls(times=times, probability=np.cumprod(steps, dtype=np.float64))

    def inverse_where(self, counts: NDArray[np.bool_]) -> Floats:
        """1 / G at the distinct times that count, and 0 at the others; (k,).

        Raises:
            NotComputable: G is 0 at one that counts.
        """
        if (self.probability[counts] == 0).any():
            raise NotComputable("everybody left was censored at the time of a death: take an earlier end")
        return np.divide(1.0, self.probability, out=np.zeros(len(counts)), where=counts)

    def at(self, times: Floats) -> Floats:
        """G at `times` (any shape), 0 to 1.

        Raises:
            NotComputable: a time lies after the longest follow-up, and some were still uncensored there.
        """
        if np.size(times) and np.max(times) > self.times[-1] and self.probability[-1] > 0:
            raise NotComputable("nobody was followed that long")
        steps = np.searchsorted(self.times, times, side="right")
        return np.concatenate([[1.0], self.probability])[steps]
