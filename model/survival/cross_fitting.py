"""Predictions for persons from models fitted on other persons only.

Each person belongs to one fold by a hash of the person id, so a person keeps the fold whoever else joins the cohort.
"""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd
from scipy import stats

from model.survival.cox import fit_cox
from model.survival.design import Covariate
from model.survival.errors import FitRefused


def fold_of(person_id: int, folds: int) -> int:
    """The fold of a person, 0 to `folds` - 1: SHA-256 of the id, modulo `folds`."""
    return int.from_bytes(hashlib.sha256(str(person_id).encode()).digest()[:8], "big") % folds


def cross_fitted_risk(
    frame: pd.DataFrame, covariates: tuple[Covariate, ...], *, folds: int, horizons_years: tuple[float, ...]
) -> pd.DataFrame:
    """Predict each person from the model refitted without the person's fold.

    Args:
        frame: one row a person: `person_id`, `followup_years`, `event` and the covariates' columns.
        folds: number of folds, at least 2.
        horizons_years: when to predict survival.

    Returns:
        One row a person in the order of `frame`: person_id, fold, log_risk (centred on the persons of its fit),
        percentile (0 to 100), quartile (1 to 4), and `survival_<h>_year` for each horizon.

    Raises:
        FitRefused: one of the refits was refused, or followed nobody as long as a horizon.
    """
    person_fold = np.array([fold_of(int(person), folds) for person in frame["person_id"]], dtype=int)
    predicted = pd.DataFrame({"person_id": frame["person_id"].to_numpy(), "fold": person_fold}, index=frame.index)
    names = [f"survival_{horizon:g}_year" for horizon in horizons_years]
    predicted[["log_risk", *names]] = np.nan
    for fold in np.unique(person_fold):
        left_out = person_fold == fold
        try:
            fit = fit_cox(frame[~left_out], covariates)
            predicted.loc[left_out, "log_risk"] = fit.log_risk(frame[left_out])
            for name, horizon in zip(names, horizons_years, strict=True):
                predicted.loc[left_out, name] = fit.survival(frame[left_out], horizon)
        except FitRefused as refusal:
            raise FitRefused(f"without fold {fold}: {refusal}") from None
    ranks = stats.rankdata(predicted["log_risk"], method="max")
    predicted["percentile"] = 100.0 * ranks / max(len(ranks), 1)
    predicted["quartile"] = np.clip(np.ceil(4 * ranks / max(len(ranks), 1)), 1, 4).astype(int)
    return predicted
