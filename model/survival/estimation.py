"""Where the partial likelihood has its maximum: lifelines on data of moderate size, Newton's method of ours beyond.

lifelines gets right what it fits (ties, strata, weights; tests), but walks over the times in Python: a million rows
take it minutes, and late entry, for which it goes back to every row at each time, takes minutes from some thousands on.
Newton's method on `PartialLikelihood` takes a second or two for a million; both end at the same maximum, to rounding.
"""

from __future__ import annotations

import warnings
from functools import partial

import numpy as np
import pandas as pd
from lifelines import CoxPHFitter
from lifelines.exceptions import ConvergenceError, ConvergenceWarning, StatisticalWarning

from model.survival.columns import stacked
from model.survival.errors import FitRefused
from model.survival.partial_likelihood import EfronSums, PartialLikelihood
from model.survival.prepared import Followed
from model.survival.risk_sets import Floats, Outcome
from model.survival.sharing import remembered

LIFELINES_ROWS = 5_000
"""Beyond, the fit is by our own Newton's method (ours)."""

TO_CONVERGENCE = {"precision": 1e-20, "r_precision": 0.0, "max_steps": 100}
"""lifelines stops at 1e-7 by default, some 1e-4 short of the estimate; this runs Newton's method to rounding error."""

LIFELINES_GAVE_UP = ("Newton-Raphson", "The log-likelihood is getting suspiciously close to 0")
"""How its warnings begin when the iteration itself went wrong."""

NO_CONVERGENCE = "the fit did not converge: separation or near-collinear covariates"

MOST_STEPS = 50
SMALLEST_STEP = 1e-9
"""In log hazard per standard deviation. A step doubles the correct digits: when one so small is next, all are there."""

NEARLY_THERE = 1e-6
"""In the same unit. After so small a step all digits are there too."""

CLOSE_ENOUGH = 1e-4
"""In the same unit: a hundredth of what the maximum of a sample is uncertain by."""

FARTHEST_START = 3.0
"""In the same unit. A sample with its maximum farther from 0 may have none; Newton's method starts at 0 then (ours)."""

LARGEST_REMAINDER = 1e-12
"""Twice the log-likelihood that another step could still gain; a fit with more to gain has not converged."""


def estimate(
    likelihood: PartialLikelihood, follow_up: Followed, *, near: Floats | None = None, quick: bool = False
) -> EfronSums:
    """The partial likelihood at its maximum.

    Args:
        likelihood: of standardised columns.
        follow_up: of the same rows.
        near: coefficients that are expected to lie near the maximum, (terms,).
        quick: without lifelines, which takes a twentieth of a second for a hundred rows.

    Raises:
        FitRefused: Newton's method did not come to an end, or lifelines gave up.
    """
    outcome = follow_up.outcome
    if quick or len(outcome.durations) > LIFELINES_ROWS or outcome.entry is not None:
        is_near = near is not None and np.abs(near).max() < FARTHEST_START
        return newton(likelihood, near if is_near else _start(likelihood, follow_up))
    columns = follow_up.risk_sets.to_data_order(stacked(likelihood.columns))
    return _checked(likelihood.at(by_lifelines(columns, outcome)))


def newton(likelihood: PartialLikelihood, start: Floats | None = None, *, smallest: float = SMALLEST_STEP) -> EfronSums:
    """Newton's method, halving steps that go too far.

    Args:
        likelihood: of standardised columns.
        start: coefficients it starts from, (terms,); None: 0.
        smallest: a step below it is not worth another pass.

    Raises:
        FitRefused: no maximum within 50 steps.
    """
    here = likelihood.at(np.zeros(len(likelihood.columns)) if start is None else start)
    for _ in range(MOST_STEPS):
        step = _step(here)
        if np.abs(step).max() < smallest:
            # Of few rows the last digits are free; of very many another pass is a tenth of the whole fit.
            return likelihood.at(here.beta + step) if start is None else here
        there = likelihood.at(here.beta + step)
        while there.log_likelihood < here.log_likelihood - 1e-9 * abs(here.log_likelihood):
            step = step / 2
            if np.abs(step).max() < smallest:
                raise FitRefused(NO_CONVERGENCE)
            there = likelihood.at(here.beta + step)
        if start is not None and np.abs(step).max() < NEARLY_THERE:
            return there
        here = there
    raise FitRefused(NO_CONVERGENCE)


def _start(likelihood: PartialLikelihood, follow_up: Followed) -> Floats | None:
    """The maximum of some of very many rows, which two or three steps lie before that of all; None: start at 0."""
    start = None
    for rows, risk_sets in follow_up.samples:
        few = PartialLikelihood.of_sorted(
            [
                remembered(("sample", rows.step), (column,), partial(_some, column, rows))
                for column in likelihood.columns
            ],
            risk_sets,
        )
        try:
            start = newton(few, start, smallest=CLOSE_ENOUGH).beta
        except FitRefused:
            return None
    return start if start is not None and np.abs(start).max() < FARTHEST_START else None


def _some(column: Floats, rows: slice) -> Floats:
    return np.ascontiguousarray(column[rows])


def by_lifelines(columns: Floats, outcome: Outcome) -> Floats:
    """Coefficients of the standardised columns as lifelines estimates them, (terms,).

    lifelines also warns beforehand, of columns that look hopeless to it, such as a level in which everybody died at
    different times; the maximum may exist all the same, and then it is what counts.

    Raises:
        FitRefused: its iteration went wrong.
    """
    table = pd.DataFrame({f"column {index}": column for index, column in enumerate(columns)}).assign(
        duration=outcome.durations, event=outcome.events, stratum=outcome.strata, weight=outcome.weights
    )
    stratified = outcome.strata.any()
    # Where there is no maximum its variance may come out negative; the caller looks at the standard errors itself.
    with warnings.catch_warnings(record=True) as caught, np.errstate(all="ignore"):
        warnings.simplefilter("always", ConvergenceWarning)
        warnings.simplefilter("ignore", StatisticalWarning)
        try:
            fitter = CoxPHFitter().fit(
                table if stratified else table.drop(columns="stratum"),
                duration_col="duration",
                event_col="event",
                strata=["stratum"] if stratified else None,
                weights_col="weight",
                fit_options=TO_CONVERGENCE.copy(),
            )
        except ConvergenceError:
            raise FitRefused(NO_CONVERGENCE) from None
    if any(str(warning.message).startswith(LIFELINES_GAVE_UP) for warning in caught):
        raise FitRefused(NO_CONVERGENCE)
    beta: Floats = fitter.params_.to_numpy(dtype=float)
    return beta


def _checked(at_end: EfronSums) -> EfronSums:
    """Refuse what is no maximum of our own likelihood: the two must agree on what is being maximised."""
    if at_end.score @ _step(at_end) > LARGEST_REMAINDER:
        raise FitRefused(NO_CONVERGENCE)
    return at_end


def _step(here: EfronSums) -> Floats:
    try:
        step: Floats = np.asarray(np.linalg.solve(here.information, here.score), dtype=np.float64)
    except np.linalg.LinAlgError:
        raise FitRefused(NO_CONVERGENCE) from None
    if not np.isfinite(step).all():
        raise FitRefused(NO_CONVERGENCE)
    return step
