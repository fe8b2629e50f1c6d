"""Decision curves (Vickers and Elkin 2006): what treating by a prediction is worth, at each threshold of risk.

Who is treated at a threshold of 10 % takes one event prevented to be worth nine treatments in vain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.errors import NotComputable
from model.survival.censoring import Floats
from model.survival.follow_up import check_follow_up

THRESHOLDS = tuple(percent / 100 for percent in range(1, 100))


@dataclass(frozen=True)
class NetBenefit:
    """At one threshold, in true positives a person; of treating nobody it is 0 everywhere.

    Attributes:
        threshold: predicted risk from which a person is treated, between 0 and 1.
        treated: share of the persons with at least that risk.
        model: net benefit of treating those; missing where none of them was followed to the horizon.
        treat_all: net benefit of treating everybody.
    """

    threshold: float
    treated: float
    model: float | None
    treat_all: float


def decision_curve(
    durations: Floats,
    events: NDArray[np.bool_],
    predicted_risk: Floats,
    horizon_years: float,
    *,
    thresholds: Sequence[float] = THRESHOLDS,
    entry: Floats | None = None,
) -> list[NetBenefit]:
    """Net benefit under censoring (Vickers et al. 2008): with x the share treated and F their Kaplan-Meier risk,

        x F - x (1 - F) threshold / (1 - threshold)

    Args:
        durations: years of follow-up, (persons,), > 0.
        events: whether it ended with the event, (persons,).
        predicted_risk: probability of the event by the horizon, (persons,), 0 to 1.
        horizon_years: when.
        thresholds: above 0 and below 1.
        entry: when a person came under observation, (persons,); None: at 0.

    Raises:
        NotComputable: no persons, nobody followed to the horizon, predictions that are no probabilities, or a threshold
            of 0 or 1, at which one error outweighs any number of the other.
    """
    check_follow_up(durations, entry)
    if not ((predicted_risk >= 0) & (predicted_risk <= 1)).all():
        raise NotComputable("a predicted risk is missing or outside 0 to 1")
    if not all(0 < threshold < 1 for threshold in thresholds):
        raise NotComputable("a threshold is not between 0 and 1")
    observed = _ObservedRisk(durations, events, horizon_years, entry)
    of_all = observed.of(np.ones(len(durations), dtype=bool))
    if of_all is None:
        raise NotComputable(f"nobody was followed for {horizon_years:g} years")
    curve = []
    for threshold in thresholds:
        treated = predicted_risk >= threshold
        share = float(treated.mean())
        risk = observed.of(treated) if share else 0.0
        odds = threshold / (1 - threshold)
        curve.append(
            NetBenefit(
                threshold=threshold,
                treated=share,
                model=None if risk is None else share * (risk - (1 - risk) * odds),
                treat_all=of_all - (1 - of_all) * odds,
            )
        )
    return curve


class _ObservedRisk:
    """One minus Kaplan-Meier at the horizon, of many subsets of the same persons: what is sorted is sorted once."""

    def __init__(
        self, durations: Floats, events: NDArray[np.bool_], horizon_years: float, entry: Floats | None
    ) -> None:
        self._dies = events & (durations <= horizon_years)
        times = np.unique(durations[self._dies])
        self._moments = len(times)
        # The moments a person is at risk at are those from `first` up to `last`.
        self._last = np.searchsorted(times, durations, side="right")
        self._first = None if entry is None else np.searchsorted(times, entry, side="right")
        self._reaches = durations >= horizon_years

    def of(self, members: NDArray[np.bool_]) -> float | None:
        """Of those members; None where nobody of them was followed to the horizon, and somebody was still alive."""
        moments = self._moments
        leaving = np.bincount(self._last[members], minlength=moments + 1)
        at_risk = int(members.sum()) - np.cumsum(leaving)[:moments]
        if self._first is not None:
            at_risk = (
                at_risk
                - (int(members.sum()) - np.cumsum(np.bincount(self._first[members], minlength=moments + 1)))[:moments]
            )
        deaths = np.bincount(self._last[members & self._dies] - 1, minlength=moments)
        survival = np.prod(1 - np.divide(deaths, at_risk, out=np.zeros(moments), where=deaths > 0))
        if survival > 0 and not self._reaches[members].any():
            return None
        return float(1 - survival)
