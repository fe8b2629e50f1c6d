"""Predictions for persons from models fitted on other persons only.

Each person belongs to one fold by a hash of the person id, so a person keeps the fold whoever else joins the cohort.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from model.survival.cox import fit_cox
from model.survival.design import Covariate
from model.survival.errors import FitRefused
from model.survival.predicted_survival import SurvivalPredictor
from model.survival.sharing import remembered


def fold_of(person_id: int, folds: int) -> int:
    """The fold of a person, 0 to `folds` - 1: SHA-256 of the id, modulo `folds`."""
    return int.from_bytes(hashlib.sha256(str(person_id).encode()).digest()[:8], "big") % folds


def survival_column(horizon_years: float) -> str:
    """Name of the column of predicted survival at a horizon: survival_1_year (`_lower`, `_upper`: its interval)."""
    return f"survival_{horizon_years:g}_year"


def cross_fitted_risk(
    frame: pd.DataFrame,
    covariates: tuple[Covariate, ...],
    *,
    folds: int,
    horizons_years: tuple[float, ...],
    entry: str | None = None,
    strata: tuple[str, ...] = (),
    cluster: str | None = None,
    weights: str | None = None,
    times_years: tuple[float, ...] = (),
    others_of: Callable[[int], pd.DataFrame] | None = None,
    detailed: bool = True,
) -> pd.DataFrame:
    """Predict each person from the model refitted without the person's fold.

    Args:
        frame: one row a person: `person_id`, `followup_years`, `event` and the covariates' columns; with several rows a
            person all of them are of one fold.
        covariates: of the model.
        folds: number of folds, at least 2.
        horizons_years: when to predict survival.
        entry, strata, cluster, weights: columns, as `fit_cox` takes them.
        times_years: when to predict survival besides, without an interval.
        detailed: with standard errors, intervals, percentiles and quartiles; without, what measures need alone.
        others_of: whom a fold's people are predicted from, by number of the fold; None: the others in `frame`.

    Returns:
        One row a person in the order of `frame`: person_id, fold, log_risk (centred on the persons of its fit),
        log_risk_standard_error, percentile (0 to 100), quartile (1 to 4), and `survival_<h>_year` for each horizon,
        with `_lower` and `_upper` of its 95 % interval; and `survival_<t>_year` for each of the other times.

    Raises:
        FitRefused: one of the refits was refused, or followed nobody as long as a horizon.
    """
    person_fold = folds_of(frame["person_id"].to_numpy(), folds)
    names = [survival_column(horizon) for horizon in horizons_years]
    between = [time for time in times_years if time not in horizons_years]
    ends = ("", "_lower", "_upper") if detailed else ("",)
    columns = ["log_risk", *(["log_risk_standard_error"] if detailed else [])]
    columns += [f"{name}{end}" for name in names for end in ends] + list(map(survival_column, between))
    found = {name: np.full(len(frame), np.nan) for name in columns}
    for fold in np.unique(person_fold):
        rows, people, rest = _split(frame, person_fold, int(fold))
        others = rest if others_of is None else others_of(int(fold))
        try:
            fit = fit_cox(others, covariates, entry=entry, strata=strata, cluster=cluster, weights=weights, quick=True)
            log_risk, numbers = fit.log_risk(people), fit.stratum_numbers(people)
            found["log_risk"][rows] = log_risk
            for time in between if detailed else [*horizons_years, *between]:
                found[survival_column(time)][rows] = fit.survival_of(log_risk, numbers, time)
            if detailed:
                predictor = SurvivalPredictor(fit)
                found["log_risk_standard_error"][rows] = predictor.log_risk_error(people)
                for name, horizon in zip(names, horizons_years, strict=True):
                    interval = predictor.at(people, horizon)
                    found[name][rows] = interval.survival
                    found[f"{name}_lower"][rows], found[f"{name}_upper"][rows] = interval.lower, interval.upper
        except FitRefused as refusal:
            raise FitRefused(f"without fold {fold}: {refusal}") from None
    predicted = pd.DataFrame(
        {"person_id": frame["person_id"].to_numpy(), "fold": person_fold, **found}, index=frame.index, copy=False
    )
    return ranked(predicted) if detailed else predicted


def folds_of(person_ids: NDArray[np.int64], folds: int) -> NDArray[np.int64]:
    """`fold_of` each person, (persons,)."""

    def hashed() -> NDArray[np.int64]:
        return np.array([fold_of(int(person), folds) for person in person_ids], dtype=np.int64)

    return remembered(("folds", folds), (person_ids,), hashed)


def _split(
    frame: pd.DataFrame, person_fold: NDArray[np.int64], fold: int
) -> tuple[NDArray[np.int64], pd.DataFrame, pd.DataFrame]:
    """Row numbers of a fold's people, their rows, and those of the others."""

    def taken() -> tuple[NDArray[np.int64], pd.DataFrame, pd.DataFrame]:
        left_out = person_fold == fold
        return np.flatnonzero(left_out), frame[left_out], frame[~left_out]

    # The same people may come with further columns: it is all of them that must be the same.
    columns = tuple(frame[name].to_numpy() for name in frame.columns)
    return remembered(("fold", fold), (person_fold, *columns), taken)


def ranked(predicted: pd.DataFrame) -> pd.DataFrame:
    """The same predictions with percentile and quartile of their log-risk."""
    ranks = stats.rankdata(predicted["log_risk"], method="max")
    persons = max(len(ranks), 1)
    quartile = np.clip(np.ceil(4 * ranks / persons), 1, 4).astype(int)
    return predicted.assign(percentile=100.0 * ranks / persons, quartile=quartile)
