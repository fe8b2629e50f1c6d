"""One prediction of a person from those made with each completed data set (Marshall et al. 2009)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from model.survival.censoring import Floats
from model.survival.cross_fitting import ranks_of, survival_column
from model.survival.intervals import NORMAL_97_5

CERTAIN = 1e-15
"""Survival is kept this far from 0 and 1 before log(-log) is taken of it."""


def pooled_predictions(
    tables: Sequence[pd.DataFrame], *, horizons_years: Sequence[float], times_years: Sequence[float] = ()
) -> pd.DataFrame:
    """Rubin's rules for each person: of the log-risk, and of survival on the scale of log(-log S).

    Args:
        tables: as `cross_fitted_risk` gives them, of the same persons in the same order, one for each data set.
        horizons_years: whose survival has an interval.
        times_years: others, without.

    Returns:
        A table with the same columns.
    """
    pooled = tables[0].copy()
    log_risk, variance = _rubin(_of(tables, "log_risk"), _of(tables, "log_risk_standard_error") ** 2)
    pooled["log_risk"], pooled["log_risk_standard_error"] = log_risk, np.sqrt(variance)
    for horizon in horizons_years:
        name = survival_column(horizon)
        hazard = _log_hazard(_of(tables, name))
        errors = (_log_hazard(_of(tables, f"{name}_lower")) - hazard) / NORMAL_97_5
        mean, variance = _rubin(hazard, errors**2)
        half_width = NORMAL_97_5 * np.sqrt(variance)
        for column, log_hazard in (
            (name, mean),
            (f"{name}_lower", mean + half_width),
            (f"{name}_upper", mean - half_width),
        ):
            pooled[column] = np.exp(-np.exp(log_hazard))
    for time in times_years:
        if time not in horizons_years:
            column = survival_column(time)
            pooled[column] = np.exp(-np.exp(_log_hazard(_of(tables, column)).mean(axis=0)))
    pooled["ranked_by"] = _of(tables, "ranked_by").mean(axis=0)
    return pooled.assign(**ranks_of(pooled["ranked_by"].to_numpy(float)))


def _of(tables: Sequence[pd.DataFrame], column: str) -> Floats:
    """(data sets, persons)."""
    return np.array([table[column].to_numpy(float) for table in tables])


def _log_hazard(survival: Floats) -> Floats:
    return np.asarray(np.log(-np.log(np.clip(survival, CERTAIN, 1 - CERTAIN))))


def _rubin(estimates: Floats, variances: Floats) -> tuple[Floats, Floats]:
    """Mean over data sets, and its variance: the mean within, and 1 + 1/m times that between."""
    between = estimates.var(axis=0, ddof=1)
    return estimates.mean(axis=0), variances.mean(axis=0) + (1 + 1 / len(estimates)) * between
