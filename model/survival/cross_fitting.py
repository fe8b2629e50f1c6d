"""Predictions for persons from models fitted on other persons only.

Each person belongs to one fold by a hash of the person id, so a person keeps the fold whoever else joins the cohort.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from model.survival.calibration import complementary_log_log
from model.survival.cox import CoxFit, Described, fit_prepared
from model.survival.design import Covariate
from model.survival.errors import FitRefused
from model.survival.fit_columns import FitColumns
from model.survival.leaving_out import learns_of_rows, those_left_out, without
from model.survival.predicted_survival import SurvivalPredictor
from model.survival.prepared import Prepared
from model.survival.risk_sets import Floats, Integers
from model.survival.sharing import FEWEST_ROWS, remembered


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
        log_risk_standard_error, ranked_by (log_risk; with strata log(-log S) at the last horizon), percentile (0 to
        100) and quartile (1 to 4) of it, and `survival_<h>_year` for each horizon, with `_lower` and `_upper` of its
        95 % interval; and `survival_<t>_year` for each of the other times.

    Raises:
        FitRefused: one of the refits was refused, or followed nobody as long as a horizon.
    """
    person_fold = folds_of(frame["person_id"].to_numpy(), folds)
    columns = FitColumns(entry=entry, strata=strata, cluster=cluster, weights=weights, quick=True)
    refits = _Refits(frame, covariates, columns, person_fold, others_of)
    between = [time for time in times_years if time not in horizons_years]
    intervals, points = (horizons_years, between) if detailed else ((), [*horizons_years, *between])
    found: dict[str, Floats] = {}

    def note(name: str, rows: Integers, values: Floats) -> None:
        found.setdefault(name, np.full(len(frame), np.nan))[rows] = values

    for fold in np.unique(person_fold):
        try:
            fit, rows, people = refits.without(int(fold))
            log_risk = people.centred @ fit.beta
            note("log_risk", rows, log_risk)
            if detailed:
                predictor = SurvivalPredictor(fit)
                note("log_risk_standard_error", rows, predictor.log_risk_error(people))
            for horizon in intervals:
                interval, name = predictor.at(people, horizon), survival_column(horizon)
                note(name, rows, interval.survival)
                note(f"{name}_lower", rows, interval.lower)
                note(f"{name}_upper", rows, interval.upper)
            for time in points:
                note(survival_column(time), rows, fit.survival_of(log_risk, people.strata, time))
        except FitRefused as refusal:
            raise FitRefused(f"without fold {fold}: {refusal}") from None
    # Log-risks of different strata leave out how different their baselines are.
    ranked_by = complementary_log_log(found[survival_column(horizons_years[-1])]) if strata else found["log_risk"]
    found["ranked_by"] = ranked_by
    if detailed:
        found |= ranks_of(ranked_by)
    predicted = {"person_id": frame["person_id"].to_numpy(), "fold": person_fold, **found}
    return pd.DataFrame(predicted, index=frame.index, copy=False)


def folds_of(person_ids: NDArray[np.int64], folds: int) -> NDArray[np.int64]:
    """`fold_of` each person, (persons,)."""

    def hashed() -> NDArray[np.int64]:
        return np.array([fold_of(int(person), folds) for person in person_ids], dtype=np.int64)

    return remembered(("folds", folds), (person_ids,), hashed)


@dataclass(frozen=True)
class _Refits:
    """The model of each fold's others, as `cross_fitted_risk` takes its arguments."""

    frame: pd.DataFrame
    covariates: tuple[Covariate, ...]
    columns: FitColumns
    person_fold: Integers
    others_of: Callable[[int], pd.DataFrame] | None

    def without(self, fold: int) -> tuple[CoxFit, Integers, Described]:
        """The fit of the others, and the fold's people: their rows, and how the fit sees them."""
        left_out = remembered(("fold", fold), (self.person_fold,), lambda: self.person_fold == fold)
        if self._whole is not None:
            try:
                fit = fit_prepared(without(self._whole, left_out), quick=True)
                return fit, *those_left_out(self._whole, left_out, fit)
            except FitRefused:
                # The others may lack a level that the whole has: a design of their own says what that means.
                pass
        others = self.frame[~left_out] if self.others_of is None else self.others_of(fold)
        fit = self.columns.fit(others, self.covariates)
        return fit, np.flatnonzero(left_out), fit.described(self.frame[left_out])

    @cached_property
    def _whole(self) -> Prepared | None:
        """Everybody made ready, where that serves all folds and is worth it."""
        if self.others_of is not None or len(self.frame) < FEWEST_ROWS:
            return None
        try:
            whole = self.columns.prepare(self.frame, self.covariates)
        except FitRefused:
            return None
        return None if learns_of_rows(whole.design) else whole


def ranks_of(risk: Floats) -> dict[str, NDArray[Any]]:
    """Percentile (0 to 100) and quartile (1 to 4) of each risk, (persons,) each."""
    ranks = stats.rankdata(risk, method="max")
    persons = max(len(ranks), 1)
    quartile = np.clip(np.ceil(4 * ranks / persons), 1, 4).astype(int)
    return {"percentile": 100.0 * ranks / persons, "quartile": quartile}
