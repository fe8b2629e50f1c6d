"""How an effect runs: over the values of a spline's covariate, and over follow-up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from jobs.risk.findings import Effect, OverTime
from jobs.risk.models import ModelResult, covariates_of
from model.survival.cox import CoxFit
from model.survival.design import Covariate
from model.survival.effect_curve import effect_curve
from model.survival.proportional_hazards import scaled_schoenfeld
from schemas.cohort import Cohort

VALUES = 41
SHOWN = (0.025, 0.975)
"""Quantiles between which a spline is told: beyond, few persons carry it (ours)."""

PERIODS = 8
"""Periods of follow-up with about equally many events, at most (ours)."""

EVENTS_A_PERIOD = 10


def effects(members: pd.DataFrame, cohort: Cohort, models: Mapping[str, ModelResult]) -> list[Effect]:
    """The curve of every spline of every fitted Cox model."""
    return [
        effect
        for name, result in models.items()
        if result.cox is not None
        for covariate in covariates_of(cohort, cohort.declared.models[name])
        if covariate.kind == "spline"
        for effect in _curve(name, result.cox, members, covariate)
    ]


def over_time(models: Mapping[str, ModelResult]) -> list[OverTime]:
    """Every coefficient of every fitted Cox model by period of follow-up."""
    return [row for name, result in models.items() if result.cox is not None for row in _periods(name, result.cox)]


def _curve(name: str, fit: CoxFit, members: pd.DataFrame, covariate: Covariate) -> Iterator[Effect]:
    column = members[covariate.column].dropna().to_numpy(float)
    median = float(np.median(column))
    first, last = (float(end) for end in np.quantile(column, SHOWN))
    values = np.unique([*np.linspace(first, last, VALUES), median])
    curve = effect_curve(fit, covariate.name, values, median)
    for value, ratio, lower, upper in zip(values, curve.hazard_ratio, curve.ci_lower, curve.ci_upper, strict=True):
        yield Effect(
            model_name=name,
            covariate=covariate.name,
            value=float(value),
            reference_value=median,
            log_hazard_ratio=float(np.log(ratio)),
            hazard_ratio=float(ratio),
            ci_lower=float(lower),
            ci_upper=float(upper),
        )


def _periods(name: str, fit: CoxFit) -> Iterator[OverTime]:
    residuals = scaled_schoenfeld(fit)
    order = np.argsort(residuals.times, kind="stable")
    many = max(1, min(PERIODS, len(order) // EVENTS_A_PERIOD))
    for period, rows in enumerate(np.array_split(order, many), start=1):
        of_period = residuals.residuals[rows]
        means = of_period.mean(axis=0)
        errors = of_period.std(axis=0, ddof=1) / np.sqrt(len(rows)) if len(rows) > 1 else None
        for index, term in enumerate(residuals.terms):
            yield OverTime(
                model_name=name,
                term=term,
                period=period,
                from_years=float(residuals.times[rows].min()),
                to_years=float(residuals.times[rows].max()),
                events=len(rows),
                log_hazard_ratio=float(means[index]),
                standard_error=None if errors is None else float(errors[index]),
            )
