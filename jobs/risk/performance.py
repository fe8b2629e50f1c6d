"""How well the models predict persons they were not fitted on: discrimination, calibration, error."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import pandas as pd

from jobs.risk.at_risk import calibration_at_risk, is_plain, measured_at_risk
from jobs.risk.declared import model_covariates
from jobs.risk.findings import CalibrationGroup, Decision, Performance
from jobs.risk.judged import OF_ALL_HORIZONS, Judged, Key, concordance_of, quick_measures, slow_measures
from jobs.risk.levels import levels_of
from jobs.risk.models import Predicted, columns_of, covariates_of, frame_of
from model.errors import NotComputable
from model.evaluation.measuring import measure_all
from model.survival.bootstrap import LARGEST_RESAMPLE, Measure, Resampling
from model.survival.calibration import calibration_groups, calibration_in_the_large, calibration_slope
from model.survival.decision_curve import decision_curve
from model.survival.errors import FitRefused
from model.survival.optimism import optimism
from model.survival.sharing import sharing
from schemas.cohort import Cohort


@dataclass(frozen=True)
class Measured:
    """Everything found about how well the models predict."""

    measured: list[Performance]
    calibration: list[CalibrationGroup] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)


def performance_works(
    members: pd.DataFrame, cohort: Cohort, predictions: Mapping[str, Predicted]
) -> list[Callable[[], Measured]]:
    """Works that measure every predicted model overall, and the model of the patients' predictions by group as well.

    They need nothing of each other; what they find is to be put `together`.
    """
    works: list[Callable[[], Measured]] = []
    for name, predicted in predictions.items():
        works.append(partial(_of_model, name, predicted, members, cohort))
        if name != cohort.declared.prediction.model or predicted.predictions is None:
            continue
        if cohort.declared.weights is None:
            works.append(partial(_optimism_of, name, members, cohort))
        if is_plain(cohort):
            works.append(partial(_groups_of, name, predicted, members, cohort))
    return works


def together(parts: Sequence[Measured]) -> Measured:
    """Everything that the parts found."""
    return Measured(
        measured=[one for part in parts for one in part.measured],
        calibration=[one for part in parts for one in part.calibration],
        decisions=[one for part in parts for one in part.decisions],
    )


def _of_model(name: str, predicted: Predicted, members: pd.DataFrame, cohort: Cohort) -> Measured:
    """What is measured on all members."""
    frame = frame_of(members, cohort, cohort.declared.models[name])
    if predicted.predictions is None:
        return Measured([_refused(name, "harrells_c", OF_ALL_HORIZONS, frame, predicted.reason)])
    table = predicted.table()
    if not is_plain(cohort):
        return Measured(
            list(measured_at_risk(name, frame, table, cohort, resampling_of(cohort))),
            list(calibration_at_risk(name, frame, table, cohort)),
        )
    judged = Judged.of(frame, table, cohort)
    # What is ranked and smoothed of a model's predictions serves no other model.
    with sharing():
        decisions = list(_decisions(name, judged)) if name == cohort.declared.prediction.model else []
        return Measured(list(_measured(name, frame, judged, cohort)), list(_calibration(name, judged)), decisions)


def _optimism_of(name: str, members: pd.DataFrame, cohort: Cohort) -> Measured:
    return Measured(list(_optimism(name, frame_of(members, cohort, cohort.declared.models[name]), cohort)))


def _groups_of(name: str, predicted: Predicted, members: pd.DataFrame, cohort: Cohort) -> Measured:
    frame = frame_of(members, cohort, cohort.declared.models[name])
    return Measured(list(_by_group(name, frame, Judged.of(frame, predicted.table(), cohort), cohort)))


def _measured(name: str, frame: pd.DataFrame, judged: Judged, cohort: Cohort) -> Iterator[Performance]:
    """Everything about everybody; what costs a model fit each time has no bootstrap interval."""
    whose, events = judged.persons, int(judged.events.sum())
    yield from _findings(name, quick_measures(judged), whose, events, resampling_of(cohort))
    yield from _findings(name, slow_measures(judged), whose, events, Resampling(repeats=0))
    for horizon, survival in judged.survival.items():
        yield _in_the_large(name, frame, judged, horizon, survival)
    yield _slope(name, frame, judged, cohort)


def _in_the_large(name: str, frame: pd.DataFrame, judged: Judged, horizon: float, survival: np.ndarray) -> Performance:
    metric = "calibration_in_the_large"
    try:
        large = calibration_in_the_large(judged.durations, judged.events, survival, horizon)
    except NotComputable as reason:
        return _refused(name, metric, horizon, frame, str(reason))
    note = f"observed {large.observed:.3f}, predicted {large.predicted:.3f}"
    return _of(frame, name, metric, horizon, large.ratio, note=note, lower=large.ci_lower, upper=large.ci_upper)


def _slope(name: str, frame: pd.DataFrame, judged: Judged, cohort: Cohort) -> Performance:
    last = tuple(judged.survival)[-1]
    try:
        clusters = None if cohort.declared.cluster is None else judged.persons
        slope = calibration_slope(judged.durations, judged.events, judged.survival[last], clusters=clusters)
    except NotComputable as reason:
        return _refused(name, "calibration_slope", OF_ALL_HORIZONS, frame, str(reason))
    return _of(
        frame, name, "calibration_slope", OF_ALL_HORIZONS, slope.slope, lower=slope.ci_lower, upper=slope.ci_upper
    )


def _optimism(name: str, frame: pd.DataFrame, cohort: Cohort) -> Iterator[Performance]:
    """What the model seems to do on its own persons, and by how much it flatters itself (Harrell's bootstrap)."""
    metrics = ("apparent_c", "c_optimism", "corrected_c", "corrected_slope")
    model = cohort.declared.models[name]
    if not cohort.declared.resampling.repeats:
        return
    if any(frame[column].hasnans for column in cohort.covariate_columns):
        reason = "not measured where values are imputed: each resample would have to be imputed anew"
        yield from (_refused(name, metric, OF_ALL_HORIZONS, frame, reason) for metric in metrics)
        return
    try:
        found = optimism(
            frame,
            covariates_of(cohort, model),
            columns=replace(columns_of(cohort, model), quick=True),
            person=cohort.declared.cluster,
            resampling=resampling_of(cohort),
        )
    except (FitRefused, NotComputable) as reason:
        yield from (_refused(name, metric, OF_ALL_HORIZONS, frame, str(reason)) for metric in metrics)
        return
    told = (found.apparent_c, found.c_optimism, found.corrected_c, found.corrected_slope)
    for metric, estimate in zip(metrics, told, strict=True):
        note = None if metric == "apparent_c" else f"mean of {found.draws} bootstrap draws"
        yield _of(frame, name, metric, OF_ALL_HORIZONS, estimate, note=note)


def _of(
    frame: pd.DataFrame,
    name: str,
    metric: str,
    horizon: float | None,
    estimate: float | None,
    *,
    note: str | None = None,
    lower: float | None = None,
    upper: float | None = None,
) -> Performance:
    """A number about everybody in `frame`."""
    return Performance(
        model_name=name,
        metric=metric,
        horizon_years=horizon,
        persons=len(frame),
        events=int(frame["event"].sum()),
        estimate=estimate,
        lower_95=lower,
        upper_95=upper,
        note=note,
    )


def _refused(name: str, metric: str, horizon: float | None, frame: pd.DataFrame, reason: str | None) -> Performance:
    return _of(frame, name, metric, horizon, None, note=reason)


def _by_group(name: str, frame: pd.DataFrame, judged: Judged, cohort: Cohort) -> Iterator[Performance]:
    """Harrell's C within each subgroup: a model may rank some people worse than others."""
    subgroups = cohort.declared.subgroups
    if subgroups is None:
        return
    covariates = model_covariates(cohort)
    for group in subgroups.by:
        for level, within in levels_of(frame, covariates[group]).items():
            rows = np.flatnonzero(within)
            measures, events = concordance_of(judged.ranking_of(rows)), int(judged.events[rows].sum())
            # The group's resamples are nobody else's.
            with sharing():
                found = list(_findings(name, measures, judged.persons[rows], events, resampling_of(cohort)))
            yield from (replace(one, group_name=group, level=level) for one in found)


def _decisions(name: str, judged: Judged) -> Iterator[Decision]:
    for horizon, survival in judged.survival.items():
        try:
            curve = decision_curve(judged.durations, judged.events, 1 - survival, horizon)
        except NotComputable:
            continue
        for point in curve:
            yield Decision(
                model_name=name,
                horizon_years=horizon,
                threshold=point.threshold,
                chosen=point.treated,
                net_benefit=point.model,
                of_everybody=point.treat_all,
            )


def _calibration(name: str, judged: Judged) -> Iterator[CalibrationGroup]:
    for horizon, survival in judged.survival.items():
        for group in calibration_groups(judged.durations, judged.events, survival, horizon):
            yield CalibrationGroup(
                model_name=name,
                horizon_years=horizon,
                group_number=group.number,
                persons=group.persons,
                events=group.events,
                predicted=group.predicted,
                observed=group.observed,
                ci_lower=group.ci_lower,
                ci_upper=group.ci_upper,
            )


def _findings(
    name: str,
    measures: Mapping[Key, Measure],
    whose: np.ndarray,
    events: int,
    resampling: Resampling,
) -> Iterator[Performance]:
    keys = {f"{metric} {horizon}": (metric, horizon) for metric, horizon in measures}
    found = measure_all(
        {words: measures[key] for words, key in keys.items()},
        whose,
        resampling,
        counts_photos=False,
        events=events,
    )
    for finding in found:
        metric, horizon = keys[finding.metric]
        yield Performance(
            model_name=name,
            metric=metric,
            horizon_years=horizon,
            persons=len(whose),
            events=events,
            estimate=finding.estimate,
            lower_95=finding.lower_95,
            upper_95=finding.upper_95,
            note=finding.note,
        )


def resampling_of(cohort: Cohort) -> Resampling:
    """How the cohort wants its bootstrap intervals made."""
    declared = cohort.declared.resampling
    return Resampling(repeats=declared.repeats, seed=declared.seed, largest=LARGEST_RESAMPLE)
