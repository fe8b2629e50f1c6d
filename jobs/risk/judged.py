"""Members with a model's predictions of them, and what is measured on the two."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from jobs.risk.models import brier_times
from model.survival.bootstrap import Measure, Rows
from model.survival.brier import brier_scores, integrated_brier_score
from model.survival.calibration import calibration_curve
from model.survival.concordance import dynamic_auc, harrells_c, unos_c
from model.survival.cross_fitting import survival_column
from schemas.cohort import Cohort

OF_ALL_HORIZONS = None
"""Horizon of a number that has none."""

Key = tuple[str, float | None]
"""Metric and horizon."""


@dataclass(frozen=True)
class Judged:
    """Members with a model's cross-fitted predictions of them.

    Attributes:
        durations, events, log_risk: (members,).
        survival: predicted probability to be free of the event, by horizon, (members,).
        over_time: the same, by the times the Brier score is integrated over.
        persons: whose row it is, (members,).
    """

    durations: np.ndarray
    events: np.ndarray
    log_risk: np.ndarray
    survival: dict[float, np.ndarray]
    over_time: dict[float, np.ndarray]
    persons: np.ndarray

    @classmethod
    def of(cls, members: pd.DataFrame, predicted: pd.DataFrame, cohort: Cohort) -> Judged:
        """Put outcome and prediction side by side; both have one row a member, in the same order."""

        def survival(times: tuple[float, ...]) -> dict[float, np.ndarray]:
            return {time: predicted[survival_column(time)].to_numpy(float) for time in times}

        return cls(
            durations=members["followup_years"].to_numpy(float),
            events=members["event"].to_numpy(bool),
            log_risk=predicted["log_risk"].to_numpy(float),
            survival=survival(cohort.declared.endpoint.horizons_years),
            over_time=survival(brier_times(cohort)),
            persons=members["person_id"].to_numpy(np.int64),
        )

    def only(self, rows: np.ndarray) -> Judged:
        """Some of the members: a mask, or row numbers."""
        return Judged(
            durations=self.durations[rows],
            events=self.events[rows],
            log_risk=self.log_risk[rows],
            survival={horizon: values[rows] for horizon, values in self.survival.items()},
            over_time={time: values[rows] for time, values in self.over_time.items()},
            persons=self.persons[rows],
        )


def quick_measures(judged: Judged) -> dict[Key, Measure]:
    """Measures that cost little: they are bootstrapped."""
    durations, events, risk = judged.durations, judged.events, judged.log_risk
    horizons = tuple(judged.survival)

    def harrell(rows: Rows) -> float:
        return harrells_c(durations[rows], events[rows], risk[rows]).c_index

    def uno(rows: Rows) -> float:
        return unos_c(durations[rows], events[rows], risk[rows], tau=horizons[-1])

    def auc(horizon: float) -> Measure:
        return lambda rows: dynamic_auc(durations[rows], events[rows], risk[rows], horizon)

    def brier(horizon: float) -> Measure:
        survival, at = judged.survival[horizon][:, None], np.array([horizon])
        return lambda rows: float(brier_scores(durations[rows], events[rows], survival[rows], at)[0])

    return {
        ("harrells_c", OF_ALL_HORIZONS): harrell,
        ("unos_c", horizons[-1]): uno,
        **{("auc", horizon): auc(horizon) for horizon in horizons},
        **{("brier", horizon): brier(horizon) for horizon in horizons},
    }


def slow_measures(judged: Judged) -> dict[Key, Measure]:
    """Measures that cost a fit or a pass over many times: they have no bootstrap interval."""
    durations, events = judged.durations, judged.events
    times, survival = np.array(tuple(judged.over_time)), np.column_stack(list(judged.over_time.values()))

    def curve(horizon: float) -> Measure:
        predicted = judged.survival[horizon]
        return lambda rows: calibration_curve(durations[rows], events[rows], predicted[rows], horizon).ici

    def brier(rows: Rows) -> float:
        return integrated_brier_score(durations[rows], events[rows], survival[rows], times)

    return {
        **{("integrated_calibration_index", horizon): curve(horizon) for horizon in judged.survival},
        ("integrated_brier", float(times[-1])): brier,
    }
