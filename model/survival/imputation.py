"""Multiple imputation by chained equations (van Buuren and Groothuis-Oudshoorn 2011) of covariates of a survival model.

What is missing is drawn from what is known of the person, several times over, so that the spread between the completed
data sets says how much was not known. The predictors hold the event indicator and the Nelson-Aalen estimate of the
cumulative hazard at the person's own time (White and Royston 2009): without the outcome among them, imputed values
would be unrelated to it, and hazard ratios too small. Right if values are missing at random given what the frame holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from model.errors import NotComputable
from model.survival.censoring import Floats
from model.survival.follow_up import at_risk_at, check_follow_up, step_value, total_at

CYCLES = 10
"""Times each column is imputed anew given the others, before a data set is kept."""

DONORS = 5
"""Persons of like prediction a missing number is drawn from (as R's `mice`; Morris, White and Royston 2014)."""

RIDGE = 1e-5
"""Added to the diagonal of a standardised regression's normal equations, as a share of it."""

FEWEST_KNOWN = 10
"""A column known of fewer persons is not imputed (ours)."""


@dataclass(frozen=True)
class Imputed:
    """A column to be completed: numbers, or levels.

    Numbers are drawn from persons of like prediction (predictive mean matching: Little 1988), so that an imputed value
    is always one that occurs; levels from a multinomial logistic regression.
    """

    column: str
    kind: Literal["number", "level"]


@dataclass(frozen=True)
class Missingness:
    """How much of a column is missing."""

    column: str
    missing: int
    share: float


def missingness(frame: pd.DataFrame, columns: Sequence[str]) -> list[Missingness]:
    """How much is missing of each of `columns`, in that order."""
    absent = [int(frame[column].isna().sum()) for column in columns]
    return [
        Missingness(column, count, count / len(frame) if len(frame) else 0.0)
        for column, count in zip(columns, absent, strict=True)
    ]


def impute(
    frame: pd.DataFrame,
    imputed: Sequence[Imputed],
    *,
    repeats: int = 20,
    seed: int = 20260301,
    predictors: Sequence[Imputed] = (),
    duration: str = "followup_years",
    event: str = "event",
    entry: str | None = None,
    cycles: int = CYCLES,
    knows_outcome: bool = True,
) -> list[pd.DataFrame]:
    """Complete a frame several times.

    Args:
        frame: one row a person, with `duration` (> 0) and `event` known of all.
        imputed: the columns of the analysis; whichever of them have values missing are completed, by all others.
        repeats: how many completed frames; at least the percentage of persons with something missing (White, Royston
            and Wood 2011).
        seed: the same seed gives the same values to the bit, and the k-th frame does not depend on `repeats`.
        predictors: further columns, complete, that help to predict but are not in the analysis.
        duration, event, entry: columns of follow-up.
        cycles: of the chain.
        knows_outcome: whether survival is among the predictors; where survival is to be predicted, it must not be.

    Returns:
        Copies of `frame` without missing values in `imputed`; rows and their order are the same.

    Raises:
        NotComputable: follow-up that makes no sense, a column known of too few persons, or a predictor with gaps.
    """
    durations, events = frame[duration].to_numpy(float), frame[event].to_numpy(bool)
    entries = None if entry is None else frame[entry].to_numpy(float)
    check_follow_up(durations, entries)
    gaps = {each.column: frame[each.column].isna().to_numpy() for each in imputed}
    for each in imputed:
        if (known := int((~gaps[each.column]).sum())) < FEWEST_KNOWN:
            raise NotComputable(f"{each.column} is known of {known} persons only")
    if incomplete := [each.column for each in predictors if frame[each.column].isna().any()]:
        raise NotComputable(f"{incomplete[0]} has gaps, and cannot help to fill others")
    outcome = np.empty((len(frame), 0))
    if knows_outcome:
        outcome = np.column_stack([events, nelson_aalen(durations, events, entries)])
    # The column with the fewest gaps first, as it is predicted from the most.
    order = sorted((each for each in imputed if gaps[each.column].any()), key=lambda each: gaps[each.column].sum())
    completed = []
    for number in range(repeats):
        rng = np.random.default_rng((seed, number))
        chain = _Chain(frame, [*imputed, *predictors], gaps, outcome, rng)
        for _ in range(cycles if order else 0):
            for each in order:
                chain.draw(each)
        completed.append(frame.assign(**{each.column: chain.values[each.column] for each in order}))
    return completed


def nelson_aalen(durations: Floats, events: NDArray[np.bool_], entry: Floats | None = None) -> Floats:
    """Each person's cumulative hazard at the end of follow-up: sum of d / n up to then (Nelson 1969; Aalen 1978)."""
    times = np.unique(durations[events])
    hazard = np.cumsum(total_at(times, durations[events]) / at_risk_at(times, durations, entry))
    return step_value(times, durations, hazard, 0.0)


class _Chain:
    """One completed data set on its way: the values as they stand, and how a column is drawn given the others."""

    def __init__(
        self,
        frame: pd.DataFrame,
        columns: Sequence[Imputed],
        gaps: dict[str, NDArray[np.bool_]],
        outcome: Floats,
        rng: np.random.Generator,
    ) -> None:
        self._gaps, self._outcome, self._rng = gaps, outcome, rng
        self.values: dict[str, NDArray[np.generic]] = {}
        self._known_levels: dict[str, NDArray[np.generic]] = {}
        for each in columns:
            missing = frame[each.column].isna().to_numpy()
            values = frame[each.column].to_numpy(dtype=float if each.kind == "number" else object).copy()
            if each.kind == "level":
                self._known_levels[each.column] = np.unique(values[~missing].astype(str))
                values[~missing] = values[~missing].astype(str)
            # A first guess to start the chain from: somebody else's value.
            values[missing] = rng.choice(values[~missing], size=int(missing.sum()))
            self.values[each.column] = values
        self._columns = columns

    def draw(self, each: Imputed) -> None:
        """Draw the missing values of one column, given the present values of all others."""
        missing = self._gaps[each.column]
        x = self._predictors(each.column)
        values = self.values[each.column]
        if each.kind == "number":
            values[missing] = _matched(x[~missing], values[~missing].astype(float), x[missing], self._rng)
        else:
            levels = self._known_levels[each.column]
            code = np.searchsorted(levels, values[~missing].astype(str))
            values[missing] = levels[_drawn_levels(x[~missing], code, x[missing], len(levels), self._rng)].astype(
                object
            )

    def _predictors(self, target: str) -> Floats:
        """Outcome and the other columns as a standardised matrix with a constant, (persons, terms)."""
        blocks = [self._outcome]
        for each in self._columns:
            if each.column == target:
                continue
            values = self.values[each.column]
            if each.kind == "number":
                blocks.append(values.astype(float)[:, None])
            else:
                blocks.append((values.astype(str)[:, None] == self._known_levels[each.column][1:]).astype(float))
        matrix = np.column_stack(blocks)
        spread = matrix.std(axis=0)
        varies = spread > 0
        standardised = (matrix[:, varies] - matrix[:, varies].mean(axis=0)) / spread[varies]
        return np.column_stack([np.ones(len(matrix)), standardised])


def _matched(x: Floats, y: Floats, x_missing: Floats, rng: np.random.Generator) -> Floats:
    """Predictive mean matching, type 1: predictions of the known by the estimate, of the missing by a draw of it."""
    normal = x.T @ x
    normal[np.diag_indices_from(normal)] *= 1 + RIDGE
    estimate = np.linalg.solve(normal, x.T @ y)
    residual = y - x @ estimate
    freedom = max(len(y) - x.shape[1], 1)
    variance = residual @ residual / rng.chisquare(freedom)
    root = np.linalg.cholesky(np.linalg.inv(normal))
    drawn = estimate + np.sqrt(variance) * (root @ rng.standard_normal(x.shape[1]))
    known = x @ estimate
    order = np.argsort(known, kind="stable")
    return y[order][_donors(known[order], x_missing @ drawn, rng)]


def _donors(ascending: Floats, wanted: Floats, rng: np.random.Generator) -> NDArray[np.int64]:
    """For each wanted value, one of the nearest `DONORS` of the ascending ones, at random."""
    count = min(DONORS, len(ascending))
    low = np.searchsorted(ascending, wanted)
    # The window of the nearest starts at one of the `count` + 1 places around where the value would stand.
    places = np.clip(low[:, None] - count + np.arange(count + 1), 0, len(ascending) - count)
    reach = np.maximum(wanted[:, None] - ascending[places], ascending[places + count - 1] - wanted[:, None])
    start = places[np.arange(len(wanted)), reach.argmin(axis=1)]
    return np.asarray(start + rng.integers(count, size=len(wanted)))


def _drawn_levels(
    x: Floats, code: NDArray[np.int64], x_missing: Floats, levels: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Draw levels from a multinomial logistic regression, its coefficients drawn about their estimate."""
    terms = x.shape[1]
    estimate, information = _multinomial(x, code, levels)
    root = np.linalg.cholesky(np.linalg.inv(information))
    drawn = estimate + (root @ rng.standard_normal(len(root))).reshape(levels - 1, terms)
    cumulative = np.cumsum(_probabilities(x_missing, drawn), axis=1)
    chosen = (rng.random((len(x_missing), 1)) > cumulative).sum(axis=1)
    return np.minimum(chosen, levels - 1)


def _multinomial(x: Floats, code: NDArray[np.int64], levels: int) -> tuple[Floats, Floats]:
    """Coefficients against level 0, (levels - 1, terms), and their information; a weak normal prior keeps them finite.

    The prior (variance 100 per standard deviation) says next to nothing where there is an estimate, and where a level
    is separated from the others it is what makes one (as White, Daniel and Royston 2010 ask for).
    """
    terms = x.shape[1]
    observed = (code[:, None] == np.arange(1, levels)).astype(float)
    precision = np.full((levels - 1) * terms, 0.01)
    beta = np.zeros((levels - 1, terms))
    information = np.diag(precision)
    for _ in range(25):
        fitted = _probabilities(x, beta)[:, 1:]
        score = ((observed - fitted).T @ x).ravel() - precision * beta.ravel()
        information = np.diag(precision)
        for one in range(levels - 1):
            for other in range(levels - 1):
                weight = fitted[:, one] * ((one == other) - fitted[:, other])
                block = np.s_[one * terms : (one + 1) * terms, other * terms : (other + 1) * terms]
                information[block] += (x * weight[:, None]).T @ x
        step = np.linalg.solve(information, score)
        beta = beta + np.clip(step, -5, 5).reshape(beta.shape)
        if np.abs(step).max() < 1e-8:
            break
    return beta, information


def _probabilities(x: Floats, beta: Floats) -> Floats:
    """Probability of each level, (persons, levels)."""
    return np.asarray(special.softmax(np.column_stack([np.zeros(len(x)), x @ beta.T]), axis=1))
