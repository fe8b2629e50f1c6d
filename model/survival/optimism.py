"""How much of a model's performance is its own fitting: Harrell's bootstrap (Harrell, Lee and Mark 1996).

In each draw persons are drawn with replacement, the whole model is refitted on them, cut points and all, and measured
on them and on the persons they were drawn from; by how much it does better on its own persons is the optimism.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from model.errors import NotComputable
from model.survival.bootstrap import LARGEST_SHARE_WITHOUT_NUMBER, People, Resampling
from model.survival.calibration import slope_of
from model.survival.design import Covariate
from model.survival.errors import FitRefused
from model.survival.fit_columns import FOLLOW_UP, FitColumns
from model.survival.fitted_concordance import fitted_concordance
from model.survival.mapping import REFIT, mapped_in_chunks
from model.survival.risk_sets import Floats, Outcome
from model.survival.strata import Strata

RESAMPLING = Resampling(repeats=100, largest=5_000)
"""Of more than 5,000 persons each draw takes 5,000, and the optimism of so many is scaled to all: it goes as one over
the number of persons, once a model tells anything at all."""


@dataclass(frozen=True)
class Draw:
    """One draw's model, on the persons drawn and on those it was drawn from; the slope on its own persons is 1."""

    c_own: float
    c_original: float
    slope_original: float


@dataclass(frozen=True)
class Optimism:
    """What the model seems to do, and what it would do among other persons like these.

    Attributes:
        apparent_c: Harrell's C on the persons of the fit.
        c_optimism: what is subtracted from it.
        corrected_slope: of predictions among others; below 1, they are too extreme. The apparent slope is 1.
        draws: how many it is the mean of; refitting may be refused in some.
    """

    apparent_c: float
    c_optimism: float
    corrected_c: float
    corrected_slope: float
    draws: int


def optimism(
    frame: pd.DataFrame,
    covariates: tuple[Covariate, ...],
    *,
    columns: FitColumns = FOLLOW_UP,
    person: str | None = None,
    resampling: Resampling = RESAMPLING,
) -> Optimism:
    """Concordance and slope of a Cox model, corrected for optimism.

    Args:
        frame: complete cases.
        covariates: of the model.
        columns: what the model is fitted by.
        person: column of whose row it is, where a person has several; all are drawn together.
        resampling: how many draws, and of at most how many persons.

    Raises:
        FitRefused: the model itself cannot be fitted.
        NotComputable: more than 5 % of the draws could not be refitted.
    """
    fit = replace(columns, quick=True).fit_once(frame, covariates)
    numbers = range(resampling.repeats)
    drawn = draws(frame, covariates, numbers, columns=columns, person=person, resampling=resampling, near=fit.estimates)
    persons = len(frame) if person is None else frame[person].nunique()
    return summary_of(fit.concordance, drawn, persons=persons, resampling=resampling)


def draws(
    frame: pd.DataFrame,
    covariates: tuple[Covariate, ...],
    numbers: Iterable[int],
    *,
    columns: FitColumns = FOLLOW_UP,
    person: str | None = None,
    resampling: Resampling = RESAMPLING,
    near: Mapping[str, float] | None = None,
) -> list[Draw]:
    """The draws of these numbers; each depends on its number and the seed alone, so they can be made anywhere.

    Args: as `optimism`; near: `estimates` of the model itself, where refits start.

    Returns:
        A draw for each number whose refit was not refused.
    """
    whose = np.arange(len(frame)) if person is None else np.unique(frame[person], return_inverse=True)[1]
    everybody = _Everybody(
        values={name: frame[name].to_numpy() for name in columns.needed(covariates)},
        people=People(whose),
        resampling=resampling,
    )
    size, pieces = resampling.drawn(everybody.people.count), list(numbers)
    drawn = mapped_in_chunks(
        partial(_draw, everybody, covariates, replace(columns, quick=True), near),
        pieces,
        size=REFIT * size * len(pieces),
    )
    return [draw for draw in drawn if draw is not None]


@dataclass(frozen=True)
class _Everybody:
    """Whom each draw takes some of: their columns, and whose rows are whose."""

    values: Mapping[str, NDArray[Any]]
    people: People
    resampling: Resampling

    def drawn(self, number: int) -> tuple[pd.DataFrame, pd.DataFrame]:
        """The persons that are drawn from, and those drawn."""
        count = self.people.count
        size = self.resampling.drawn(count)
        rng = np.random.default_rng((self.resampling.seed, number))
        chosen = np.arange(size) if size == count else rng.choice(count, size, replace=False)
        rows = self.people.rows_of(chosen)
        # Among few rows, which are near each other in memory, the second drawing is quick.
        own = People(np.repeat(np.arange(size), self.people.rows_each(chosen))).rows_of(rng.integers(size, size=size))
        originals = {name: np.take(values, rows) for name, values in self.values.items()}
        return (
            pd.DataFrame(originals, copy=False),
            pd.DataFrame({name: np.take(values, own) for name, values in originals.items()}, copy=False),
        )


def _draw(
    everybody: _Everybody,
    covariates: tuple[Covariate, ...],
    columns: FitColumns,
    near: Mapping[str, float] | None,
    number: int,
) -> Draw | None:
    """The draw of a number; None where the model is refused."""
    originals, own = everybody.drawn(number)
    try:
        fit = columns.fit(own, covariates, near=near)
        log_risk = fit.log_risk(originals)
        predicted = originals.copy(deep=False)
        predicted[_LOG_RISK] = log_risk
        return Draw(
            c_own=fit.concordance,
            c_original=_concordance(log_risk, originals, columns),
            slope_original=slope_of(
                predicted,
                log_risk=_LOG_RISK,
                duration=columns.duration,
                event=columns.event,
                entry=columns.entry,
                strata=columns.strata,
            ).slope,
        )
    except (FitRefused, NotComputable):
        return None


def summary_of(apparent_c: float, drawn: list[Draw], *, persons: int, resampling: Resampling) -> Optimism:
    """The mean of the draws, subtracted from what the model seems to do.

    Args:
        apparent_c: Harrell's C on the persons of the fit.
        drawn: what `draws` found.
        persons: how many there are.
        resampling: how the draws were made.

    Raises:
        NotComputable: more than 5 % of the draws could not be refitted.
    """
    if len(drawn) < max(1.0, (1 - LARGEST_SHARE_WITHOUT_NUMBER) * resampling.repeats):
        raise NotComputable(f"{resampling.repeats - len(drawn)} of {resampling.repeats} refits were refused")
    share = resampling.shrinkage(persons) ** 2
    of_c = share * float(np.mean([draw.c_own - draw.c_original for draw in drawn]))
    of_slope = share * float(np.mean([1 - draw.slope_original for draw in drawn]))
    return Optimism(
        apparent_c=apparent_c,
        c_optimism=of_c,
        corrected_c=apparent_c - of_c,
        corrected_slope=1 - of_slope,
        draws=len(drawn),
    )


_LOG_RISK = "_log_risk"


def _concordance(log_risk: Floats, frame: pd.DataFrame, columns: FitColumns) -> float:
    """Harrell's C of a model on other persons than its own, within its strata."""
    outcome = Outcome(
        durations=frame[columns.duration].to_numpy(float),
        events=frame[columns.event].to_numpy(bool),
        strata=Strata.of(frame, columns.strata).numbers(frame),
        weights=np.ones(len(frame)),
        entry=None if columns.entry is None else frame[columns.entry].to_numpy(float),
    )
    # As `CoxFit.concordance`: equal persons must count as tied, whatever order their log-risks were added up in.
    return fitted_concordance(outcome, np.round(log_risk, 10))
