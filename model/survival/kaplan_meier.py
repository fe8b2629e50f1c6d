"""The Kaplan-Meier estimate with log-log intervals, with delayed entry and weights where there are any."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from model.errors import NotComputable
from model.survival.censoring import Floats
from model.survival.follow_up import at_risk_at, check_follow_up, reporting_times, step_value
from model.survival.intervals import NORMAL_97_5
from model.survival.timeline import Timeline, timeline_of

ROUNDING = 1e-12
"""Of weights that are summed up: where all who are left die, their sum over itself may miss 1 by this much."""


def kaplan_meier(
    durations: Floats,
    events: NDArray[np.bool_],
    *,
    entry: Floats | None = None,
    weights: Floats | None = None,
) -> pd.DataFrame:
    """Kaplan and Meier 1958, 95 % interval on the log(-log) scale (Kalbfleisch and Prentice).

    The variance is Greenwood's; with weights that are not all whole numbers, that of the infinitesimal jackknife, as in
    R's `survfit` (a whole number says how often a row stands for a person; any other is a sampling weight).

    Args:
        durations: years of follow-up, (persons,), > 0.
        events: whether it ended with the event, (persons,).
        entry: when a person came under observation, (persons,), before the end of follow-up; None: at 0.
        weights: (persons,), > 0; None: 1 each.

    Returns:
        Rows at time 0, every event time, every whole year and the longest follow-up: time_years, survival, ci_lower,
        ci_upper (survival itself before the first event; missing where survival is 0, which has no interval), at_risk
        (just before the time), events (at the time); the last two are sums of weights where there are weights.

    Raises:
        NotComputable: no persons, or follow-up, entry or weights that make no sense.
    """
    check_follow_up(durations, entry, weights)
    events = events.astype(bool)
    event_times, of_time = np.unique(durations[events], return_inverse=True)
    times = reporting_times(event_times, float(durations.max()))
    at_risk = at_risk_at(times, durations, entry, weights)
    deaths = np.zeros(len(times))
    deaths[np.searchsorted(times, event_times)] = np.bincount(
        of_time, weights=None if weights is None else weights[events], minlength=len(event_times)
    )

    # With delayed entry nobody may be at risk between two times; nobody dies then.
    hazard = np.divide(deaths, at_risk, out=np.zeros_like(deaths), where=deaths > 0)
    hazard[hazard > 1 - ROUNDING] = 1.0
    survival = np.cumprod(1 - hazard)
    with np.errstate(divide="ignore", invalid="ignore"):
        surviving = np.where(hazard < 1, at_risk - deaths, 0.0)
        variance = np.cumsum(np.where(deaths > 0, hazard / surviving, 0.0))
        if weights is not None and (weights != np.round(weights)).any():
            entered = np.zeros_like(durations) if entry is None else entry
            variance = _infinitesimal_jackknife(times, variance, surviving, durations, events, entered, weights)
    lower, upper = _limits(survival, variance)
    whole = weights is None
    return pd.DataFrame(
        {
            "time_years": times,
            "survival": survival,
            "ci_lower": lower,
            "ci_upper": upper,
            "at_risk": at_risk.astype(np.int64) if whole else at_risk,
            "events": deaths.astype(np.int64) if whole else deaths,
        }
    )


def _limits(survival: Floats, variance: Floats) -> tuple[Floats, Floats]:
    """The 95 % interval from the variance of log S(t), (times,) each; missing where survival is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        half_width = NORMAL_97_5 * np.sqrt(variance) / np.log(survival)
        lower, upper = survival ** np.exp(-half_width), survival ** np.exp(half_width)
    certain = [survival == 1, survival == 0]
    return np.select(certain, [1.0, np.nan], lower), np.select(certain, [1.0, np.nan], upper)


@dataclass(frozen=True)
class SurvivalAt:
    """Kaplan-Meier's estimate at one time; no interval where survival is 0."""

    survival: float
    ci_lower: float | None
    ci_upper: float | None


def survival_at(
    durations: Floats,
    events: NDArray[np.bool_],
    time_years: float,
    *,
    entry: Floats | None = None,
    weights: Floats | None = None,
) -> SurvivalAt:
    """Kaplan-Meier's estimate at one time.

    Args: as `kaplan_meier`.

    Raises:
        NotComputable: as `kaplan_meier`; or nobody was followed that long while some were alive.
    """
    if entry is None and weights is None:
        check_follow_up(durations)
        return survival_of(timeline_of(durations, events.astype(bool, copy=False)), time_years)
    curve = kaplan_meier(durations, events, entry=entry, weights=weights)
    row = int(np.searchsorted(curve["time_years"].to_numpy(), time_years, side="right")) - 1
    survival, lower, upper = (float(curve[column].iloc[row]) for column in ("survival", "ci_lower", "ci_upper"))
    return _followed(time_years, float(durations.max()), survival, lower, upper)


def survival_of(timeline: Timeline, time_years: float) -> SurvivalAt:
    """The same of persons whose follow-up is known as numbers, all from the start and each once.

    Raises:
        NotComputable: nobody was followed that long while some were alive.
    """
    up_to = timeline.places_up_to(time_years)
    deaths, at_risk = timeline.deaths[:up_to], timeline.at_risk[:up_to]
    survival = np.prod(1 - deaths / at_risk)
    surviving = at_risk - deaths
    variance = np.divide(deaths / at_risk, surviving, out=np.zeros(up_to), where=surviving > 0).sum()
    lower, upper = _limits(np.array(survival), np.array(variance))
    return _followed(time_years, float(timeline.times[-1]), float(survival), float(lower), float(upper))


def _followed(time_years: float, longest: float, survival: float, lower: float, upper: float) -> SurvivalAt:
    """An estimate, where somebody was followed that long or nobody is left."""
    if time_years > longest and survival > 0:
        raise NotComputable(f"nobody was followed for {time_years:g} years")
    return SurvivalAt(0.0, None, None) if survival == 0 else SurvivalAt(survival, lower, upper)


def _infinitesimal_jackknife(
    times: Floats,
    hazard_variance: Floats,
    surviving: Floats,
    durations: Floats,
    events: NDArray[np.bool_],
    entry: Floats,
    weights: Floats,
) -> Floats:
    """Variance of log S(t): the sum over persons of (weight x derivative of log S(t) by the weight) squared.

    The derivative is A(t) - A(entry) while a person is at risk, with A = sum of d / (n (n - d)), and stays at
    A(own time) - A(entry) - died / (n - d) afterwards; sums over persons are kept up as they come and go.
    """
    at_entry = step_value(times, entry, hazard_variance, 0.0)
    leaves = np.searchsorted(times, durations, side="left")
    settled = (
        step_value(times, durations, hazard_variance, 0.0) - at_entry - np.where(events, 1 / surviving[leaves], 0.0)
    )
    enters = np.searchsorted(times, entry, side="right")
    enters[entry <= 0] = 0

    def present(values: Floats) -> Floats:
        come = np.bincount(enters, weights=values, minlength=len(times) + 1)[: len(times)]
        gone = np.bincount(leaves, weights=values, minlength=len(times))
        return np.cumsum(come - gone)

    squared = weights**2
    of_the_gone = np.cumsum(np.bincount(leaves, weights=squared * settled**2, minlength=len(times)))
    of_the_present = (
        hazard_variance**2 * present(squared)
        - 2 * hazard_variance * present(squared * at_entry)
        + present(squared * at_entry**2)
    )
    return of_the_gone + of_the_present
