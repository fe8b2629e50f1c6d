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
from model.survival.proportional_hazards import by_period
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
    many = max(1, min(PERIODS, fit.events // EVENTS_A_PERIOD))
    for number, period in enumerate(by_period(fit, many), start=1):
        for index, coefficient in enumerate(fit.coefficients):
            yield OverTime(
                model_name=name,
                term=coefficient.term.name,
                period=number,
                from_years=period.from_years,
                to_years=period.to_years,
                events=period.deaths,
                log_hazard_ratio=float(period.means[index]),
                standard_error=None if np.isnan(period.errors[index]) else float(period.errors[index]),
            )
