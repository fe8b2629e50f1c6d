"""The models a cohort declares, fitted on its members, and what they predict of persons they were not fitted on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jobs.risk.declared import model_covariates
from model.survival.cox import CoxFit
from model.survival.cross_fitting import CrossFitted, CrossFitting, PredictedFold
from model.survival.design import Covariate
from model.survival.errors import FitRefused
from model.survival.fine_gray import FineGrayFit, fit_fine_gray
from model.survival.fit_columns import FitColumns
from model.survival.mapping import in_threads, side_by_side
from model.survival.pooling import PooledFit
from model.survival.sharing import remembered, sharing
from schemas.cohort import Cohort
from schemas.declaration import DeclaredModel

BRIER_TIMES = 20
"""Times the Brier score is integrated over, evenly spaced up to the last horizon (ours)."""

MANY = 100_000
"""Members whose models are worth threads (ours): of fewer, lifelines may fit them, which is not made for threads."""

GOING_THROUGH = 4
"""How often a fit goes through the rows, about (ours)."""

CAUSE = "event_kind"
"""Column a Fine-Gray fit reads what ended follow-up from."""


@dataclass(frozen=True)
class ModelResult:
    """A fitted model, with warnings in `reason`; or none, and why it was refused."""

    fit: CoxFit | FineGrayFit | PooledFit | None
    reason: str | None

    @property
    def cox(self) -> CoxFit | None:
        """The fit, where it is a Cox model: what tests and predictions are made from."""
        return self.fit if isinstance(self.fit, CoxFit) else None

    @property
    def concordance(self) -> float | None:
        """Harrell's C of a Cox model on its own persons; None where no two of them can be compared."""
        try:
            return self.fit.concordance if isinstance(self.fit, CoxFit | PooledFit) else None
        except FitRefused:
            return None

    def with_doubts(self, *doubts: str | None) -> ModelResult:
        """The same with further reasons to doubt it."""
        return ModelResult(self.fit, "; ".join(filter(None, [self.reason, *doubts])) or None)


@dataclass(frozen=True)
class Predicted:
    """Cross-fitted predictions of a model; or none, and why."""

    predictions: pd.DataFrame | CrossFitted | None
    reason: str | None

    def table(self) -> pd.DataFrame:
        """One row a member, as `cross_fitted_risk` gives it; there must be predictions.

        It is made when it is asked for: the tables of all models of a million persons are never held together.
        """
        if self.predictions is None:
            raise ValueError(f"there are no predictions: {self.reason}")
        return self.predictions.table() if isinstance(self.predictions, CrossFitted) else self.predictions

    def ranked_by(self) -> NDArray[np.float64]:
        """What members are ranked by, as in the table, (members,)."""
        if isinstance(self.predictions, CrossFitted):
            return self.predictions.ranked_by()
        return self.table()["ranked_by"].to_numpy(float)


def frame_of(members: pd.DataFrame, cohort: Cohort, model: DeclaredModel) -> pd.DataFrame:
    """The members as a model's method sees them: for a cause-specific hazard, other events are censorings."""
    competing = cohort.declared.competing
    if model.method == "cause_specific" and competing is not None:
        kinds = members[competing.column].to_numpy()
        # One array for all models: what is sorted and encoded for one of them serves the next.
        event = remembered(("event of", competing.of_interest), (kinds,), lambda: kinds == competing.of_interest)
        frame = members.copy(deep=False)
        frame["event"] = event
        return frame
    return members


def drawn_together(members: pd.DataFrame, cohort: Cohort) -> NDArray[np.int64]:
    """Number of what each member is resampled with: the person, or the cluster where one is declared; (members,)."""
    if cohort.declared.cluster is None:
        return members["person_id"].to_numpy(np.int64)
    cluster = members[cohort.declared.cluster].to_numpy()
    return remembered("numbers of clusters", (cluster,), lambda: pd.factorize(cluster)[0].astype(np.int64))


def covariates_of(cohort: Cohort, model: DeclaredModel) -> tuple[Covariate, ...]:
    """A model's covariates, in the order of its table."""
    covariates = model_covariates(cohort)
    return tuple(covariates[name] for name in model.covariates)


def columns_of(cohort: Cohort, model: DeclaredModel) -> FitColumns:
    """What a model is fitted by besides its covariates: its strata, the cohort's entry and clusters."""
    return FitColumns(
        entry=cohort.declared.entry,
        strata=tuple(cohort.column_of(name) for name in model.strata),
        cluster=cohort.declared.cluster,
        weights=cohort.declared.weights,
    )


def fit_models(members: pd.DataFrame, cohort: Cohort) -> dict[str, ModelResult]:
    """Every declared model on the same members, in the order of the declaration."""
    models = cohort.declared.models
    size = len(members) * GOING_THROUGH * len(models) if len(members) >= MANY else 0
    fitted = in_threads([partial(_fitted, members, cohort, model) for model in models.values()], size=size)
    return dict(zip(models, fitted, strict=True))


def brier_times(cohort: Cohort) -> tuple[float, ...]:
    """When survival is predicted for the integrated Brier score, years."""
    last = cohort.declared.endpoint.horizons_years[-1]
    return tuple(last * step / BRIER_TIMES for step in range(1, BRIER_TIMES + 1))


def predict(
    members: pd.DataFrame, cohort: Cohort, models: Mapping[str, ModelResult], names: Sequence[str]
) -> dict[str, Predicted]:
    """Each member predicted by models refitted without the member's fold, by name of the model.

    Args:
        members: the persons analysed.
        cohort: what was declared.
        models: results by name.
        names: of the models that predict.
    """
    crossings = {name: _crossing(members, cohort, name) for name in names if models[name].cox is not None}
    folds = next(iter(crossings.values())).folds if crossings else []
    # What the models of a fold have in common is as large as the cohort, and goes when all have predicted the fold.
    of_folds = side_by_side([partial(_fold_by_each, crossings, fold) for fold in folds])
    return {
        name: _predicted(crossings[name], [of_each[name] for of_each in of_folds])
        if name in crossings
        else Predicted(None, _why_not(models[name]))
        for name in names
    }


def _crossing(members: pd.DataFrame, cohort: Cohort, name: str) -> CrossFitting:
    declared = cohort.declared
    model = declared.models[name]
    return CrossFitting(
        frame_of(members, cohort, model),
        covariates_of(cohort, model),
        folds=declared.prediction.folds,
        horizons_years=declared.endpoint.horizons_years,
        columns=replace(columns_of(cohort, model), quick=True),
        times_years=brier_times(cohort),
        detailed=name == declared.prediction.model,
    )


def _fold_by_each(crossings: Mapping[str, CrossFitting], fold: int) -> dict[str, PredictedFold | FitRefused]:
    found: dict[str, PredictedFold | FitRefused] = {}
    with sharing():
        for name, crossing in crossings.items():
            try:
                found[name] = crossing.predict(fold)
            except FitRefused as refusal:
                found[name] = refusal
    return found


def _predicted(crossing: CrossFitting, found: Sequence[PredictedFold | FitRefused]) -> Predicted:
    folds = []
    for fold in found:
        if isinstance(fold, FitRefused):
            return Predicted(None, str(fold))
        folds.append(fold)
    return Predicted(crossing.joined(folds), None)


def _why_not(result: ModelResult) -> str:
    return f"the model was refused: {result.reason}" if result.fit is None else "no Cox model"


def _fitted(members: pd.DataFrame, cohort: Cohort, model: DeclaredModel) -> ModelResult:
    covariates = covariates_of(cohort, model)
    found: CoxFit | FineGrayFit
    try:
        if model.method == "fine_gray":
            found = _fine_gray(members, cohort, covariates)
        else:
            found = columns_of(cohort, model).fit_once(frame_of(members, cohort, model), covariates)
    except FitRefused as refusal:
        return ModelResult(fit=None, reason=str(refusal))
    return ModelResult(fit=found, reason="; ".join(found.warnings) or None)


def _fine_gray(members: pd.DataFrame, cohort: Cohort, covariates: tuple[Covariate, ...]) -> FineGrayFit:
    competing = cohort.declared.competing
    if competing is None:
        raise AssertionError("load_cohort lets no fine_gray pass without competing events")
    frame = members.assign(**{CAUSE: members[competing.column]})
    return fit_fine_gray(frame, covariates, kind=CAUSE, of_interest=competing.of_interest)
