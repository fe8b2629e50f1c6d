"""Survival a Cox model predicts for a person, with the interval that tells how well the model knows it.

The cumulative hazard of a person is H(t | x) = H0(t) exp(b'(x - c)). To first order its logarithm has the variance
(Tsiatis 1981; Therneau and Grambsch 2000, section 10.2)

    V(t | x) = A(t) / H0(t)^2 + (x - m(t))' Cov(b) (x - m(t))

with A(t) the sum of d / S0^2 over event times up to t, and m(t) the mean of the covariates over the risk sets, weighted
by the steps of H0. The 95 % interval of S = exp(-H) is S^exp(+-1.96 sqrt(V)), on the log(-log S) scale. It is about the
model's knowledge of a probability: no interval tells what happens to one person.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from model.survival.compiled import compiled
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
        """Take the risk sets' means once, and a root of the covariance: x' Cov(b) x is then the square of a length."""
        self.fit = fit
        self._moments = tuple(_moments(fit, number) for number in range(len(fit.baselines)))
        # Of the correlations, for terms of small units must not lose their digits beside those of large ones.
        errors = np.sqrt(np.diag(fit.covariance))
        squared, axes = np.linalg.eigh(fit.covariance / np.outer(errors, errors))
        self._root = (axes * np.sqrt(np.maximum(squared, 0.0))).T * errors

    def log_risk_error(self, people: Described) -> Floats:
        """Standard error of each person's log-risk, which is centred on the persons of the fit; (persons,)."""
        return self.errors(people, ())[0]

    def errors(self, people: Described, horizons_years: Sequence[float]) -> tuple[Floats, ...]:
        """`log_risk_error`, and then for each horizon the standard error of log(-log S); (persons,) each.

        Before the first event it is 0: survival is certain.
        """
        projected = self._root @ people.centred.T
        found = [_lengths(projected, np.zeros(len(projected)))]
        for horizon in horizons_years:
            error = np.zeros(len(people.strata))
            for number in np.unique(people.strata):
                moments = self._moments[number]
                steps = int(np.searchsorted(moments.times, horizon, side="right"))
                if steps == 0:
                    continue
                baseline = moments.hazard[steps - 1]
                mean = self._root @ (moments.weighted_means[steps - 1] / baseline)
                of_baseline = moments.hazard_variance[steps - 1] / baseline**2
                within = people.strata == number if len(self._moments) > 1 else slice(None)
                apart = _lengths(np.ascontiguousarray(projected[:, within]), mean)
                error[within] = np.sqrt(of_baseline + apart**2)
            found.append(error)
        return tuple(found)

    def at(self, people: Described, horizon_years: float) -> SurvivalInterval:
        """Survival of each person at `horizon_years`, with its interval.

        Raises:
            FitRefused: nobody of a person's stratum was followed that long.
        """
        occurring = np.unique(people.strata)
        hazard = self.fit.cumulative_hazards(occurring, horizon_years)[people.strata]
        exposed = hazard * np.exp(people.centred @ self.fit.beta)
        return interval_of(exposed, self.errors(people, (horizon_years,))[1])


def interval_of(exposed: Floats, error: Floats) -> SurvivalInterval:
    """Survival with its interval from each person's cumulative hazard, and the standard error of its logarithm."""
    stretch = np.exp(NORMAL_97_5 * error)
    return SurvivalInterval(np.exp(-exposed), np.exp(-exposed * stretch), np.exp(-exposed / stretch))


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


@compiled
def _lengths(columns: Floats, start: Floats) -> Floats:
    """Distance of each person from a point; (terms, persons) and (terms,) to (persons,)."""
    total = np.zeros(columns.shape[1])
    for term in range(len(columns)):
        for person in range(len(total)):
            total[person] += (columns[term, person] - start[term]) ** 2
    return np.sqrt(total)
