"""Whether predicted probabilities come true at a horizon: observed beside predicted, in the large, in slope, in shape.

Observed means Kaplan-Meier: who was censored before the horizon counts for as long as it was seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from model.errors import NotComputable
from model.survival.censoring import Floats
from model.survival.cox import fit_cox
from model.survival.design import Covariate
from model.survival.errors import FitRefused
from model.survival.follow_up import check_follow_up
from model.survival.intervals import NORMAL_97_5
from model.survival.kaplan_meier import SurvivalAt, survival_at, survival_of
from model.survival.timeline import timeline_of

GROUPS = 10

NEAREST_TO_CERTAIN = 1e-12
"""Predicted probabilities are kept this far from 0 and 1 before log(-log) is taken of them."""

ENTRY, CLUSTER = "entry_years", "cluster"
"""Columns of when a person came under observation, and of whose rows belong together."""

SPLINE_KNOTS = 4
"""Of the smoothed calibration curve (ours; Austin et al. 2020 took 3 to 5)."""


@dataclass(frozen=True)
class CalibrationGroup:
    """Persons of similar prediction: mean predicted beside observed probability of the event by the horizon.

    `observed` is missing where nobody of the group was followed to the horizon, `ci_*` also where all had the event.
    """

    number: int
    persons: int
    events: int
    predicted: float
    observed: float | None
    ci_lower: float | None
    ci_upper: float | None


@dataclass(frozen=True)
class InTheLarge:
    """Observed over mean predicted probability; 1 is right, above 1 the risk was underestimated."""

    observed: float
    predicted: float
    ratio: float
    ci_lower: float | None
    ci_upper: float | None


@dataclass(frozen=True)
class Slope:
    """Cox coefficient of log(-log predicted survival): 1 is right; below 1, predictions are too extreme."""

    slope: float
    standard_error: float
    ci_lower: float
    ci_upper: float
    p_value: float
    """Of slope = 1 (Wald)."""


@dataclass(frozen=True)
class CalibrationCurve:
    """Predicted against smoothed observed probability (Austin, Harrell and van Klaveren 2020).

    Attributes:
        predicted, observed: at 100 quantiles of prediction, ascending.
        ici: mean absolute difference over the persons (integrated calibration index).
        e50, e90, e_max: its median, 90 % quantile and maximum.
    """

    predicted: Floats
    observed: Floats
    ici: float
    e50: float
    e90: float
    e_max: float


def calibration_groups(
    durations: Floats,
    events: NDArray[np.bool_],
    predicted_survival: Floats,
    horizon_years: float,
    *,
    entry: Floats | None = None,
    groups: int = GROUPS,
) -> list[CalibrationGroup]:
    """Observed beside predicted in groups of equal size by prediction; equal predictions stay together.

    Args:
        durations: years of follow-up, (persons,), > 0.
        events: whether it ended with the event, (persons,).
        predicted_survival: probability to be free of the event at the horizon, (persons,), 0 to 1.
        horizon_years: when.
        entry: when a person came under observation, (persons,); None: at 0.
        groups: how many, at most.

    Raises:
        NotComputable: no persons, follow-up that makes no sense, or predictions that are no probabilities.
    """
    risk = 1 - _checked(predicted_survival)
    check_follow_up(durations, entry)
    cuts = np.unique(np.quantile(risk, np.linspace(0, 1, groups + 1)[1:-1]))
    # Of so few groups numbers of 16 bits do, which are sorted by counting them.
    group_of = np.zeros(len(risk), dtype=np.uint16)
    for cut in cuts:
        group_of += risk > cut
    order = np.argsort(group_of, kind="stable")
    bounds = np.flatnonzero(np.diff(group_of[order])) + 1
    timeline = timeline_of(durations, events)
    found = []
    for number, rows in enumerate(np.split(order, bounds), start=1):
        own = timeline.of_rows(rows)
        observed: float | None
        try:
            if entry is None:
                at_horizon = survival_of(own, horizon_years)
            else:
                at_horizon = survival_at(durations[rows], events[rows], horizon_years, entry=entry[rows])
            observed, lower, upper = _risk(at_horizon)
        except NotComputable:
            observed = lower = upper = None
        group = CalibrationGroup(
            number=number,
            persons=len(rows),
            events=int(own.deaths[: own.places_up_to(horizon_years)].sum()),
            predicted=float(risk[rows].mean()),
            observed=observed,
            ci_lower=lower,
            ci_upper=upper,
        )
        found.append(group)
    return found


def calibration_in_the_large(
    durations: Floats,
    events: NDArray[np.bool_],
    predicted_survival: Floats,
    horizon_years: float,
    *,
    entry: Floats | None = None,
) -> InTheLarge:
    """Observed probability of the event by the horizon over the mean of the predicted ones, of everybody.

    Its interval is Kaplan-Meier's, divided by what was predicted; none where everybody had the event.

    Args, Raises: as `calibration_groups`; also refused where nobody was followed to the horizon.
    """
    predicted = float((1 - _checked(predicted_survival)).mean())
    if predicted <= 0:
        raise NotComputable("nobody is predicted any risk")
    found = survival_at(durations, events, horizon_years, entry=entry)
    observed, lower, upper = _risk(found)
    return InTheLarge(
        observed=observed,
        predicted=predicted,
        ratio=observed / predicted,
        ci_lower=None if lower is None else lower / predicted,
        ci_upper=None if upper is None else upper / predicted,
    )


UNCHANGED = {"log_risk": 1.0}
"""The model that leaves a log-risk as it is predicted; where a recalibration starts from."""


def calibration_slope(
    durations: Floats,
    events: NDArray[np.bool_],
    predicted_survival: Floats,
    *,
    entry: Floats | None = None,
    clusters: NDArray[np.int64] | None = None,
) -> Slope:
    """The coefficient of log(-log S) in a Cox model with nothing else, over the whole follow-up.

    Of a Cox model's predictions log(-log S) is its log-risk and a constant, at whichever horizon.

    Args: as `calibration_groups`; clusters: whose rows belong together, which makes the interval robust.

    Raises:
        NotComputable: everybody has the same prediction, or the model is refused.
    """
    frame = _frame(durations, events, complementary_log_log(predicted_survival), entry)
    if clusters is not None:
        frame[CLUSTER] = clusters
    return slope_of(frame, entry=None if entry is None else ENTRY, cluster=None if clusters is None else CLUSTER)


def slope_of(
    frame: pd.DataFrame,
    *,
    log_risk: str = "log_risk",
    duration: str = "followup_years",
    event: str = "event",
    entry: str | None = None,
    strata: tuple[str, ...] = (),
    cluster: str | None = None,
) -> Slope:
    """`calibration_slope` from log-risks, and within strata: all arguments are columns of `frame`, one row a person.

    Raises:
        NotComputable: as `calibration_slope`.
    """
    alone = (Covariate("log_risk", log_risk, "continuous"),)
    try:
        fit = fit_cox(
            frame,
            alone,
            duration=duration,
            event=event,
            entry=entry,
            strata=strata,
            cluster=cluster,
            near=UNCHANGED,
            quick=True,
        )
    except FitRefused as refusal:
        raise NotComputable(str(refusal)) from None
    found = fit.coefficients[0]
    distance = (found.log_hazard_ratio - 1) / found.standard_error
    return Slope(
        slope=found.log_hazard_ratio,
        standard_error=found.standard_error,
        ci_lower=found.log_hazard_ratio - NORMAL_97_5 * found.standard_error,
        ci_upper=found.log_hazard_ratio + NORMAL_97_5 * found.standard_error,
        p_value=float(2 * stats.norm.sf(abs(distance))),
    )


def calibration_curve(
    durations: Floats,
    events: NDArray[np.bool_],
    predicted_survival: Floats,
    horizon_years: float,
    *,
    entry: Floats | None = None,
) -> CalibrationCurve:
    """Observed probability as a smooth function of the predicted: Cox on a restricted cubic spline of log(-log S).

    Args, Raises: as `calibration_slope`; also refused where nobody was followed to the horizon.
    """
    predicted, observed = 1 - predicted_survival, _smoothed(durations, events, predicted_survival, horizon_years, entry)
    apart = np.abs(observed - predicted)
    told = np.argsort(predicted, kind="stable")[np.linspace(0, len(predicted) - 1, 100).astype(int)]
    return CalibrationCurve(
        predicted=predicted[told],
        observed=observed[told],
        ici=float(apart.mean()),
        e50=float(np.median(apart)),
        e90=float(np.quantile(apart, 0.9)),
        e_max=float(apart.max()),
    )


def integrated_calibration_index(
    durations: Floats,
    events: NDArray[np.bool_],
    predicted_survival: Floats,
    horizon_years: float,
    *,
    entry: Floats | None = None,
) -> float:
    """`ici` of `calibration_curve`, without the rest of it.

    Args, Raises: as `calibration_curve`.
    """
    observed = _smoothed(durations, events, predicted_survival, horizon_years, entry)
    return float(np.abs(observed - (1 - predicted_survival)).mean())


def _smoothed(
    durations: Floats,
    events: NDArray[np.bool_],
    predicted_survival: Floats,
    horizon_years: float,
    entry: Floats | None,
) -> Floats:
    """Observed probability of the event by the horizon, at each person's prediction; (persons,)."""
    shape = Covariate("log_risk", "log_risk", "spline", knots=SPLINE_KNOTS)
    frame = _frame(durations, events, complementary_log_log(predicted_survival), entry)
    try:
        fit = fit_cox(frame, (shape,), entry=None if entry is None else ENTRY, near=UNCHANGED, quick=True)
        everybody = np.zeros(len(frame), dtype=np.int64)
        return 1 - fit.survival_of(fit.own_log_risk, everybody, horizon_years)
    except FitRefused as refusal:
        raise NotComputable(str(refusal)) from None


def complementary_log_log(predicted_survival: Floats) -> Floats:
    """log(-log S): the log-risk behind predicted survival, up to a constant; (persons,)."""
    inside = np.clip(_checked(predicted_survival), NEAREST_TO_CERTAIN, 1 - NEAREST_TO_CERTAIN)
    return np.asarray(np.log(-np.log(inside)))


def _risk(found: SurvivalAt) -> tuple[float, float | None, float | None]:
    """Probability of the event with its interval."""
    if found.ci_lower is None or found.ci_upper is None:
        return 1 - found.survival, None, None
    return 1 - found.survival, 1 - found.ci_upper, 1 - found.ci_lower


def _frame(durations: Floats, events: NDArray[np.bool_], log_risk: Floats, entry: Floats | None) -> pd.DataFrame:
    columns = {"followup_years": durations, "event": events, "log_risk": log_risk}
    # Without copies: fits to the same follow-up share its sorting.
    return pd.DataFrame(columns if entry is None else {**columns, ENTRY: entry}, copy=False)


def _checked(predicted_survival: Floats) -> Floats:
    if len(predicted_survival) == 0:
        raise NotComputable("no persons")
    if not ((predicted_survival >= 0) & (predicted_survival <= 1)).all():
        raise NotComputable("a predicted survival probability is missing or outside 0 to 1")
    return predicted_survival
