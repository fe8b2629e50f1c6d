"""Populations whose survival follows a law that is written down here."""

from __future__ import annotations

import numpy as np
import pandas as pd

from model.survival.censoring import Floats
from model.survival.covariates import Covariate

RATE = 0.4
"""Baseline hazard a year, constant."""

HORIZON = 1.0
"""Years, at which probabilities are told."""

SCORE, TREATED, GROUP = (
    Covariate("score", "score", "continuous"),
    Covariate("treated", "treated", "categorical", levels=("no", "yes"), reference="no"),
    Covariate("group", "group", "categorical", levels=("a", "b", "c"), reference="a"),
)
NOISE = Covariate("noise", "noise", "continuous")
TRUTH = {"score": 0.5, "treated=yes": -0.4}
"""Log hazard ratios; `group` and `noise` have none."""


def population(
    rng: np.random.Generator,
    persons: int = 300,
    *,
    confounded: bool = False,
    log_risk_of: dict[str, float] | None = None,
) -> pd.DataFrame:
    """One row a person: covariates, follow-up and event, censored by chance between half a year and four years.

    Args:
        rng: where chance comes from.
        persons: how many.
        confounded: whether those with a high score are treated more often.
        log_risk_of: log hazard ratios of score and treated=yes, instead of `TRUTH`.
    """
    effect = TRUTH if log_risk_of is None else log_risk_of
    score = rng.normal(size=persons)
    leaning = score if confounded else np.zeros(persons)
    treated = rng.random(persons) < 1 / (1 + np.exp(-leaning))
    log_risk = effect["score"] * score + effect["treated=yes"] * treated
    death = rng.exponential(1 / (RATE * np.exp(log_risk)))
    return _followed(rng, death).assign(
        person=np.arange(persons),
        score=score,
        treated=np.where(treated, "yes", "no"),
        group=rng.choice(["a", "b", "c"], persons),
        site=rng.choice(["north", "south"], persons),
        noise=rng.normal(size=persons),
        log_risk=log_risk,
    )


def _followed(rng: np.random.Generator, death: Floats) -> pd.DataFrame:
    censoring = rng.uniform(0.5, 4.0, len(death))
    return pd.DataFrame({"followup_years": np.minimum(death, censoring), "event": death <= censoring})


def in_days(frame: pd.DataFrame, days: float) -> pd.DataFrame:
    """Follow-up rounded up to so many days, which ties deaths."""
    step = days / 365.25
    return frame.assign(followup_years=np.ceil(frame["followup_years"] / step) * step)


def entering_late(rng: np.random.Generator, frame: pd.DataFrame) -> pd.DataFrame:
    """Those who were still followed when they came under observation, between 0 and 0.8 years."""
    entry = rng.uniform(0, 0.8, len(frame))
    return frame.assign(entry_years=entry)[frame["followup_years"] > entry].reset_index(drop=True)


def with_baselines_by_site(rng: np.random.Generator, persons: int = 300) -> pd.DataFrame:
    """Two sites, one with a hazard that rises and one with a high constant one; effects as in `TRUTH`."""
    frame = population(rng, persons)
    north = (frame["site"] == "north").to_numpy()
    cumulative = rng.exponential(size=persons) / np.exp(frame["log_risk"].to_numpy())
    death = np.where(north, np.sqrt(cumulative / 0.3), cumulative / 1.0)
    return frame.assign(**_followed(rng, death))


def photographed_twice(rng: np.random.Generator, persons: int = 200) -> pd.DataFrame:
    """Two rows a person, alike but for nothing: what clustered errors must see through."""
    frame = population(rng, persons)
    return frame.loc[frame.index.repeat(2)].reset_index(drop=True)


def competing(rng: np.random.Generator, persons: int = 300, *, effect: float = 0.5) -> pd.DataFrame:
    """Two kinds of event; the first follows a Fine-Gray model in `score` (the simulation of Fine and Gray 1999).

    F1(t | x) = 1 - (1 - p (1 - exp(-t)))^exp(effect x) with p = 0.4; other events are exponential.
    """
    frame = population(rng, persons)
    score = frame["score"].to_numpy()
    ratio = np.exp(effect * score)
    ever = 1 - (1 - 0.4) ** ratio
    first = rng.random(persons) < ever
    uniform = rng.random(persons)
    of_first = -np.log(1 - (1 - (1 - uniform * ever) ** (1 / ratio)) / 0.4)
    time = np.where(first, of_first, rng.exponential(1.0, persons))
    censoring = rng.uniform(0.3, 4.0, persons)
    seen = time <= censoring
    return frame.assign(
        followup_years=np.minimum(time, censoring),
        kind=np.where(seen, np.where(first, 1, 2), 0),
        event=seen,
    )


def incidence_of_first(score: Floats, horizon: float, effect: float = 0.5) -> Floats:
    """F1 of `competing` at a time, given the score."""
    return np.asarray(1 - (1 - 0.4 * (1 - np.exp(-horizon))) ** np.exp(effect * score))


def with_gaps(rng: np.random.Generator, frame: pd.DataFrame) -> pd.DataFrame:
    """The score missing at random: more often of the treated and of those who died; 35 % on the whole."""
    chance = 0.15 + 0.2 * (frame["treated"] == "yes") + 0.2 * frame["event"]
    return frame.assign(score=frame["score"].where(rng.random(len(frame)) >= chance))


def survival_of(log_risk: Floats, horizon: float = HORIZON) -> Floats:
    """Probability to be free of the event in `population`, given the log-risk."""
    return np.asarray(np.exp(-RATE * horizon * np.exp(log_risk)))
