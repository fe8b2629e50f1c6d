"""Members with a model's predictions of them, and what is measured on the two."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from jobs.risk.models import brier_times, drawn_together
from model.survival.bootstrap import Measure, Rows
from model.survival.brier import brier_scores, integrated_brier_score
from model.survival.calibration import calibration_curve
from model.survival.concordance import compared, dynamic_auc, harrells_c_of, unos_c_of
from model.survival.cross_fitting import survival_column
from model.survival.pair_counts import PairCounts, Timeline
from schemas.cohort import Cohort

OF_ALL_HORIZONS = None
"""Horizon of a number that has none."""

EVERYBODY = slice(None)
"""Rows of everybody, in their order."""

Key = tuple[str, float | None]
"""Metric and horizon."""


@dataclass(frozen=True)
class Judged:
    """Members with a model's cross-fitted predictions of them.

    Attributes:
        durations, events: (members,).
        risk: what they are ranked by, (members,).
        survival: predicted probability to be free of the event, by horizon, (members,).
        over_time: the same, by the times the Brier score is integrated over.
        persons: whose row it is, or which cluster's, (members,).
    """

    durations: np.ndarray
    events: np.ndarray
    risk: np.ndarray
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
            risk=predicted["ranked_by"].to_numpy(float),
            survival=survival(cohort.declared.endpoint.horizons_years),
            over_time=survival(brier_times(cohort)),
            persons=drawn_together(members, cohort),
        )

    def ranked(self, rows: np.ndarray) -> Judged:
        """Some of the members (a mask, or row numbers) with their risks, and without survival."""
        return Judged(
            durations=self.durations[rows],
            events=self.events[rows],
            risk=self.risk[rows],
            survival={},
            over_time={},
            persons=self.persons[rows],
        )


class _Outcomes:
    """What several measures need of the same rows' follow-up: it is worked out for the first, and kept for the next."""

    def __init__(self, durations: np.ndarray, events: np.ndarray, risk: np.ndarray) -> None:
        self._durations, self._events, self._risk = durations, events, risk
        self._rows: Rows | slice = np.empty(0, dtype=np.int64)

    def of(self, rows: Rows) -> tuple[Rows | slice, Timeline, PairCounts]:
        """The rows (everybody as a slice, which copies nothing), ends of follow-up, and pairs compared."""
        if rows is not self._rows:
            some = EVERYBODY if _is_everybody(rows, len(self._durations)) else rows
            self._found = some, *compared(self._durations[some], self._events[some], self._risk[some])
            self._rows = rows
        return self._found


def _is_everybody(rows: Rows, people: int) -> bool:
    return len(rows) == people and bool(rows[0] == 0) and bool((np.diff(rows) == 1).all())


def rank_measures(judged: Judged, outcomes: _Outcomes | None = None) -> dict[Key, Measure]:
    """Harrell's C, which asks for risks alone.

    Args:
        judged: whom it is about.
        outcomes: of the same, where other measures share them.
    """
    shared = outcomes or _Outcomes(judged.durations, judged.events, judged.risk)

    def harrell(rows: Rows) -> float:
        _, timeline, pairs = shared.of(rows)
        return harrells_c_of(timeline, pairs).c_index

    return {("harrells_c", OF_ALL_HORIZONS): _once_for_everybody(harrell, len(judged.durations))}


def quick_measures(judged: Judged) -> dict[Key, Measure]:
    """Measures that cost little: they are bootstrapped."""
    durations, events, risk = judged.durations, judged.events, judged.risk
    horizons = tuple(judged.survival)
    outcomes = _Outcomes(durations, events, risk)

    def uno(rows: Rows) -> float:
        _, timeline, pairs = outcomes.of(rows)
        return unos_c_of(timeline, pairs, tau=horizons[-1])

    def auc(horizon: float) -> Measure:
        def measured(rows: Rows) -> float:
            some, timeline, _ = outcomes.of(rows)
            return dynamic_auc(durations[some], events[some], risk[some], horizon, censoring=timeline.censoring)

        return measured

    def brier(horizon: float) -> Measure:
        survival, at = judged.survival[horizon][:, None], np.array([horizon])

        def measured(rows: Rows) -> float:
            some, timeline, _ = outcomes.of(rows)
            known = timeline.censoring
            return float(brier_scores(durations[some], events[some], survival[some], at, censoring=known)[0])

        return measured

    measures: dict[Key, Measure] = {
        ("unos_c", horizons[-1]): uno,
        **{("auc", horizon): auc(horizon) for horizon in horizons},
        **{("brier", horizon): brier(horizon) for horizon in horizons},
    }
    once = {key: _once_for_everybody(measure, len(durations)) for key, measure in measures.items()}
    return rank_measures(judged, outcomes) | once


def _once_for_everybody(measure: Measure, people: int) -> Measure:
    """The same measure; that of everybody, which an interval and a table ask for, is computed once."""
    known: list[float] = []

    def measured(rows: Rows) -> float:
        if not _is_everybody(rows, people):
            return measure(rows)
        if not known:
            known.append(measure(rows))
        return known[0]

    return measured


def slow_measures(judged: Judged) -> dict[Key, Measure]:
    """Measures that cost a fit or a pass over many times: they have no bootstrap interval."""
    durations, events = judged.durations, judged.events
    # A column a time, one after the other in memory.
    times, survival = np.array(tuple(judged.over_time)), np.stack(list(judged.over_time.values())).T

    def curve(horizon: float) -> Measure:
        predicted = judged.survival[horizon]

        def measured(rows: Rows) -> float:
            some = EVERYBODY if _is_everybody(rows, len(durations)) else rows
            return calibration_curve(durations[some], events[some], predicted[some], horizon).ici

        return measured

    def brier(rows: Rows) -> float:
        some = EVERYBODY if _is_everybody(rows, len(durations)) else rows
        return integrated_brier_score(durations[some], events[some], survival[some], times)

    return {
        **{("integrated_calibration_index", horizon): curve(horizon) for horizon in judged.survival},
        ("integrated_brier", float(times[-1])): brier,
    }
