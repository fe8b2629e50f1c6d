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
from model.survival.timeline import timeline_of

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
    ascending = sorted(set(thresholds))
    # Who is treated at one threshold is at all lower ones: persons are counted by the highest they reach.
    reached = np.searchsorted(ascending, predicted_risk, side="right")
    of_all, *by_threshold = observed.from_each(reached, len(ascending))
    if of_all is None:
        raise NotComputable(f"nobody was followed for {horizon_years:g} years")
    risks = dict(zip(ascending, by_threshold, strict=True))
    many = len(predicted_risk) - np.cumsum(np.bincount(reached, minlength=len(ascending) + 1))
    shares = {threshold: float(count / len(predicted_risk)) for threshold, count in zip(ascending, many, strict=False)}
    curve = []
    for threshold in thresholds:
        share, risk = shares[threshold], risks[threshold]
        if not share:
            risk = 0.0
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
    """One minus Kaplan-Meier at the horizon, of nested subsets of the same persons, all at once."""

    def __init__(
        self, durations: Floats, events: NDArray[np.bool_], horizon_years: float, entry: Floats | None
    ) -> None:
        timeline = timeline_of(durations, events)
        self._moments = timeline.places_up_to(horizon_years)
        self._dies = events & (timeline.ends < 2 * self._moments)
        # The moments a person is at risk at are those from `first` up to `last`.
        self._last = np.minimum(timeline.ends // 2 + 1, self._moments)
        times = timeline.times[: self._moments]
        self._first = None if entry is None else np.searchsorted(times, entry, side="right")
        self._reaches = durations >= horizon_years

    def from_each(self, reached: NDArray[np.int64], steps: int) -> list[float | None]:
        """Of those who reached at least step 0, 1, ... `steps`; None where nobody of them was followed to the horizon,
        and somebody was still alive.
        """
        by_step = np.argsort(reached.astype(np.min_scalar_type(steps)), kind="stable")
        bounds = np.searchsorted(reached[by_step], np.arange(steps + 2))
        leaving, entered, deaths = np.zeros((3, self._moments + 1), dtype=np.int64)
        anybody = False
        found: list[float | None] = []
        for step in reversed(range(steps + 1)):
            rows = by_step[bounds[step] : bounds[step + 1]]
            leaving += np.bincount(self._last[rows], minlength=self._moments + 1)
            deaths += np.bincount(self._last[rows[self._dies[rows]]] - 1, minlength=self._moments + 1)
            at_risk = leaving.sum() - np.cumsum(leaving)
            if self._first is not None:
                entered += np.bincount(self._first[rows], minlength=self._moments + 1)
                at_risk -= entered.sum() - np.cumsum(entered)
            anybody = anybody or bool(self._reaches[rows].any())
            survival = np.prod(1 - np.divide(deaths, at_risk, out=np.zeros(self._moments + 1), where=deaths > 0))
            found.append(None if survival > 0 and not anybody else float(1 - survival))
        return found[::-1]
