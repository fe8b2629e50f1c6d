"""Members with a model's predictions of them, and what is measured on the two."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from jobs.risk.models import brier_times, drawn_together
from model.errors import NotComputable
from model.survival.bootstrap import Measure, Rows
from model.survival.brier import brier_score_of, integrated_brier_score_of
from model.survival.calibration import integrated_calibration_index
from model.survival.concordance import compared, dynamic_auc_of, harrells_c_of, unos_c_of
from model.survival.cross_fitting import survival_column
from model.survival.pair_counts import Ranking
from model.survival.timeline import timeline_of
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

    @cached_property
    def ranking(self) -> Ranking | NotComputable:
        """The members by follow-up and rank of risk, or why they cannot be compared."""
        try:
            return compared(self.durations, self.events, self.risk)
        except NotComputable as reason:
            return reason

    def ranking_of(self, rows: Rows) -> Ranking | NotComputable:
        """The same of some of the members, by their row numbers."""
        return self.ranking if isinstance(self.ranking, NotComputable) else self.ranking.of_rows(rows)


class _Rankings:
    """Some of the ranked members for several measures: what is counted for the first is kept for the next."""

    def __init__(self, everybody: Ranking | NotComputable) -> None:
        self._everybody = everybody
        self._rows: Rows = np.empty(0, dtype=np.int64)

    def of(self, rows: Rows) -> tuple[Rows | slice, Ranking]:
        """The rows (everybody as a slice, which copies nothing), ranked.

        Raises:
            NotComputable: the members cannot be compared.
        """
        if isinstance(self._everybody, NotComputable):
            raise NotComputable(str(self._everybody))
        if rows is not self._rows:
            whole = is_everybody(rows, len(self._everybody.ranks))
            self._found = (EVERYBODY, self._everybody) if whole else (rows, self._everybody.of_rows(rows))
            self._rows = rows
        return self._found


def is_everybody(rows: Rows, people: int) -> bool:
    """Whether the rows are those of everybody, in their order."""
    if len(rows) != people or rows[0] != 0 or rows[-1] != people - 1:
        return False
    return bool((rows[1:] > rows[:-1]).all())


def concordance_of(ranking: Ranking | NotComputable) -> dict[Key, Measure]:
    """Harrell's C, which asks for ranks alone, of some members."""
    return {("harrells_c", OF_ALL_HORIZONS): _harrell(_Rankings(ranking))}


def _harrell(rankings: _Rankings) -> Measure:
    return lambda rows: harrells_c_of(rankings.of(rows)[1]).c_index


def quick_measures(judged: Judged) -> dict[Key, Measure]:
    """Measures that cost little: they are bootstrapped."""
    horizons = tuple(judged.survival)
    rankings = _Rankings(judged.ranking)

    def uno(rows: Rows) -> float:
        return unos_c_of(rankings.of(rows)[1], tau=horizons[-1])

    def auc(horizon: float) -> Measure:
        return lambda rows: dynamic_auc_of(rankings.of(rows)[1], horizon)

    def brier(horizon: float) -> Measure:
        survival = judged.survival[horizon]

        def measured(rows: Rows) -> float:
            some, ranking = rankings.of(rows)
            return brier_score_of(ranking.timeline, survival[some], horizon)

        return measured

    return {
        ("harrells_c", OF_ALL_HORIZONS): _harrell(rankings),
        ("unos_c", horizons[-1]): uno,
        **{("auc", horizon): auc(horizon) for horizon in horizons},
        **{("brier", horizon): brier(horizon) for horizon in horizons},
    }


def slow_measures(judged: Judged) -> dict[Key, Measure]:
    """Measures that cost a fit or a pass over many times: they are always of everybody, and have no interval."""
    durations, events, times = judged.durations, judged.events, np.array(tuple(judged.over_time))

    def curve(horizon: float) -> Measure:
        return lambda _: integrated_calibration_index(durations, events, judged.survival[horizon], horizon)

    def brier(_: Rows) -> float:
        return integrated_brier_score_of(timeline_of(durations, events), list(judged.over_time.values()), times)

    return {
        **{("integrated_calibration_index", horizon): curve(horizon) for horizon in judged.survival},
        ("integrated_brier", float(times[-1])): brier,
    }
