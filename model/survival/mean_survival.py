"""The mean survival of many persons at many times, from moments of their relative risks.

It is exact to the last digits, and takes no exponential of each person and time.

Persons whose relative risk theta = exp(log-risk) lies within some 10 % of a middle m are taken together. With a
person's d = theta / m - 1 and x = H m, their survival under the cumulative hazard H adds up to

    sum of exp(-H theta) = exp(-x) sum over k = 0, 1, .. of (-x)^k / k! (sum of d^k)

As |d| < 0.106, what the terms beyond the twentieth add to a person's survival is below 1e-20 whatever x is (ours).
"""

from __future__ import annotations

import numpy as np

from model.survival.compiled import compiled
from model.survival.risk_sets import Floats

WIDTH = 0.2
"""Of log-risks that are taken together."""

TERMS = 20

FARTHEST = 700.0
"""A log-risk beyond is one of that size: a survival of 0, or of 1, is the same."""


class RelativeRisks:
    """The relative risks of some persons, by what their mean survival depends on."""

    def __init__(self, log_risk: Floats) -> None:
        """Sum up what lies together.

        Args:
            log_risk: of each person, (persons,), at least one.
        """
        within = np.clip(log_risk, -FARTHEST, FARTHEST)
        lowest = float(within.min())
        moments = np.zeros((int((within.max() - lowest) / WIDTH) + 1, TERMS + 1))
        _add_moments(within, lowest, moments)
        there = moments[:, 0] > 0
        self._middles = (lowest + WIDTH * (np.arange(len(moments)) + 0.5))[there]
        self._moments = moments[there]

    def total_survival(self, hazard: Floats, shift: float = 0.0) -> Floats:
        """Sum over the persons of exp(-hazard exp(log_risk + shift)); (times,).

        Args:
            hazard: cumulative, at each time, >= 0, (times,).
            shift: added to everybody's log-risk.
        """
        middles = np.exp(np.clip(self._middles + shift, -FARTHEST, FARTHEST))
        exposed = np.minimum(np.multiply.outer(middles, hazard), FARTHEST)
        series = np.empty_like(exposed)
        _add_terms(exposed, self._moments, series)
        return np.asarray((np.exp(-exposed) * series).sum(axis=0))


@compiled
def _add_moments(log_risk: Floats, lowest: float, moments: Floats) -> None:
    """Add up the powers of d of the persons of each middle, from the 0th on, (middles, powers)."""
    for person in range(len(log_risk)):
        middle = min(int((log_risk[person] - lowest) / WIDTH), len(moments) - 1)
        apart = np.expm1(log_risk[person] - (lowest + WIDTH * (middle + 0.5)))
        power = 1.0
        for k in range(moments.shape[1]):
            moments[middle, k] += power
            power *= apart


@compiled
def _add_terms(exposed: Floats, moments: Floats, series: Floats) -> None:
    """Sum over k of (-x)^k / k! times the k-th moment, by Horner's rule, from each x in `exposed`; (middles, times)."""
    for middle in range(len(exposed)):
        series[middle] = moments[middle, -1]
        for k in range(moments.shape[1] - 1, 0, -1):
            for time in range(exposed.shape[1]):
                series[middle, time] = moments[middle, k - 1] - exposed[middle, time] / k * series[middle, time]
