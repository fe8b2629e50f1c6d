"""How well FaceSurvival and FaceAge tell survival: discrimination, predicted survival, hazard ratios, by group."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise

import numpy as np
import pandas as pd

from model.errors import NotComputable
from model.evaluation.findings import Finding
from model.evaluation.measuring import measure_all
from model.evaluation.nested_models import nested_model_findings
from model.evaluation.prognosis import (
    TOO_SHORT,
    c_index_of,
    difference,
    discrimination_measures,
    discrimination_notes,
    hazard_ratio,
    survival_arrays,
    usable_horizon,
)
from model.evaluation.quarters import quarter_findings
from model.survival.bootstrap import Measure, Resampling, Rows
from model.survival.brier import integrated_brier_score
from model.survival.cross_fitting import cross_fitted_risk
from model.survival.design import Covariate
from model.survival.errors import FitRefused
from model.survival.kaplan_meier import kaplan_meier

SCORES = {"face_survival_log_risk": "face_survival", "face_age_years": "face_age"}
"""Columns of the scores, and how the names of their findings begin."""

TRUE_RISK = "true_log_risk"
"""Column of the linear predictor survival was simulated from; drawn people have it."""

SUBGROUPS = ("sex", "site", "stage", "age_band")
AGE_BANDS = (50, 60, 70, 80)
"""Where bands of age at the index begin, years (ours)."""

FOLDS = 5
TIMES = 50
"""Times the Brier score is integrated over, evenly spaced up to the last usable horizon (ours)."""


def survival_findings(
    people: pd.DataFrame, *, clinical: tuple[Covariate, ...], resampling: Resampling
) -> list[Finding]:
    """Everything there is to say of the scores and survival.

    Args:
        people: one row a person: `person` (whole number), `followup_years` (> 0), `event`, at least one column of
            `SCORES`, the columns of `clinical`, none missing; optionally `sex`, `site`, `stage`, `age_years` to split
            by, and `true_log_risk`.
        clinical: what hazard ratios are adjusted for, and what the nested models start from.
        resampling: of the intervals; people are resampled.
    """
    scores = {column: name for column, name in SCORES.items() if column in people}
    found: list[Finding] = []
    for column, name in scores.items():
        found += _overall(people, column, name, resampling)
        found += _hazard_ratios(people, column, name, clinical)
    if TRUE_RISK in people:
        found += _against_truth(people, scores, resampling)
    for column, name in scores.items():
        found += quarter_findings(people, column, name, clinical=clinical)
    for group, level, members in subgroups_of(people):
        for column, name in scores.items():
            found += _of_subgroup(people, members, column, name, group, level, resampling)
    return found + nested_model_findings(people, scores, clinical=clinical, resampling=resampling)


def subgroups_of(people: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Group, level and its people, for each subgroup that is known; a group with one level says nothing new."""
    grouped = people.assign(age_band=_age_bands(people)) if "age_years" in people else people
    for group in SUBGROUPS:
        if group in grouped and grouped[group].nunique() > 1:
            for level, members in grouped.groupby(group, sort=True, observed=True):
                yield group, str(level), members.reset_index(drop=True)


def _age_bands(people: pd.DataFrame) -> pd.Categorical:
    first, last = AGE_BANDS[0], AGE_BANDS[-1]
    between = [f"{low} to {high - 1}" for low, high in pairwise(AGE_BANDS)]
    names = [f"below {first}", *between, f"{last} and over"]
    edges = [-np.inf, *AGE_BANDS, np.inf]
    return pd.Categorical(pd.cut(people["age_years"], edges, right=False, labels=names))


def _overall(people: pd.DataFrame, column: str, name: str, resampling: Resampling) -> list[Finding]:
    return measure_all(
        {**discrimination_measures(people, column, name), **_brier_measures(people, column, name)},
        people["person"].to_numpy(np.int64),
        resampling,
        counts_photos=False,
        events=int(people["event"].sum()),
        notes={**discrimination_notes(people, name), **_brier_notes(people, name)},
    )


def _brier_measures(people: pd.DataFrame, column: str, name: str) -> Mapping[str, Measure]:
    """Integrated Brier score of a Cox model of the score alone, cross-fitted, and of Kaplan-Meier's curve for all."""
    durations, events, _ = survival_arrays(people, column)
    horizon = usable_horizon(durations)
    if horizon is None:
        return {metric: _refused(TOO_SHORT) for metric in _brier_names(name)}
    times = np.round(np.linspace(horizon / TIMES, horizon, TIMES), 6)
    reference = np.tile(_survival_at(durations, events, times), (len(people), 1))
    score = Covariate(column, column, "continuous", per=None)
    try:
        predictions = cross_fitted_risk(
            people.assign(person_id=people["person"]), (score,), folds=FOLDS, horizons_years=tuple(times)
        )
    except FitRefused as reason:
        return {metric: _refused(str(reason)) for metric in _brier_names(name)}
    predicted = predictions[[f"survival_{time:g}_year" for time in times]].to_numpy(float)
    of_score, of_nothing = _brier_names(name)
    return {
        of_score: lambda rows: integrated_brier_score(durations[rows], events[rows], predicted[rows], times),
        of_nothing: lambda rows: integrated_brier_score(durations[rows], events[rows], reference[rows], times),
    }


def _brier_names(name: str) -> tuple[str, str]:
    return f"{name}_integrated_brier_score", f"{name}_integrated_brier_score_of_no_score"


def _brier_notes(people: pd.DataFrame, name: str) -> dict[str, str]:
    horizon = usable_horizon(people["followup_years"].to_numpy(float))
    if horizon is None:
        return {}
    span = f"up to {horizon:g} years; lower is better"
    of_score, of_nothing = _brier_names(name)
    return {
        of_score: f"{span}; Cox model of the score alone, each person predicted by one of the other folds",
        of_nothing: f"{span}; everybody given the Kaplan-Meier curve of all, to compare with",
    }


def _hazard_ratios(people: pd.DataFrame, column: str, name: str, clinical: tuple[Covariate, ...]) -> Iterator[Finding]:
    score = Covariate(column, column, "continuous", per=None)
    yield hazard_ratio(people, (score,), f"{name}_hazard_ratio_per_sd", note="not adjusted")
    if clinical:
        note = f"adjusted for {', '.join(covariate.name for covariate in clinical)}"
        yield hazard_ratio(people, (score, *clinical), f"{name}_adjusted_hazard_ratio_per_sd", note=note)


def _against_truth(people: pd.DataFrame, scores: Mapping[str, str], resampling: Resampling) -> list[Finding]:
    """The C of the linear predictor survival was simulated from, and how far each score stays behind it."""
    truth = c_index_of(people, TRUE_RISK)
    short = {
        f"{name}_c_index_short_of_true_risk": difference(truth, c_index_of(people, column))
        for column, name in scores.items()
    }
    return measure_all(
        {"true_risk_c_index": truth, **short},
        people["person"].to_numpy(np.int64),
        resampling,
        counts_photos=False,
        events=int(people["event"].sum()),
        notes={"true_risk_c_index": "of the linear predictor survival was simulated from: no score can do better"},
    )


def _of_subgroup(
    people: pd.DataFrame, members: pd.DataFrame, column: str, name: str, group: str, level: str, resampling: Resampling
) -> list[Finding]:
    """C and hazard ratio within a subgroup; one unit is the SD over all people, so that subgroups can be compared."""
    found = measure_all(
        {f"{name}_c_index": c_index_of(members, column)},
        members["person"].to_numpy(np.int64),
        resampling,
        group_name=group,
        level=level,
        counts_photos=False,
        events=int(members["event"].sum()),
    )
    spread = float(people[column].std(ddof=1))
    metric = f"{name}_hazard_ratio_per_sd"
    if not spread > 0:
        note = f"{column} is the same for everyone"
        return [*found, Finding(metric, None, group, level, people=len(members), note=note)]
    score = Covariate(column, column, "continuous", per=spread)
    return [*found, hazard_ratio(members, (score,), metric, group_name=group, level=level)]


def _refused(reason: str) -> Measure:
    def measure(rows: Rows) -> float:
        raise NotComputable(reason)

    return measure


def _survival_at(durations: np.ndarray, events: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Kaplan-Meier's curve of all, at some times within follow-up."""
    curve = kaplan_meier(durations, events)
    at = np.searchsorted(curve["time_years"].to_numpy(), times, side="right") - 1
    return curve["survival"].to_numpy()[at]
