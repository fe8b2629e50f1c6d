"""The Fine-Gray model: how covariates move the cumulative incidence of one event among competing ones.

Its hazard ratios are of the subdistribution: whoever had another event stays at risk for ever after, weighted by the
probability not to be censored by then. They rank cumulative incidences; for causes, read cause-specific Cox models.
Every sum over a risk set is a running one, so that an iteration is linear in the persons (as in Kawaguchi et al. 2021).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from model.survival.censoring import Floats
from model.survival.checks import check_before_fitting
from model.survival.coefficients import Coefficient, check_maximum, wald_coefficient
from model.survival.competing import OF_INTEREST, OTHER
from model.survival.design import Covariate, Design
from model.survival.errors import FitRefused
from model.survival.estimation import NO_CONVERGENCE
from model.survival.follow_up import at_risk_at, event_codes, step_value, total_at

MOST_STEPS = 50
SMALLEST_STEP = 1e-10
"""Newton's method ends when no standardised coefficient moves by more."""


@dataclass(frozen=True)
class FineGrayFit:
    """A fitted Fine-Gray model; named like a `CoxFit` where it means the same.

    Attributes:
        coefficients: log subdistribution hazard ratios, one for each term, with robust standard errors.
        persons, events, competing_events: what it was fitted on.
        log_likelihood: the weighted pseudo-likelihood's, at the estimate; its differences are no likelihood ratios.
        covariance: (terms, terms), which counts that the censoring distribution was estimated (Fine and Gray 1999).
        baseline_times, baseline_hazard: cumulative subdistribution hazard of a person with log-risk 0.
    """

    coefficients: tuple[Coefficient, ...]
    persons: int
    events: int
    competing_events: int
    log_likelihood: float
    null_log_likelihood: float
    covariance: Floats
    warnings: tuple[str, ...]
    design: Design
    beta: Floats
    centre: Floats
    baseline_times: Floats
    baseline_hazard: Floats
    longest_followup: float

    robust = True

    def log_risk(self, frame: pd.DataFrame) -> Floats:
        """Linear predictor of each person, centred on the mean of the persons of the fit; (persons,)."""
        return self.design.log_risk(frame, self.centre, self.beta)

    def cumulative_incidence(self, frame: pd.DataFrame, horizon_years: float) -> Floats:
        """Probability of each person to have the event of interest by `horizon_years`; (persons,), 0 to 1.

        Raises:
            FitRefused: nobody of the fit was followed that long.
        """
        if horizon_years > self.longest_followup:
            raise FitRefused(f"nobody was followed for {horizon_years:g} years")
        hazard = step_value(self.baseline_times, np.asarray(horizon_years), self.baseline_hazard, 0.0)
        return np.asarray(-np.expm1(-hazard * np.exp(self.log_risk(frame))))


def fit_fine_gray(
    frame: pd.DataFrame,
    covariates: tuple[Covariate, ...],
    *,
    duration: str = "followup_years",
    kind: str = "event_kind",
    of_interest: Any,
) -> FineGrayFit:
    """Fine and Gray 1999, Breslow's ties, as R's `cmprsk::crr`; complete cases, one row a person.

    Args:
        frame: holds `duration` (> 0), `kind` and the covariates' columns.
        covariates: the model's covariates.
        kind: column of what ended the follow-up: names or whole numbers; missing, 0 or "" where censored.
        of_interest: the kind whose incidence is modelled.

    Raises:
        FitRefused: the data cannot support the model (`check_before_fitting`), or there is no estimate.
    """
    if len(frame) == 0:
        raise FitRefused("no persons")
    durations = frame[duration].to_numpy(dtype=float)
    codes = event_codes(frame[kind], of_interest)
    design = Design(frame, covariates)
    matrix = design.matrix(frame)
    doubts = check_before_fitting(matrix, design.terms, durations, codes == OF_INTEREST)
    doubts += [f"nobody has {level}" for level in design.absent_levels]

    centre, spread = matrix.mean(axis=0), matrix.std(axis=0)
    order = np.argsort(durations, kind="stable")
    sums = _RiskSums(durations[order], codes[order], ((matrix - centre) / spread)[order])
    standardised = _newton(sums, len(design.terms))
    covariance = _robust_covariance(sums, standardised)
    standardised_errors = np.sqrt(np.diag(covariance))
    beta, errors = standardised / spread, standardised_errors / spread
    check_maximum(beta, errors, standardised_errors, design.terms)
    return FineGrayFit(
        coefficients=tuple(
            wald_coefficient(term, float(estimate), float(error))
            for term, estimate, error in zip(design.terms, beta, errors, strict=True)
        ),
        persons=len(frame),
        events=int((codes == OF_INTEREST).sum()),
        competing_events=int((codes == OTHER).sum()),
        log_likelihood=sums.at(standardised).log_likelihood,
        null_log_likelihood=sums.at(np.zeros_like(standardised)).log_likelihood,
        covariance=covariance / np.outer(spread, spread),
        warnings=tuple(doubts),
        design=design,
        beta=beta,
        centre=centre,
        baseline_times=sums.times,
        baseline_hazard=np.cumsum(sums.deaths / sums.at(standardised).s0),
        longest_followup=float(durations.max()),
    )


class _RiskSums:
    """Sums over the risk sets of persons sorted by time; a risk set is all who had no event of interest yet.

    Those with another event at T weigh G(t-) / G(T-) at t > T, with G the Kaplan-Meier estimate of not being censored.
    """

    def __init__(self, durations: Floats, codes: NDArray[np.int64], x: Floats) -> None:
        self.durations, self.x = durations, x
        self.died, self.other, self.censored = codes == OF_INTEREST, codes == OTHER, codes == 0
        self.times = np.unique(durations[self.died])
        self.deaths = total_at(self.times, durations[self.died])
        self.first = np.searchsorted(durations, self.times, side="left")
        self.censoring_times = np.unique(durations[self.censored])
        self.censored_then = total_at(self.censoring_times, durations[self.censored])
        self.followed_then = at_risk_at(self.censoring_times, durations)
        self.g = self._uncensored_before(self.times)
        self.inverse_g = np.where(self.other, 1 / self._uncensored_before(durations), 0.0)
        """1 / G(T-) of those who had another event, 0 of everybody else."""

    def _uncensored_before(self, times: Floats) -> Floats:
        survival = np.concatenate([[1.0], np.cumprod(1 - self.censored_then / self.followed_then)])
        steps: Floats = survival[np.searchsorted(self.censoring_times, times, side="left")]
        # Only where everybody left is censored is G zero afterwards, and nobody is followed further.
        return np.where(steps > 0, steps, 1.0)

    def over_risk_sets(self, values: Floats) -> Floats:
        """Weighted sum of `values` ((persons,) or (persons, terms)) over the risk set of each event time."""
        followed = np.zeros((len(values) + 1, *values.shape[1:]))
        followed[:-1] = np.cumsum(values[::-1], axis=0)[::-1]
        return followed[self.first] + _columns(self.g, values) * self.of_others_before(values)[self.first]

    def of_others_before(self, values: Floats) -> Floats:
        """Sum of `values` / G(T-) over those with another event among the first k persons, for k = 0 … persons."""
        passed = np.zeros((len(values) + 1, *values.shape[1:]))
        np.cumsum(_columns(self.inverse_g, values) * values, axis=0, out=passed[1:])
        return passed

    def at(self, beta: Floats) -> _AtBeta:
        return _AtBeta.of(self, beta)


@dataclass(frozen=True)
class _AtBeta:
    """What a step of Newton's method, and the variance, need at a value of beta."""

    theta: Floats
    """exp(log-risk), (persons,)."""
    s0: Floats
    """Sum of theta over each risk set, (times,)."""
    mean: Floats
    """Mean of x over each risk set, (times, terms)."""
    exposure: Floats
    """Cumulative baseline hazard each person was exposed to, after another event with its weight; (persons,)."""
    log_likelihood: float
    score: Floats
    information: Floats

    @classmethod
    def of(cls, sums: _RiskSums, beta: Floats) -> _AtBeta:
        log_risk = sums.x @ beta
        theta = np.exp(log_risk)
        s0 = sums.over_risk_sets(theta)
        mean = sums.over_risk_sets(theta[:, None] * sums.x) / s0[:, None]
        jumps = sums.deaths / s0
        exposure = _exposed(sums, jumps)
        second = (sums.x * (theta * exposure)[:, None]).T @ sums.x
        return cls(
            theta=theta,
            s0=s0,
            mean=mean,
            exposure=exposure,
            log_likelihood=float(log_risk[sums.died].sum() - sums.deaths @ np.log(s0)),
            score=sums.x[sums.died].sum(axis=0) - sums.deaths @ mean,
            information=second - (mean * sums.deaths[:, None]).T @ mean,
        )


def _exposed(sums: _RiskSums, jumps: Floats) -> Floats:
    """For each person, the weighted sum of `jumps` ((times,) or (times, terms)) over the times it was at risk."""
    until_own = np.concatenate([np.zeros_like(jumps[:1]), np.cumsum(jumps, axis=0)])
    weighted = np.concatenate([np.zeros_like(jumps[:1]), np.cumsum(_columns(sums.g, jumps) * jumps, axis=0)])
    own = np.searchsorted(sums.times, sums.durations, side="right")
    return until_own[own] + _columns(sums.inverse_g, jumps) * (weighted[-1] - weighted[own])


def _columns(values: Floats, like: Floats) -> Floats:
    """`values` shaped to multiply the rows of `like`."""
    return values if like.ndim == 1 else values[:, None]


def _newton(sums: _RiskSums, terms: int) -> Floats:
    """From 0, halving steps that go too far."""
    beta = np.zeros(terms)
    with np.errstate(all="ignore"):
        here = sums.at(beta)
        for _ in range(MOST_STEPS):
            step = _step(here)
            there = sums.at(beta + step)
            while not there.log_likelihood >= here.log_likelihood - 1e-9 * abs(here.log_likelihood):
                step = step / 2
                if np.abs(step).max() < SMALLEST_STEP:
                    raise FitRefused(NO_CONVERGENCE)
                there = sums.at(beta + step)
            beta, here = beta + step, there
            if np.abs(step).max() < SMALLEST_STEP:
                return beta
    raise FitRefused(NO_CONVERGENCE)


def _step(here: _AtBeta) -> Floats:
    try:
        step = np.asarray(np.linalg.solve(here.information, here.score), dtype=np.float64)
    except np.linalg.LinAlgError:
        raise FitRefused(NO_CONVERGENCE) from None
    if not np.isfinite(step).all():
        raise FitRefused(NO_CONVERGENCE)
    return step


def _robust_covariance(sums: _RiskSums, beta: Floats) -> Floats:
    """Inverse information, times the sum of squares of each person's eta + psi, times the same (Fine and Gray 1999)."""
    here = sums.at(beta)
    jumps = (sums.deaths / here.s0)[:, None] * here.mean
    eta = -here.theta[:, None] * (sums.x * here.exposure[:, None] - _exposed(sums, jumps))
    at_own = here.mean[np.searchsorted(sums.times, sums.durations[sums.died])]
    eta[sums.died] += sums.x[sums.died] - at_own
    inverse = np.linalg.inv(here.information)
    moved = (eta + _psi(sums, here)) @ inverse
    return np.asarray(moved.T @ moved)


def _psi(sums: _RiskSums, here: _AtBeta) -> Floats:
    """What each person's censoring, or not being censored, adds to the score through the estimate of G."""
    if not len(sums.censoring_times):
        return np.zeros_like(sums.x)
    from_then = np.searchsorted(sums.times, sums.censoring_times, side="left")
    weighted = sums.g * sums.deaths / here.s0
    later_hazard = _sum_from(weighted, from_then)
    later_mean = _sum_from(weighted[:, None] * here.mean, from_then)
    before_then = np.searchsorted(sums.durations, sums.censoring_times, side="left")
    others = sums.of_others_before(here.theta)[before_then]
    others_x = sums.of_others_before(here.theta[:, None] * sums.x)[before_then]
    q = (others_x * later_hazard[:, None] - later_mean * others[:, None]) / sums.followed_then[:, None]
    hazard = (sums.censored_then / sums.followed_then)[:, None]
    compensator = np.concatenate([np.zeros_like(q[:1]), np.cumsum(q * hazard, axis=0)])
    psi = -compensator[np.searchsorted(sums.censoring_times, sums.durations, side="right")]
    psi[sums.censored] += q[np.searchsorted(sums.censoring_times, sums.durations[sums.censored])]
    return psi


def _sum_from(values: Floats, start: NDArray[np.int64]) -> Floats:
    """Sum of `values[k:]` for each k in `start`."""
    tail = np.zeros((len(values) + 1, *values.shape[1:]))
    tail[:-1] = np.cumsum(values[::-1], axis=0)[::-1]
    return tail[start]
