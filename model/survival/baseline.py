"""The baseline hazard of a Cox model, by stratum: Breslow's estimate (1972), and Efron's (1977) as R's `survfit`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from model.survival.partial_likelihood import EfronSums
from model.survival.risk_sets import Floats

Estimator = Literal["breslow", "efron"]


@dataclass(frozen=True)
class Baseline:
    """Cumulative baseline hazard of one stratum: a right-continuous step function, of a person with log-risk 0.

    Attributes:
        stratum: its values of the columns of the strata; empty where the model has none.
        times: at which somebody has the event, ascending, years, (times,).
        breslow, efron: cumulative hazard at and after each time, (times,). They differ under ties only.
        longest_followup: years.
    """

    stratum: tuple[str, ...]
    times: Floats
    breslow: Floats
    efron: Floats
    longest_followup: float

    def cumulative_hazard(self, horizon_years: float, estimator: Estimator = "breslow") -> float:
        """Cumulative hazard from 0 to a horizon."""
        return float(self.cumulative_hazards(np.array([horizon_years]), estimator)[0])

    def cumulative_hazards(self, times_years: Floats, estimator: Estimator = "breslow") -> Floats:
        """Cumulative hazard from 0 to each time, (times,)."""
        steps = np.searchsorted(self.times, times_years, side="right")
        hazard = self.breslow if estimator == "breslow" else self.efron
        return np.append(0.0, hazard)[steps]


def baselines(sums: EfronSums, strata: tuple[tuple[str, ...], ...], longest_followup: Floats) -> tuple[Baseline, ...]:
    """The baseline of each stratum.

    Breslow: H0(t) = sum over event times s <= t of deaths(s) / sum over persons at risk at s of exp(log_risk), both
    weighted. Efron: each death's denominator is that of its slot in the partial likelihood.

    Args:
        sums: the likelihood at the estimate, with the linear predictor centred on the persons of the fit.
        strata: values of each stratum, in the order of their numbers.
        longest_followup: of each stratum, years, (strata,).
    """
    risk_sets = sums.risk_sets
    unit = np.exp(-sums.shift)[risk_sets.moment_stratum]
    breslow = risk_sets.weighted_deaths / sums.at_risk * unit
    efron = sums.increments * unit
    found = []
    for number, stratum in enumerate(strata):
        within = risk_sets.moment_stratum == number
        found.append(
            Baseline(
                stratum=stratum,
                times=risk_sets.times[within],
                breslow=np.cumsum(breslow[within]),
                efron=np.cumsum(efron[within]),
                longest_followup=float(longest_followup[number]),
            )
        )
    return tuple(found)
