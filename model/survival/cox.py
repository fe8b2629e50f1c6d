"""The Cox proportional-hazards model (Cox 1972), Efron's ties, fitted by lifelines to convergence.

Point estimates, standard errors and log-likelihood agree with other packages to 1e-6 and better (tests); the baseline
hazard is Breslow's; the test of proportional hazards is lifelines' (docs/statistics.md says what that means).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from lifelines import CoxPHFitter
from lifelines.exceptions import ConvergenceError, ConvergenceWarning
from lifelines.statistics import proportional_hazard_test
from scipy import stats

from model.survival.checks import check_before_fitting
from model.survival.design import Covariate, Design, Term
from model.survival.errors import FitRefused
from model.survival.intervals import NORMAL_97_5

TIES = "efron"

TO_CONVERGENCE = {"precision": 1e-20, "r_precision": 0.0, "max_steps": 100}
"""lifelines stops at 1e-7 by default, some 1e-4 short of the estimate; this runs Newton's method to rounding error."""

LARGEST_STANDARD_ERROR = 10.0
"""In log hazard per standard deviation of a column (ours). A likelihood that rises for ever ends beyond it."""

NO_CONVERGENCE = "the fit did not converge: separation or near-collinear covariates"

LIFELINES_GAVE_UP = ("Newton-Raphson", "The log-likelihood is getting suspiciously close to 0")
"""How its warnings begin when the iteration itself went wrong."""

LARGEST_LOG_HAZARD_RATIO = 700.0
"""Whose exponential a double still holds."""


@dataclass(frozen=True)
class Coefficient:
    """One term's estimate; `hazard_ratio` and its 95 % Wald interval are exponentials of the log hazard ratio's."""

    term: Term
    log_hazard_ratio: float
    standard_error: float
    hazard_ratio: float
    ci_lower: float
    ci_upper: float
    z: float
    p_value: float


@dataclass(frozen=True)
class CoxFit:
    """A fitted Cox model.

    Attributes:
        coefficients: one for each term, in the order of the design.
        persons, events: what it was fitted on.
        log_likelihood: partial log-likelihood (Efron) at the estimate.
        aic: -2 log_likelihood + 2 terms.
        warnings: what makes the fit doubtful, in words.
    """

    coefficients: tuple[Coefficient, ...]
    persons: int
    events: int
    log_likelihood: float
    aic: float
    warnings: tuple[str, ...]
    design: Design
    beta: np.ndarray
    centre: np.ndarray
    baseline_times: np.ndarray
    baseline_hazard: np.ndarray
    longest_followup: float
    fitter: CoxPHFitter
    table: pd.DataFrame

    @cached_property
    def concordance(self) -> float:
        """Harrell's C on the persons of the fit (apparent), 0 to 1."""
        return float(self.fitter.concordance_index_)

    @cached_property
    def ph_p_values(self) -> dict[str, float]:
        """P value of the test of proportional hazards, by term.

        Grambsch and Therneau 1994, in the approximation of R's survival before 3.0, rank-transformed time.
        """
        result = proportional_hazard_test(self.fitter, self.table, time_transform="rank")
        names = [coefficient.term.name for coefficient in self.coefficients]
        return dict(zip(names, (float(p) for p in np.atleast_1d(result.p_value)), strict=True))

    def log_risk(self, frame: pd.DataFrame) -> np.ndarray:
        """Linear predictor of each person, centred on the mean of the persons of the fit; (persons,)."""
        return (self.design.matrix(frame) - self.centre) @ self.beta

    def survival(self, frame: pd.DataFrame, horizon_years: float) -> np.ndarray:
        """Probability of each person to be free of the event at `horizon_years`; (persons,), 0 to 1.

        exp(-H0(t) exp(log_risk)) with Breslow's cumulative baseline hazard H0, a right-continuous step function.

        Raises:
            FitRefused: nobody of the fit was followed that long.
        """
        if horizon_years > self.longest_followup:
            raise FitRefused(f"nobody was followed for {horizon_years:g} years")
        steps = np.searchsorted(self.baseline_times, horizon_years, side="right")
        cumulative = self.baseline_hazard[steps - 1] if steps else 0.0
        return np.exp(-cumulative * np.exp(self.log_risk(frame)))


def fit_cox(
    frame: pd.DataFrame, covariates: tuple[Covariate, ...], *, duration: str = "followup_years", event: str = "event"
) -> CoxFit:
    """Fit a Cox model to `frame`, one row a person, complete cases.

    Args:
        frame: holds `duration` (> 0), `event` (bool) and the covariates' columns.
        covariates: the model's covariates.

    Raises:
        FitRefused: the data cannot support the model (`check_before_fitting`), or the likelihood has no maximum.
    """
    durations = frame[duration].to_numpy(dtype=float)
    events = frame[event].to_numpy(dtype=bool)
    if len(frame) == 0:
        raise FitRefused("no persons")
    design = Design(frame, covariates)
    matrix = design.matrix(frame)
    doubts = check_before_fitting(matrix, design.terms, durations, events)
    doubts += [f"nobody has {level}" for level in design.absent_levels]

    # Standardised, because lifelines takes columns of small variance or large mean for hopeless.
    names = [term.name for term in design.terms]
    centre, spread = matrix.mean(axis=0), matrix.std(axis=0)
    table = pd.DataFrame((matrix - centre) / spread, columns=names).assign(_duration=durations, _event=events)
    fitter = _newton(table)
    standardised_errors = fitter.standard_errors_[names].to_numpy()
    beta, errors = fitter.params_[names].to_numpy() / spread, standardised_errors / spread
    _check_maximum(beta, errors, standardised_errors, design.terms)

    times, hazard = breslow_baseline(durations, events, (matrix - centre) @ beta)
    log_likelihood = float(fitter.log_likelihood_)
    return CoxFit(
        coefficients=tuple(
            _coefficient(term, float(b), float(e)) for term, b, e in zip(design.terms, beta, errors, strict=True)
        ),
        persons=len(frame),
        events=int(events.sum()),
        log_likelihood=log_likelihood,
        aic=-2 * log_likelihood + 2 * len(names),
        warnings=tuple(doubts),
        design=design,
        beta=beta,
        centre=centre,
        baseline_times=times,
        baseline_hazard=hazard,
        longest_followup=float(durations.max()),
        fitter=fitter,
        table=table,
    )


def breslow_baseline(durations: np.ndarray, events: np.ndarray, log_risk: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Breslow's cumulative baseline hazard: event times, ascending, and H0 at and after each.

    H0(t) = sum over event times s <= t of deaths(s) / sum over persons at risk at s of exp(log_risk)
    (Breslow, discussion of Cox 1972).
    """
    order = np.argsort(-durations, kind="stable")
    times, first_seen = np.unique(-durations[order], return_index=True)
    last_seen = np.append(first_seen[1:], len(durations)) - 1
    at_risk = np.cumsum(np.exp(log_risk[order]))[last_seen]
    deaths = np.add.reduceat(events[order].astype(float), first_seen)
    times, at_risk, deaths = -times[::-1], at_risk[::-1], deaths[::-1]
    happened = deaths > 0
    return times[happened], np.cumsum(deaths[happened] / at_risk[happened])


def _newton(table: pd.DataFrame) -> CoxPHFitter:
    """Fit, and refuse what Newton's method did not bring to an end.

    lifelines also warns beforehand, of columns that look hopeless to it, such as a level in which everybody died at
    different times; the maximum may exist all the same, and then it is what counts.
    """
    # Where there is no maximum its variance may come out negative; `_check_maximum` then refuses the missing error.
    with warnings.catch_warnings(record=True) as caught, np.errstate(all="ignore"):
        warnings.simplefilter("always", ConvergenceWarning)
        try:
            fitter = CoxPHFitter().fit(
                table, duration_col="_duration", event_col="_event", fit_options=TO_CONVERGENCE.copy()
            )
        except ConvergenceError:
            raise FitRefused(NO_CONVERGENCE) from None
    if any(str(warning.message).startswith(LIFELINES_GAVE_UP) for warning in caught):
        raise FitRefused(NO_CONVERGENCE)
    return fitter


def _check_maximum(
    beta: np.ndarray, errors: np.ndarray, standardised_errors: np.ndarray, terms: tuple[Term, ...]
) -> None:
    """Refuse estimates that Newton's method would have pushed on for ever (monotone likelihood; Heinze 2001)."""
    for term, estimate, error, standardised in zip(terms, beta, errors, standardised_errors, strict=True):
        if not (np.isfinite(estimate) and 0 < standardised <= LARGEST_STANDARD_ERROR):
            raise FitRefused(f"separation: the likelihood has no maximum in {term.name}")
        if abs(estimate) + NORMAL_97_5 * error > LARGEST_LOG_HAZARD_RATIO:
            raise FitRefused(f"the hazard ratio {term.unit} of {term.name} is no finite number: choose another unit")


def _coefficient(term: Term, estimate: float, error: float) -> Coefficient:
    z = estimate / error
    return Coefficient(
        term=term,
        log_hazard_ratio=estimate,
        standard_error=error,
        hazard_ratio=float(np.exp(estimate)),
        ci_lower=float(np.exp(estimate - NORMAL_97_5 * error)),
        ci_upper=float(np.exp(estimate + NORMAL_97_5 * error)),
        z=z,
        p_value=float(2 * stats.norm.sf(abs(z))),
    )
