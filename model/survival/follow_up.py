"""Follow-up as curves count it: who is at risk, what happened when, and whether follow-up makes sense.

A person is at risk at t when entry < t <= duration (R's `Surv(entry, duration, event)`); without entry, from the start.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from model.errors import NotComputable
from model.survival.censoring import Floats


def check_follow_up(durations: Floats, entry: Floats | None = None, weights: Floats | None = None) -> None:
    """See that follow-up is there and makes sense.

    Raises:
        NotComputable: no persons; follow-up that is missing, infinite or not positive; an entry not before the end of
            follow-up; a weight that is missing, infinite or not positive.
    """
    if len(durations) == 0:
        raise NotComputable("no persons")
    if not (np.isfinite(durations).all() and (durations > 0).all()):
        raise NotComputable("follow-up is missing, infinite or not positive for some persons")
    if entry is not None and not (np.isfinite(entry).all() and (entry < durations).all()):
        raise NotComputable("entry is missing, or not before the end of follow-up, for some persons")
    if weights is not None and not (np.isfinite(weights).all() and (weights > 0).all()):
        raise NotComputable("a weight is missing, infinite or not positive for some persons")


def reporting_times(event_times: Floats, longest: float) -> Floats:
    """The times a curve is told at: 0, those of events, every whole year, and the longest follow-up; ascending."""
    return np.unique(np.concatenate([event_times, np.arange(0.0, longest), [longest]]))


def at_risk_at(times: Floats, durations: Floats, entry: Floats | None = None, weights: Floats | None = None) -> Floats:
    """How many are at risk just before each time, or the sum of their weights; (times,).

    At time 0 whoever enters at 0 counts as at risk, so that a curve begins with the number it begins with.
    """
    staying = _weight_from(times, durations, weights)
    if entry is None:
        return staying
    # Entry at t is not yet at risk at t; at the very start it is.
    yet_to_enter = _weight_from(np.where(times > 0, times, np.nextafter(0, 1)), entry, weights)
    return staying - yet_to_enter


def total_at(times: Floats, when: Floats, weights: Floats | None = None) -> Floats:
    """How many of `when` equal each of `times` (ascending, holding all of them), or the sum of their weights."""
    return np.bincount(np.searchsorted(times, when), weights=weights, minlength=len(times)).astype(np.float64)


def step_value(steps: Floats, at: Floats, values: Floats, before: float) -> Floats:
    """A right-continuous step function with `values` from `steps` on, and `before` ahead of the first."""
    return np.asarray(np.concatenate([[before], values])[np.searchsorted(steps, at, side="right")])


def event_codes(kinds: pd.Series | NDArray[Any], of_interest: object) -> NDArray[np.int64]:
    """0 where follow-up was censored, 1 where it ended with the event of interest, 2 with another.

    Args:
        kinds: what ended each follow-up, (persons,): names or whole numbers; None, NaN, 0 and "" mean censored.
        of_interest: the one that counts.
    """
    values = pd.Series(kinds)
    ended = (values.notna() & (values != 0) & (values != "")).to_numpy()
    return np.where(ended & (values == of_interest).to_numpy(), 1, np.where(ended, 2, 0))


def _weight_from(times: Floats, when: Floats, weights: Floats | None) -> Floats:
    """The weight of those whose `when` is at or after each time."""
    if weights is None:
        return (len(when) - np.searchsorted(np.sort(when), times, side="left")).astype(np.float64)
    order = np.argsort(when, kind="stable")
    gone = np.concatenate([[0.0], np.cumsum(weights[order])])
    return np.asarray(gone[-1] - gone[np.searchsorted(when[order], times, side="left")])
