"""Tests of proportional hazards: does a coefficient change with time? As R's `cox.zph` since `survival` 3.0.

The score test of Grambsch and Therneau (1994) for adding x g(t) to the model, with the whole information matrix of both
x and x g(t), rather than the approximation that earlier versions and lifelines use.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy import stats

from model.survival.errors import FitRefused
from model.survival.risk_sets import BLOCK, Floats, Integers, Outcome
from model.survival.sharing import remembered

if TYPE_CHECKING:
    from model.survival.cox import CoxFit

Transform = Literal["km", "identity", "rank"]
"""g: 1 - Kaplan-Meier just before t, pooled over strata, R's default; t itself; or its rank among all ends."""


@dataclass(frozen=True)
class ScoreTest:
    """A score test: Wald's, of the estimate that one step of Newton's method from no change gives.

    Attributes:
        chi_squared, degrees, p_value: of the test.
        change: that estimate: by how much the coefficients change with g, whose unit is its standard deviation over the
            deaths and the columns' theirs, (degrees,).
        covariance: of `change`, (degrees, degrees).
    """

    chi_squared: float
    degrees: int
    p_value: float
    change: Floats
    covariance: Floats


@dataclass(frozen=True)
class ProportionalHazards:
    """The tests of one model: of each term, of each covariate (all its terms at once), and of all terms."""

    by_term: dict[str, ScoreTest]
    by_covariate: dict[str, ScoreTest]
    overall: ScoreTest


@dataclass(frozen=True)
class ScaledSchoenfeld:
    """Scaled Schoenfeld residuals: what a smooth curve through them shows is the coefficient over time, beta(t).

    Attributes:
        times: of the deaths, years, ascending within strata, (deaths,).
        transformed: g of the times, (deaths,).
        residuals: (deaths, terms): estimate + deaths x naive covariance x Schoenfeld residual.
        terms: names of the columns.
    """

    times: Floats
    transformed: Floats
    residuals: Floats
    terms: tuple[str, ...]


def proportional_hazards(fit: CoxFit, transform: Transform = "km") -> ProportionalHazards:
    """Test proportional hazards.

    With V_k the information of moment k, g_k the transformed time less its mean over the deaths, s_k the sum of the
    (weighted) Schoenfeld residuals: U = sum g_k s_k, I = sum V_k, C = sum g_k V_k, Q = sum g_k^2 V_k. The statistic of
    the terms J is U_J' (Q_JJ - C_J' I^-1 C_J)^-1 U_J, chi-squared with |J| degrees.

    Args:
        fit: a Cox model; where its variance is robust, the tests are not, as in R.
        transform: g.

    Raises:
        FitRefused: the events are at too few times for a coefficient to be seen changing.
    """
    sums, risk_sets = fit.sums, fit.sums.risk_sets
    if (risk_sets.times == risk_sets.times[0]).all():
        raise FitRefused("proportional hazards cannot be tested: all events are at one time")
    of_deaths = _transformed(fit.outcome, transform)[risk_sets.order[risk_sets.dead]]
    # A test does not change with the unit of g; its matrices stay well conditioned.
    centred = (of_deaths - of_deaths.mean()) / of_deaths.std()
    of_moments = centred[np.flatnonzero(np.diff(risk_sets.moment_of_death, prepend=-1))]
    gradient = sums.schoenfeld_sum(of_moments)
    crossed = sums.weighted_information(of_moments)
    squared = sums.weighted_information(of_moments**2)
    variance = squared - crossed @ np.linalg.solve(sums.information, crossed)
    terms = [coefficient.term for coefficient in fit.coefficients]
    covariates = dict.fromkeys(term.covariate for term in terms)
    return ProportionalHazards(
        by_term={term.name: _score_test(gradient, variance, [index]) for index, term in enumerate(terms)},
        by_covariate={
            name: _score_test(gradient, variance, [i for i, term in enumerate(terms) if term.covariate == name])
            for name in covariates
        },
        overall=_score_test(gradient, variance, list(range(len(terms)))),
    )


def scaled_schoenfeld(fit: CoxFit, transform: Transform = "km") -> ScaledSchoenfeld:
    """Residuals to be drawn against time, as R's `cox.zph(terms = FALSE)$y`."""
    risk_sets = fit.sums.risk_sets
    rows = risk_sets.order[risk_sets.dead]
    residuals = (fit.sums.schoenfeld() * fit.spread[:, None]).T
    return ScaledSchoenfeld(
        times=fit.outcome.durations[rows],
        transformed=_transformed(fit.outcome, transform)[rows],
        residuals=fit.beta + fit.events * residuals @ fit.naive_covariance,
        terms=tuple(coefficient.term.name for coefficient in fit.coefficients),
    )


@dataclass(frozen=True)
class Period:
    """A coefficient over one period of follow-up: mean of the scaled Schoenfeld residuals of its deaths.

    Attributes:
        from_years, to_years: times of its first and last death.
        deaths: in it.
        means, errors: of each term, (terms,): the mean, and its standard error; missing (NaN) where all deaths tell the
            same, as one alone does.
    """

    from_years: float
    to_years: float
    deaths: int
    means: Floats
    errors: Floats


def by_period(fit: CoxFit, periods: int) -> list[Period]:
    """The coefficients in periods with about equally many deaths, as means of `scaled_schoenfeld`.

    A period ends with all deaths of its last time: equal times have no order. The residuals of a period are scaled
    together, by their mean and their covariance, and never one by one.
    """
    risk_sets = fit.sums.risk_sets
    times = fit.outcome.durations[risk_sets.order[risk_sets.dead]]
    scale = fit.events * fit.naive_covariance * fit.spread
    # Within a stratum deaths stand in the order of time; over strata they have to be put in it.
    order = np.argsort(times, kind="stable") if fit.strata else None
    of_all = fit.sums.schoenfeld()[:, order] if fit.strata else None
    times = times if order is None else times[order]
    found = []
    for first, beyond in _spans(times, periods):
        total, products = np.zeros(len(fit.beta)), np.zeros((len(fit.beta), len(fit.beta)))
        for start in range(first, beyond, BLOCK):
            some = slice(start, min(start + BLOCK, beyond))
            own = fit.sums.schoenfeld(some) if of_all is None else of_all[:, some]
            total += own.sum(axis=1)
            products += own @ own.T
        deaths = beyond - first
        mean = total / deaths
        spread = np.einsum("ij,jk,ik->i", scale, products / deaths - np.outer(mean, mean), scale)
        # What is left of equal residuals by rounding is no spread.
        some_spread = spread > NO_SPREAD * np.einsum("ij,jk,ik->i", scale, products / deaths, scale)
        errors = np.sqrt(np.where(some_spread, spread, np.nan) / max(deaths - 1, 1))
        found.append(Period(float(times[first]), float(times[beyond - 1]), deaths, fit.beta + scale @ mean, errors))
    return found


NO_SPREAD = 1e-12
"""As a share of the mean square."""


def _spans(times: Floats, periods: int) -> list[tuple[int, int]]:
    """First death of each period and the one after its last; fewer periods where many deaths share a time."""
    wanted = [int(part[-1]) for part in np.array_split(np.arange(len(times)), periods) if len(part)]
    ends = sorted({int(np.searchsorted(times, times[last], side="right")) for last in wanted})
    return list(zip([0, *ends], ends, strict=False))


def _score_test(gradient: Floats, variance: Floats, tested: list[int]) -> ScoreTest:
    part = gradient[tested]
    try:
        covariance = np.asarray(np.linalg.inv(variance[np.ix_(tested, tested)]), dtype=np.float64)
    except np.linalg.LinAlgError:
        raise FitRefused(TOO_FEW_TIMES) from None
    change = covariance @ part
    chi_squared = float(part @ change)
    if not chi_squared >= 0:
        raise FitRefused(TOO_FEW_TIMES)
    return ScoreTest(chi_squared, len(tested), float(stats.chi2.sf(chi_squared, len(tested))), change, covariance)


TOO_FEW_TIMES = "proportional hazards cannot be tested: too few times with events"


def _transformed(outcome: Outcome, transform: Transform) -> Floats:
    """g of each row's end of follow-up, (rows,)."""
    if transform == "identity":
        return outcome.durations
    if transform == "rank":
        return np.asarray(stats.rankdata(outcome.durations), dtype=np.float64)
    return remembered("1 - Kaplan-Meier", (outcome.durations, outcome.events, outcome.entry), lambda: _died(outcome))


def _died(outcome: Outcome) -> Floats:
    """1 - Kaplan-Meier just before each row's end of follow-up, pooled over strata, (rows,)."""
    times, deaths = np.unique(outcome.durations[outcome.events], return_counts=True)
    before = np.sort(outcome.durations)
    at_risk: Integers = len(before) - np.searchsorted(before, times, side="left")
    if outcome.entry is not None:
        entries = np.sort(outcome.entry)
        at_risk = at_risk - (len(entries) - np.searchsorted(entries, times, side="left"))
    survival = np.concatenate([[1.0], np.cumprod(1 - deaths / at_risk)])
    return 1 - survival[np.searchsorted(times, outcome.durations, side="left")]
