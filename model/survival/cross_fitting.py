"""Predictions for persons from models fitted on other persons only.

Each person belongs to one fold by a hash of the person id, so a person keeps the fold whoever else joins the cohort.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from model.survival.calibration import complementary_log_log
from model.survival.compiled import compiled
from model.survival.cox import CoxFit, Described, fit_prepared
from model.survival.design import Covariate
from model.survival.errors import FitRefused
from model.survival.fit_columns import FitColumns
from model.survival.leaving_out import learns_of_rows, those_left_out, without
from model.survival.mapping import mapped
from model.survival.predicted_survival import SurvivalPredictor, interval_of
from model.survival.prepared import Prepared
from model.survival.risk_sets import Floats, Integers
from model.survival.sharing import FEWEST_ROWS, remembered


def survival_column(horizon_years: float) -> str:
    """Name of the column of predicted survival at a horizon: survival_1_year (`_lower`, `_upper`: its interval)."""
    return f"survival_{horizon_years:g}_year"


def cross_fitted_risk(
    frame: pd.DataFrame,
    covariates: tuple[Covariate, ...],
    *,
    folds: int,
    horizons_years: tuple[float, ...],
    entry: str | None = None,
    strata: tuple[str, ...] = (),
    cluster: str | None = None,
    weights: str | None = None,
    times_years: tuple[float, ...] = (),
    others_of: Callable[[int], pd.DataFrame] | None = None,
    detailed: bool = True,
) -> pd.DataFrame:
    """Predict each person from the model refitted without the person's fold.

    Args:
        frame: one row a person: `person_id`, `followup_years`, `event` and the covariates' columns; with several rows a
            person all of them are of one fold.
        covariates: of the model.
        folds: number of folds, at least 2.
        horizons_years: when to predict survival.
        entry, strata, cluster, weights: columns, as `fit_cox` takes them.
        times_years: when to predict survival besides, without an interval.
        detailed: with standard errors, intervals, percentiles and quartiles; without, what measures need alone.
        others_of: whom a fold's people are predicted from, by number of the fold; None: the others in `frame`.

    Returns:
        One row a person in the order of `frame`: person_id, fold, log_risk (centred on the persons of its fit),
        log_risk_standard_error, ranked_by (log_risk; with strata log(-log S) at the last horizon), percentile (0 to
        100) and quartile (1 to 4) of it, and `survival_<h>_year` for each horizon, with `_lower` and `_upper` of its
        95 % interval; and `survival_<t>_year` for each of the other times.

    Raises:
        FitRefused: one of the refits was refused, or followed nobody as long as a horizon.
    """
    crossing = CrossFitting(
        frame,
        covariates,
        folds=folds,
        horizons_years=horizons_years,
        columns=FitColumns(entry=entry, strata=strata, cluster=cluster, weights=weights, quick=True),
        times_years=times_years,
        others_of=others_of,
        detailed=detailed,
    )
    return crossing.joined([crossing.predict(fold) for fold in crossing.folds]).table()


@dataclass(frozen=True)
class PredictedFold:
    """The people of a fold, as the model of the others predicts them.

    Survival at any time follows from a person's log-risk and the hazards of the model in the person's stratum.

    Attributes:
        rows: of the frame, (persons,); what follows is in their order.
        log_risk, strata: of each person.
        hazards: cumulative baseline hazards, by stratum and by `CrossFitting.times`, (strata, times).
        errors: standard errors of the log-risk and of what the horizons' intervals are made of, (persons,) each; none
            where only points are asked for.
    """

    rows: Integers
    log_risk: Floats
    strata: Integers
    hazards: Floats
    errors: tuple[Floats, ...]


class CrossFitting:
    """The predictions of `cross_fitted_risk`, which says what the arguments are, one fold at a time.

    Attributes:
        frame, columns, detailed: as given.
        fold: of each row, (rows,).
        horizons, times: as given, and all times that survival is predicted for, the horizons first.
        intervals: the times, the first ones, at which it has an interval.
    """

    def __init__(
        self,
        frame: pd.DataFrame,
        covariates: tuple[Covariate, ...],
        *,
        folds: int,
        horizons_years: tuple[float, ...],
        columns: FitColumns,
        times_years: tuple[float, ...] = (),
        others_of: Callable[[int], pd.DataFrame] | None = None,
        detailed: bool = True,
    ) -> None:
        """Tell the folds apart; `columns` says by what the model is fitted besides its covariates."""
        self.frame, self.columns, self.detailed, self.horizons = frame, columns, detailed, horizons_years
        self.fold = folds_of(frame["person_id"].to_numpy(), folds)
        self.times = (*horizons_years, *(time for time in times_years if time not in horizons_years))
        self.intervals = horizons_years if detailed else ()
        self._refits = _Refits(frame, covariates, columns, self.fold, others_of)

    @property
    def folds(self) -> list[int]:
        """Numbers of the folds that have people."""
        return [int(fold) for fold in np.unique(self.fold)]

    def predict(self, fold: int) -> PredictedFold:
        """The people of a fold.

        Raises:
            FitRefused: the refit was refused, or followed nobody of somebody's stratum as long as one of the times.
        """
        try:
            people = self._refits.without(fold)
            occurring = np.unique(people.strata)
            hazards = np.zeros((len(people.fit.baselines), len(self.times)))
            for number, time in enumerate(self.times):
                hazards[:, number] = people.fit.cumulative_hazards(occurring, time)
            errors: tuple[Floats, ...] = ()
            if self.detailed:
                errors = tuple(SurvivalPredictor(people.fit).errors(people.described(), self.intervals))
        except FitRefused as refusal:
            raise FitRefused(f"without fold {fold}: {refusal}") from None
        return PredictedFold(people.rows, people.log_risk, people.strata, hazards, errors)

    def joined(self, found: Sequence[PredictedFold]) -> CrossFitted:
        """The people of all folds."""
        return CrossFitted(self, _in_rows(found, len(self.frame)))


@dataclass(frozen=True)
class CrossFitted:
    """Everybody's predictions, in as few numbers as they follow from.

    Attributes:
        crossing: whose predictions they are.
        people: everybody as one fold, in the order of the frame.
    """

    crossing: CrossFitting
    people: PredictedFold

    def ranked_by(self) -> Floats:
        """What people are ranked by, as in the table, (rows,)."""
        # Log-risks of different strata leave out how different their baselines are.
        if not self.crossing.columns.strata:
            return self.people.log_risk
        last = self.crossing.times.index(self.crossing.horizons[-1])
        return complementary_log_log(_survival_at(self.people, last))

    def table(self) -> pd.DataFrame:
        """As `cross_fitted_risk` returns it."""
        crossing, people, ranked_by = self.crossing, self.people, self.ranked_by()
        found = {"log_risk": people.log_risk}
        if crossing.detailed:
            found["log_risk_standard_error"] = people.errors[0]
        for number, time in enumerate(crossing.times):
            name = survival_column(time)
            if number < len(crossing.intervals):
                interval = interval_of(_exposed(people, number), people.errors[number + 1])
                found |= {name: interval.survival, f"{name}_lower": interval.lower, f"{name}_upper": interval.upper}
            else:
                found[name] = _survival_at(people, number)
        found["ranked_by"] = ranked_by
        if crossing.detailed:
            found |= ranks_of(ranked_by)
        of_people = {"person_id": crossing.frame["person_id"].to_numpy(), "fold": crossing.fold, **found}
        return pd.DataFrame(of_people, index=crossing.frame.index, copy=False)


HASHED_TOGETHER = 100_000
"""Ids that are hashed in one piece, a twentieth of a second (ours)."""


def _hashed(folds: int, person_ids: NDArray[np.int64]) -> NDArray[np.int64]:
    digests = b"".join([hashlib.sha256(b"%d" % person).digest() for person in person_ids.tolist()])
    return (np.frombuffer(digests, dtype=">u8")[::4] % folds).astype(np.int64)


def folds_of(person_ids: NDArray[np.int64], folds: int) -> NDArray[np.int64]:
    """The fold of each person, 0 to `folds` - 1: SHA-256 of the id in decimals, its first 8 bytes modulo `folds`."""

    def hashed() -> NDArray[np.int64]:
        parts = np.array_split(person_ids, max(1, len(person_ids) // HASHED_TOGETHER))
        return np.concatenate(mapped(partial(_hashed, folds), parts, size=len(person_ids)))

    return remembered(("folds", folds), (person_ids,), hashed)


@dataclass(frozen=True)
class _OfFold:
    """The people of a fold, as the model of the others sees them.

    Attributes:
        fit: the model.
        rows: of the frame, (persons,); what follows is in their order.
        log_risk, strata: of each person.
        described: gives all that the model sees.
    """

    fit: CoxFit
    rows: Integers
    log_risk: Floats
    strata: Integers
    described: Callable[[], Described]


def _in_rows(found: Sequence[PredictedFold], rows: int) -> PredictedFold:
    """All folds as one, in the order of the frame; strata are those of the fold's model."""
    log_risk, strata = np.empty(rows), np.empty(rows, dtype=np.int64)
    errors = tuple(np.empty(rows) for _ in found[0].errors) if found else ()
    before = 0
    for people in found:
        log_risk[people.rows] = people.log_risk
        strata[people.rows] = people.strata + before
        before += len(people.hazards)
        for of_all, of_fold in zip(errors, people.errors, strict=True):
            of_all[people.rows] = of_fold
    hazards = np.concatenate([people.hazards for people in found])
    return PredictedFold(np.arange(rows), log_risk, strata, hazards, errors)


def _exposed(people: PredictedFold, time: int) -> Floats:
    """Cumulative hazard of each person at the time of this number, (rows,)."""
    exposed = np.exp(people.log_risk)
    _expose(np.ascontiguousarray(people.hazards[:, time]), people.strata, exposed)
    return exposed


def _survival_at(people: PredictedFold, time: int) -> Floats:
    """Survival of each person at the time of this number, (rows,)."""
    survival = _exposed(people, time)
    np.negative(survival, out=survival)
    return np.exp(survival, out=survival)


@compiled
def _expose(hazards: Floats, whose: Integers, exposed: Floats) -> None:
    """Turn each person's relative risk into their cumulative hazard: times the one of their number, (persons,)."""
    for person in range(len(exposed)):
        exposed[person] *= hazards[whose[person]]


@dataclass(frozen=True)
class _Refits:
    """The model of each fold's others, as `cross_fitted_risk` takes its arguments."""

    frame: pd.DataFrame
    covariates: tuple[Covariate, ...]
    columns: FitColumns
    person_fold: Integers
    others_of: Callable[[int], pd.DataFrame] | None

    def without(self, fold: int) -> _OfFold:
        """The fit of the others, and the fold's people."""
        left_out = remembered(("fold", fold), (self.person_fold,), lambda: self.person_fold == fold)
        if self._whole is not None:
            try:
                fit = fit_prepared(without(self._whole, left_out), quick=True)
                people = those_left_out(self._whole, left_out, fit)
                return _OfFold(fit, people.rows, people.log_risk(), people.strata, people.described)
            except FitRefused:
                # The others may lack a level that the whole has: a design of their own says what that means.
                pass
        others = self.frame[~left_out] if self.others_of is None else self.others_of(fold)
        fit, own = self.columns.fit(others, self.covariates), self.frame[left_out]
        described = partial(fit.described, own)
        return _OfFold(fit, np.flatnonzero(left_out), fit.log_risk(own), fit.stratum_numbers(own), described)

    @cached_property
    def _whole(self) -> Prepared | None:
        """Everybody made ready, where that serves all folds and is worth it."""
        if self.others_of is not None or len(self.frame) < FEWEST_ROWS:
            return None
        try:
            whole = self.columns.prepare(self.frame, self.covariates)
        except FitRefused:
            return None
        return None if learns_of_rows(whole.design) else whole


def ranks_of(risk: Floats) -> dict[str, NDArray[Any]]:
    """Percentile (0 to 100) and quartile (1 to 4) of each risk, (persons,) each."""
    ranks = np.empty(len(risk), dtype=np.int64)
    _rank(risk, np.argsort(risk), ranks)
    persons = max(len(ranks), 1)
    quartile = np.clip(np.ceil(4 * ranks / persons), 1, 4).astype(int)
    return {"percentile": 100.0 * ranks / persons, "quartile": quartile}


@compiled
def _rank(risk: Floats, order: Integers, ranks: Integers) -> None:
    """Write how many risks each is no smaller than into `ranks`, (persons,); `order` is ascending."""
    rank = len(order)
    for place in range(len(order) - 1, -1, -1):
        if place < len(order) - 1 and risk[order[place]] != risk[order[place + 1]]:
            rank = place + 1
        ranks[order[place]] = rank
