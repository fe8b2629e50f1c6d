"""The Kaplan-Meier estimate with log-log intervals."""

from __future__ import annotations

import numpy as np
import pandas as pd

from model.survival.intervals import NORMAL_97_5


def kaplan_meier(durations: np.ndarray, events: np.ndarray) -> pd.DataFrame:
    """Kaplan and Meier 1958, Greenwood's variance, 95 % interval on the log(-log) scale (Kalbfleisch and Prentice).

    Args:
        durations: years of follow-up, (persons,), > 0.
        events: whether it ended with the event, (persons,).

    Returns:
        Rows at time 0, every event time, every whole year and the longest follow-up: time_years, survival, ci_lower,
        ci_upper (survival itself before the first event; missing where survival is 0, which has no interval), at_risk
        (just before the time), events (at the time).
    """
    events = events.astype(bool)
    longest = float(durations.max())
    times = np.unique(np.concatenate([durations[events], np.arange(0.0, longest), [longest]]))
    ordered = np.sort(durations)
    at_risk = len(ordered) - np.searchsorted(ordered, times, side="left")
    dying = np.sort(durations[events])
    deaths = np.searchsorted(dying, times, side="right") - np.searchsorted(dying, times, side="left")

    survival = np.cumprod(1 - deaths / at_risk)
    with np.errstate(divide="ignore", invalid="ignore"):
        greenwood = np.cumsum(deaths / (at_risk * (at_risk - deaths)))
        half_width = NORMAL_97_5 * np.sqrt(greenwood) / np.log(survival)
        lower = survival ** np.exp(-half_width)
        upper = survival ** np.exp(half_width)
    before_first_event = survival == 1
    extinct = survival == 0
    return pd.DataFrame(
        {
            "time_years": times,
            "survival": survival,
            "ci_lower": np.select([before_first_event, extinct], [1.0, np.nan], lower),
            "ci_upper": np.select([before_first_event, extinct], [1.0, np.nan], upper),
            "at_risk": at_risk,
            "events": deaths,
        }
    )
