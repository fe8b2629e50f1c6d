"""Survival a Cox model predicts for a person, with the interval that tells how well the model knows it.

The cumulative hazard of a person is H(t | x) = H0(t) exp(b'(x - c)). To first order its logarithm has the variance
(Tsiatis 1981; Therneau and Grambsch 2000, section 10.2)

    V(t | x) = A(t) / H0(t)^2 + (x - m(t))' Cov(b) (x - m(t))

with A(t) the sum of d / S0^2 over event times up to t, and m(t) the mean of the covariates over the risk sets, weighted
by the steps of H0. The 95 % interval of S = exp(-H) is S^exp(+-1.96 sqrt(V)), on the log(-log S) scale. It is about the
model's knowledge of a probability: no interval tells what happens to one person.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from model.survival.cox import CoxFit, Described
from model.survival.intervals import NORMAL_97_5
from model.survival.risk_sets import Floats


@dataclass(frozen=True)
class SurvivalInterval:
    """Probability of each person to be free of the event at one time, 0 to 1, and its 95 % interval; (persons,)."""

    survival: Floats
    lower: Floats
    upper: Floats


@dataclass(frozen=True)
class _Moments:
    """What one stratum's baseline adds to the variance: steps at its event times, (times,) and (times, terms)."""

    times: Floats
    hazard: Floats
    hazard_variance: Floats
    weighted_means: Floats


class SurvivalPredictor:
    """Predicts survival with intervals from a fitted model, of persons as it sees them (`CoxFit.described`)."""

    def __init__(self, fit: CoxFit) -> None:
        """Take the risk sets' means once; every prediction then costs one product."""
        self.fit = fit
        self._moments = tuple(_moments(fit, number) for number in range(len(fit.baselines)))

    def log_risk_error(self, people: Described) -> Floats:
        """Standard error of each person's log-risk, which is centred on the persons of the fit; (persons,)."""
        return _root_of_form(people.centred, self.fit.covariance)

    def at(self, people: Described, horizon_years: float) -> SurvivalInterval:
        """Survival of each person at `horizon_years`, with its interval.

        Raises:
            FitRefused: nobody of a person's stratum was followed that long.
        """
        centred, numbers = people.centred, people.strata
        survival = self.fit.survival_of(centred @ self.fit.beta, numbers, horizon_years)
        error = np.zeros(len(numbers))
        for number in np.unique(numbers):
            moments = self._moments[number]
            steps = int(np.searchsorted(moments.times, horizon_years, side="right"))
            if steps == 0:
                continue
            baseline = moments.hazard[steps - 1]
            apart = centred[numbers == number] - moments.weighted_means[steps - 1] / baseline
            of_baseline = moments.hazard_variance[steps - 1] / baseline**2
            error[numbers == number] = np.sqrt(of_baseline + _root_of_form(apart, self.fit.covariance) ** 2)
        stretch = np.exp(NORMAL_97_5 * error)
        return SurvivalInterval(survival=survival, lower=survival**stretch, upper=survival ** (1 / stretch))


def _moments(fit: CoxFit, number: int) -> _Moments:
    """Of one stratum."""
    sums, risk_sets = fit.sums, fit.sums.risk_sets
    within = risk_sets.moment_stratum == number
    # The likelihood's predictor is that of the centred columns, less the stratum's shift.
    s0 = sums.at_risk[within] * np.exp(sums.shift[number])
    means = (sums.means[:, within] * fit.spread[:, None]).T
    deaths = risk_sets.weighted_deaths[within]
    steps = deaths / s0
    return _Moments(
        times=risk_sets.times[within],
        hazard=np.cumsum(steps),
        hazard_variance=np.cumsum(deaths / s0**2),
        weighted_means=np.cumsum(means * steps[:, None], axis=0),
    )


def _root_of_form(vectors: Floats, covariance: Floats) -> Floats:
    """Square root of v' C v of each row v; (rows,)."""
    root: Floats = np.sqrt(((vectors @ covariance) * vectors).sum(axis=1))
    return root
