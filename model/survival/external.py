"""External validation: a frozen model judged on persons of another place (Royston and Altman 2013).

Discrimination asks whether it ranks them, calibration whether its probabilities come true there, and the recalibrated
baseline what they would be if the ranking were kept and only the level of risk learnt anew.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import pandas as pd

from model.errors import NotComputable
from model.survival.calibration import (
    CalibrationCurve,
    CalibrationGroup,
    InTheLarge,
    Slope,
    calibration_curve,
    calibration_groups,
    calibration_in_the_large,
    slope_of,
)
from model.survival.censoring import Floats
from model.survival.concordance import dynamic_auc, unos_c
from model.survival.errors import FitRefused
from model.survival.fit_columns import FOLLOW_UP, FitColumns
from model.survival.fitted_concordance import fitted_concordance
from model.survival.follow_up import at_risk_at, check_follow_up, step_value, total_at
from model.survival.frozen import FrozenModel
from model.survival.risk_sets import Outcome

Number = TypeVar("Number")


@dataclass(frozen=True)
class AtHorizon:
    """How the frozen model does at one horizon; what is None cannot be computed, and the validation's notes say why.

    Attributes:
        auc, unos_c: None with late entry, too, which they are not made for.
        recalibrated_groups: with the baseline of the new persons, which expects as many events of them as there were.
    """

    horizon_years: float
    auc: float | None
    unos_c: float | None
    in_the_large: InTheLarge | None
    groups: list[CalibrationGroup] | None
    curve: CalibrationCurve | None
    recalibrated_groups: list[CalibrationGroup] | None


@dataclass(frozen=True)
class ExternalValidation:
    """A frozen model on other persons.

    Attributes:
        persons, events: judged on.
        harrells_c: of its log-risk, within its strata.
        slope: Cox coefficient of its log-risk, within its strata; 1 is right.
        horizons: at each horizon of the model.
        recalibrated: the model with the baseline hazard of the new persons, at horizons they were followed to.
        notes: why something is missing, `<name>: <reason>`.
    """

    persons: int
    events: int
    harrells_c: float | None
    slope: Slope | None
    horizons: tuple[AtHorizon, ...]
    recalibrated: FrozenModel | None
    notes: tuple[str, ...]


def validate_externally(
    model: FrozenModel, frame: pd.DataFrame, *, columns: FitColumns = FOLLOW_UP
) -> ExternalValidation:
    """Judge a frozen model on persons it was not fitted on; nothing but `recalibrated` is learnt from them.

    Args:
        model: frozen.
        frame: complete cases of its covariates and strata, one row a person, with follow-up.
        columns: of the follow-up; its strata are the model's.

    Raises:
        FitRefused: a person has a level or stratum the model has not.
        NotComputable: no persons, or follow-up that makes no sense.
    """
    durations, events = frame[columns.duration].to_numpy(float), frame[columns.event].to_numpy(bool)
    entry = None if columns.entry is None else frame[columns.entry].to_numpy(float)
    check_follow_up(durations, entry)
    log_risk, stratum = model.log_risk(frame), model.strata.numbers(frame)
    _, stratum = np.unique(stratum, return_inverse=True)
    outcome = Outcome(durations, events, stratum.astype(np.int64), np.ones(len(frame)), entry)
    notes: list[str] = []

    def slope() -> Slope:
        return slope_of(
            frame.assign(**{_LOG_RISK: log_risk}),
            log_risk=_LOG_RISK,
            duration=columns.duration,
            event=columns.event,
            entry=columns.entry,
            strata=model.strata.columns,
        )

    recalibrated = _tried(lambda: recalibrate(model, frame, columns=columns), "recalibrated", notes)
    return ExternalValidation(
        persons=len(frame),
        events=int(events.sum()),
        harrells_c=_tried(lambda: fitted_concordance(outcome, log_risk), "harrells_c", notes),
        slope=_tried(slope, "slope", notes),
        horizons=tuple(
            _at_horizon(model, recalibrated, frame, outcome, log_risk, horizon, notes)
            for horizon in model.horizons_years
        ),
        recalibrated=recalibrated,
        notes=tuple(notes),
    )


def recalibrate(model: FrozenModel, frame: pd.DataFrame, *, columns: FitColumns = FOLLOW_UP) -> FrozenModel:
    """The model with its coefficients as they are, and Breslow's baseline of other persons (van Houwelingen 2000).

    Horizons nobody of a stratum was followed to are left out.

    Raises:
        NotComputable: no horizon is left, or a stratum of the model has nobody.
    """
    durations, events = frame[columns.duration].to_numpy(float), frame[columns.event].to_numpy(bool)
    entry = None if columns.entry is None else frame[columns.entry].to_numpy(float)
    relative, stratum = np.exp(model.log_risk(frame)), model.strata.numbers(frame)
    strata = range(len(model.strata.values))
    if any(not (stratum == number).any() for number in strata):
        raise NotComputable("a stratum of the model has nobody here")
    followed = min(float(durations[stratum == number].max()) for number in strata)
    horizons = tuple(horizon for horizon in model.horizons_years if horizon <= followed)
    if not horizons:
        raise NotComputable(f"nobody was followed for {model.horizons_years[0]:g} years")
    hazard = np.empty((len(model.strata.values), len(horizons)))
    for number in strata:
        inside = stratum == number
        times = np.unique(durations[inside & events])
        at_risk = at_risk_at(times, durations[inside], None if entry is None else entry[inside], relative[inside])
        steps = np.cumsum(total_at(times, durations[inside & events]) / at_risk)
        hazard[number] = step_value(times, np.array(horizons), steps, 0.0)
    return replace(model, horizons_years=horizons, hazard=hazard)


def _at_horizon(
    model: FrozenModel,
    recalibrated: FrozenModel | None,
    frame: pd.DataFrame,
    outcome: Outcome,
    log_risk: Floats,
    horizon: float,
    notes: list[str],
) -> AtHorizon:
    durations, events, entry = outcome.durations, outcome.events, outcome.entry
    predicted = model.survival(frame, horizon)
    # Log-risks of different strata leave out how different their baselines are.
    risk = -predicted if model.strata.columns else log_risk
    known_anew = recalibrated is not None and horizon in recalibrated.horizons_years

    def without_entry(measure: Callable[[], float]) -> Callable[[], float]:
        def measured() -> float:
            if entry is not None:
                raise NotComputable("not made for late entry")
            return measure()

        return measured

    def named(name: str) -> str:
        return f"{name} at {horizon:g} years"

    return AtHorizon(
        horizon_years=horizon,
        auc=_tried(without_entry(lambda: dynamic_auc(durations, events, risk, horizon)), named("auc"), notes),
        unos_c=_tried(without_entry(lambda: unos_c(durations, events, risk, tau=horizon)), named("unos_c"), notes),
        in_the_large=_tried(
            lambda: calibration_in_the_large(durations, events, predicted, horizon, entry=entry),
            named("in_the_large"),
            notes,
        ),
        groups=_tried(
            lambda: calibration_groups(durations, events, predicted, horizon, entry=entry), named("groups"), notes
        ),
        curve=_tried(
            lambda: calibration_curve(durations, events, predicted, horizon, entry=entry), named("curve"), notes
        ),
        recalibrated_groups=(
            calibration_groups(durations, events, recalibrated.survival(frame, horizon), horizon, entry=entry)
            if recalibrated is not None and known_anew
            else None
        ),
    )


def _tried(measure: Callable[[], Number], name: str, notes: list[str]) -> Number | None:
    try:
        return measure()
    except (NotComputable, FitRefused) as reason:
        notes.append(f"{name}: {reason}")
        return None


_LOG_RISK = "_log_risk"
