"""Predictions for persons from models fitted on other persons only.

Each person belongs to one fold by a hash of the person id, so a person keeps the fold whoever else joins the cohort.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy import stats

from model.survival.cox import fit_cox
from model.survival.design import Covariate
from model.survival.errors import FitRefused
from model.survival.predicted_survival import SurvivalPredictor


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
        others_of: whom a fold's people are predicted from, by number of the fold; None: the others in `frame`.

    Returns:
        One row a person in the order of `frame`: person_id, fold, log_risk (centred on the persons of its fit),
        log_risk_standard_error, percentile (0 to 100), quartile (1 to 4), and `survival_<h>_year` for each horizon,
        with `_lower` and `_upper` of its 95 % interval; and `survival_<t>_year` for each of the other times.

    Raises:
        FitRefused: one of the refits was refused, or followed nobody as long as a horizon.
    """
    person_fold = np.array([fold_of(int(person), folds) for person in frame["person_id"]], dtype=int)
    predicted = pd.DataFrame({"person_id": frame["person_id"].to_numpy(), "fold": person_fold}, index=frame.index)
    names = [survival_column(horizon) for horizon in horizons_years]
    with_interval = [f"{name}{end}" for name in names for end in ("", "_lower", "_upper")]
    between = [time for time in times_years if time not in horizons_years]
    columns = ["log_risk", "log_risk_standard_error", *with_interval, *map(survival_column, between)]
    predicted = predicted.reindex(columns=[*predicted.columns, *columns])
    for fold in np.unique(person_fold):
        left_out = person_fold == fold
        people = frame[left_out]
        others = frame[~left_out] if others_of is None else others_of(int(fold))
        try:
            fit = fit_cox(others, covariates, entry=entry, strata=strata, cluster=cluster, weights=weights, quick=True)
            predictor = SurvivalPredictor(fit)
            predicted.loc[left_out, "log_risk"] = fit.log_risk(people)
            predicted.loc[left_out, "log_risk_standard_error"] = predictor.log_risk_error(people)
            for name, horizon in zip(names, horizons_years, strict=True):
                found = predictor.at(people, horizon)
                predicted.loc[left_out, [name, f"{name}_lower", f"{name}_upper"]] = np.column_stack(
                    [found.survival, found.lower, found.upper]
                )
            for time in between:
                predicted.loc[left_out, survival_column(time)] = fit.survival(people, time)
        except FitRefused as refusal:
            raise FitRefused(f"without fold {fold}: {refusal}") from None
    return ranked(predicted)


def ranked(predicted: pd.DataFrame) -> pd.DataFrame:
    """The same predictions with percentile and quartile of their log-risk."""
    ranks = stats.rankdata(predicted["log_risk"], method="max")
    persons = max(len(ranks), 1)
    quartile = np.clip(np.ceil(4 * ranks / persons), 1, 4).astype(int)
    return predicted.assign(percentile=100.0 * ranks / persons, quartile=quartile)
