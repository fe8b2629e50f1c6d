"""How well predictions do where observation begins late or rows have weights: what is sound then, and why not the rest.

Only persons who are at risk together are compared, each pair with the product of its weights, as R's `concordance` does
with start and stop; observed probabilities are Kaplan-Meier's with late entry.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from jobs.risk.declared import model_covariates
from jobs.risk.findings import ALL, CalibrationGroup, Performance
from jobs.risk.levels import levels_of
from jobs.risk.models import drawn_together
from model.errors import NotComputable
from model.evaluation.measuring import measure_all
from model.survival.bootstrap import Resampling, Rows, bootstrap_intervals
from model.survival.calibration import (
    calibration_curve,
    calibration_groups,
    calibration_in_the_large,
    calibration_slope,
)
from model.survival.cross_fitting import survival_column
from model.survival.delta_concordance import DeltaConcordance
from model.survival.errors import FitRefused
from model.survival.fitted_concordance import fitted_concordance
from model.survival.risk_sets import Outcome
from schemas.cohort import Cohort

LATE = "not made for late entry: it weighs by censoring alone, as if everybody were followed from the origin"
WEIGHTED = "not made for weights"


@dataclass(frozen=True)
class AtRisk:
    """Members with what makes them comparable, (members,) each, and predictions of them.

    Attributes:
        durations, events, entry, weights: of follow-up; everybody's entry is 0, or weight 1, where none is declared.
        persons: whose row it is, or which cluster's.
    """

    durations: np.ndarray
    events: np.ndarray
    entry: np.ndarray
    weights: np.ndarray
    persons: np.ndarray

    @classmethod
    def of(cls, frame: pd.DataFrame, cohort: Cohort) -> AtRisk:
        """Read from the cohort's columns."""
        declared = cohort.declared
        return cls(
            durations=frame["followup_years"].to_numpy(float),
            events=frame["event"].to_numpy(bool),
            entry=np.zeros(len(frame)) if declared.entry is None else frame[declared.entry].to_numpy(float),
            weights=np.ones(len(frame)) if declared.weights is None else frame[declared.weights].to_numpy(float),
            persons=drawn_together(frame, cohort),
        )

    def concordance(self, log_risk: np.ndarray, rows: Rows) -> float:
        """Harrell's C of some rows.

        Raises:
            NotComputable: no two of them were at risk together.
        """
        outcome = Outcome(
            self.durations[rows],
            self.events[rows],
            np.zeros(len(rows), dtype=np.int64),
            self.weights[rows],
            self.entry[rows],
        )
        try:
            return fitted_concordance(outcome, log_risk[rows])
        except FitRefused as reason:
            raise NotComputable(str(reason)) from None


def is_plain(cohort: Cohort) -> bool:
    """Whether everybody is followed from the origin and counts once, which most measures ask for."""
    return cohort.declared.entry is None and cohort.declared.weights is None


def measured_at_risk(
    name: str, frame: pd.DataFrame, predicted: pd.DataFrame, cohort: Cohort, resampling: Resampling
) -> Iterator[Performance]:
    """Harrell's C, by group as well; calibration where rows have no weights; and why there is nothing else."""
    yield _concordance(name, frame, predicted, cohort, resampling)
    subgroups = cohort.declared.subgroups
    if subgroups is not None and name == cohort.declared.prediction.model:
        covariates = model_covariates(cohort)
        for group in subgroups.by:
            for level, within in levels_of(frame, covariates[group]).items():
                yield _concordance(
                    name, frame[within], predicted[within], cohort, resampling, group_name=group, level=level
                )
    horizons = cohort.declared.endpoint.horizons_years
    if cohort.declared.weights is None:
        for horizon in horizons:
            yield from _calibration(name, frame, predicted[survival_column(horizon)].to_numpy(float), horizon, cohort)
        yield _slope(name, frame, predicted[survival_column(horizons[-1])].to_numpy(float), cohort)
    reason = LATE if cohort.declared.weights is None else WEIGHTED
    yield _refused(name, frame, "unos_c", horizons[-1], reason)
    for horizon in horizons:
        yield _refused(name, frame, "auc", horizon, reason)
        yield _refused(name, frame, "brier", horizon, reason)


def calibration_at_risk(
    name: str, frame: pd.DataFrame, predicted: pd.DataFrame, cohort: Cohort
) -> Iterator[CalibrationGroup]:
    """Predicted beside observed by group of prediction; nothing where rows have weights."""
    if cohort.declared.weights is not None:
        return
    one = AtRisk.of(frame, cohort)
    for horizon in cohort.declared.endpoint.horizons_years:
        survival = predicted[survival_column(horizon)].to_numpy(float)
        for group in calibration_groups(one.durations, one.events, survival, horizon, entry=one.entry):
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


def gain_at_risk(
    frame: pd.DataFrame, larger: np.ndarray, smaller: np.ndarray, cohort: Cohort, resampling: Resampling
) -> DeltaConcordance:
    """Gain in C, of pairs at risk together.

    Args:
        frame: the members.
        larger, smaller: cross-fitted log-risks, (members,).
        cohort: what was declared.
        resampling: of the interval.

    Raises:
        NotComputable: no two members were at risk together.
    """
    one = AtRisk.of(frame, cohort)
    everybody = np.arange(len(frame))
    of_larger, of_smaller = one.concordance(larger, everybody), one.concordance(smaller, everybody)

    def gain(rows: Rows) -> float:
        return one.concordance(larger, rows) - one.concordance(smaller, rows)

    interval = bootstrap_intervals({"gain": gain}, one.persons, resampling).get("gain")
    return DeltaConcordance(
        larger=of_larger,
        smaller=of_smaller,
        gain=of_larger - of_smaller,
        ci_lower=interval.lower if interval else None,
        ci_upper=interval.upper if interval else None,
    )


def _concordance(
    name: str,
    frame: pd.DataFrame,
    predicted: pd.DataFrame,
    cohort: Cohort,
    resampling: Resampling,
    *,
    group_name: str = ALL,
    level: str = ALL,
) -> Performance:
    one, log_risk = AtRisk.of(frame, cohort), predicted["ranked_by"].to_numpy(float)
    (found,) = measure_all(
        {"harrells_c": lambda rows: one.concordance(log_risk, rows)},
        one.persons,
        resampling,
        counts_photos=False,
        events=int(one.events.sum()),
    )
    return Performance(
        model_name=name,
        metric="harrells_c",
        horizon_years=None,
        persons=len(frame),
        events=int(one.events.sum()),
        estimate=found.estimate,
        lower_95=found.lower_95,
        upper_95=found.upper_95,
        note=found.note,
        group_name=group_name,
        level=level,
    )


def _calibration(
    name: str, frame: pd.DataFrame, survival: np.ndarray, horizon: float, cohort: Cohort
) -> Iterator[Performance]:
    one = AtRisk.of(frame, cohort)
    try:
        large = calibration_in_the_large(one.durations, one.events, survival, horizon, entry=one.entry)
    except NotComputable as reason:
        yield _refused(name, frame, "calibration_in_the_large", horizon, str(reason))
    else:
        yield _of(name, frame, "calibration_in_the_large", horizon, large.ratio, large.ci_lower, large.ci_upper)
    try:
        curve = calibration_curve(one.durations, one.events, survival, horizon, entry=one.entry)
    except NotComputable as reason:
        yield _refused(name, frame, "integrated_calibration_index", horizon, str(reason))
    else:
        yield _of(name, frame, "integrated_calibration_index", horizon, curve.ici)


def _slope(name: str, frame: pd.DataFrame, survival: np.ndarray, cohort: Cohort) -> Performance:
    one = AtRisk.of(frame, cohort)
    try:
        clusters = None if cohort.declared.cluster is None else one.persons
        slope = calibration_slope(one.durations, one.events, survival, entry=one.entry, clusters=clusters)
    except NotComputable as reason:
        return _refused(name, frame, "calibration_slope", None, str(reason))
    return _of(name, frame, "calibration_slope", None, slope.slope, slope.ci_lower, slope.ci_upper)


def _of(
    name: str,
    frame: pd.DataFrame,
    metric: str,
    horizon: float | None,
    estimate: float | None,
    lower: float | None = None,
    upper: float | None = None,
    *,
    note: str | None = None,
) -> Performance:
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


def _refused(name: str, frame: pd.DataFrame, metric: str, horizon: float | None, reason: str) -> Performance:
    return _of(name, frame, metric, horizon, None, note=reason)
