"""Survival curves by the levels of a covariate: as observed, adjusted, and of one of several competing events."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from jobs.risk.declared import model_covariates
from jobs.risk.levels import Mask, levels_of
from jobs.risk.models import columns_of, covariates_of, frame_of
from jobs.risk.performance import resampling_of
from model.errors import NotComputable
from model.survival.adjusted_curves import LARGEST_RESAMPLE, adjusted_curves
from model.survival.bootstrap import Resampling
from model.survival.competing import cumulative_incidence
from model.survival.design import Covariate
from model.survival.errors import FitRefused
from model.survival.follow_up import at_risk_at
from model.survival.kaplan_meier import kaplan_meier
from schemas.cohort import Cohort

GRID_STEPS_A_YEAR = 12
"""Times of an adjusted curve in a year (ours): it is smooth where a Kaplan-Meier curve is a staircase."""


@dataclass(frozen=True)
class Curve:
    """One curve: columns time_years, survival, ci_lower, ci_upper, at_risk, events."""

    method: str
    stratifier: str
    stratum: str
    points: pd.DataFrame
    model_name: str | None = None


def curves(members: pd.DataFrame, cohort: Cohort) -> list[Curve]:
    """The declared curves: Kaplan-Meier for each level, adjusted ones, and incidences where events compete."""
    covariates = model_covariates(cohort)
    return [
        curve
        for name in cohort.declared.curves
        for curve in (
            *_kaplan_meier(members, cohort, covariates[name]),
            *_incidence(members, cohort, covariates[name]),
        )
    ]


def adjusted(members: pd.DataFrame, cohort: Cohort) -> tuple[list[Curve], dict[str, str]]:
    """The declared adjusted curves, and by model why there are none."""
    found: list[Curve] = []
    refused: dict[str, str] = {}
    if members.empty:
        return found, refused
    for name, model_name in cohort.declared.adjusted_curves.items():
        try:
            found += _adjusted(members, cohort, model_covariates(cohort)[name], model_name)
        except (FitRefused, NotComputable) as reason:
            refused[model_name] = f"no adjusted curves by {name}: {reason}"
    return found, refused


def _kaplan_meier(members: pd.DataFrame, cohort: Cohort, covariate: Covariate) -> Iterator[Curve]:
    for level, within in levels_of(members, covariate).items():
        durations, events, entry = _followed(members, cohort, within)
        points = kaplan_meier(durations, events, entry=entry)
        if (weights := cohort.declared.weights) is not None:
            # Weighted probabilities, and how many persons they are of.
            weighted = kaplan_meier(durations, events, entry=entry, weights=members[weights].to_numpy(float)[within])
            points = weighted.assign(at_risk=points["at_risk"], events=points["events"])
        yield Curve("kaplan_meier", covariate.name, level, points)


def _incidence(members: pd.DataFrame, cohort: Cohort, covariate: Covariate) -> Iterator[Curve]:
    """One minus the cumulative incidence, so that every curve starts at 1."""
    competing = cohort.declared.competing
    if competing is None:
        return
    for level, within in levels_of(members, covariate).items():
        durations, _, entry = _followed(members, cohort, within)
        kinds = members[competing.column].to_numpy()[within]
        found = cumulative_incidence(durations, kinds, competing.of_interest, entry=entry)
        points = found.assign(
            survival=1 - found["incidence"], ci_lower=1 - found["ci_upper"], ci_upper=1 - found["ci_lower"]
        )
        yield Curve("cumulative_incidence", covariate.name, level, points)


def _adjusted(members: pd.DataFrame, cohort: Cohort, covariate: Covariate, model_name: str) -> Iterator[Curve]:
    """On a grid, with the numbers at risk of those who really are of the level."""
    model = cohort.declared.models[model_name]
    frame = frame_of(members, cohort, model)
    times = _grid(members, covariate)
    resampling = resampling_of(cohort)
    found = adjusted_curves(
        frame,
        covariates_of(cohort, model),
        covariate.name,
        times.tolist(),
        columns=replace(columns_of(cohort, model), quick=True),
        person=cohort.declared.cluster,
        resampling=Resampling(repeats=resampling.repeats, seed=resampling.seed, largest=LARGEST_RESAMPLE),
    )
    for level, within in levels_of(members, covariate).items():
        points = found[found["level"] == level].reset_index(drop=True)
        points = points.assign(**_counts(times, *_followed(frame, cohort, within)))
        yield Curve("adjusted", covariate.name, level, points, model_name)


def _counts(
    times: np.ndarray, durations: np.ndarray, events: np.ndarray, entry: np.ndarray | None
) -> dict[str, np.ndarray]:
    """Persons at risk just before each time, and events since the one before."""
    at_risk = at_risk_at(times, durations, entry).astype(int)
    until = np.searchsorted(np.sort(durations[events]), times, side="right")
    return {"at_risk": at_risk, "events": np.diff(until, prepend=0)}


def _grid(members: pd.DataFrame, covariate: Covariate) -> np.ndarray:
    """Times up to the one to which somebody of every level was followed."""
    followup = members["followup_years"].to_numpy(float)
    last = min(float(followup[within].max()) for within in levels_of(members, covariate).values())
    return np.arange(0, np.floor(last * GRID_STEPS_A_YEAR) + 1) / GRID_STEPS_A_YEAR


def _followed(members: pd.DataFrame, cohort: Cohort, within: Mask) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Follow-up, events, and entry where observation begins late, of some members."""
    entry = cohort.declared.entry
    return (
        members["followup_years"].to_numpy(float)[within],
        members["event"].to_numpy(bool)[within],
        None if entry is None else members[entry].to_numpy(float)[within],
    )
