"""What the models say where gaps were filled: everything of each completed data set, and pooled.

Coefficients by Rubin's rules, tests by D1, curves by their mean.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from jobs.risk import pooled_rows
from jobs.risk.curves import Curve, adjusted
from jobs.risk.declared import model_covariates
from jobs.risk.effects import effects, over_time
from jobs.risk.findings import Effect, OverTime
from jobs.risk.fitted import Fitted, compared_models, concordances, found_by
from jobs.risk.imputed_predictions import predict_imputed
from jobs.risk.models import ModelResult, Predicted, fit_models
from jobs.risk.performance import performance_works
from jobs.risk.pooled_contrasts import pooled_contrasts
from jobs.risk.pooled_diagnostics import pooled_diagnostics
from jobs.risk.pooled_rows import pooled_by
from jobs.risk.pooled_subgroups import pooled_subgroups
from model.errors import NotComputable
from model.survival.encoding import fixed
from model.survival.errors import FitRefused
from model.survival.pooling import pooled_fit
from schemas.cohort import Cohort
from schemas.declaration import DeclaredResampling


def fitted_to_imputed(frames: Sequence[pd.DataFrame], members: pd.DataFrame, cohort: Cohort) -> Fitted:
    """Everything the models say of the members, pooled over completed data sets.

    Args:
        frames: the members with their gaps filled, at least two.
        members: with gaps.
        cohort: what was declared.
    """
    # Those predicted teach the models of the other folds not even a cut point; elsewhere all data sets have the same.
    as_declared, cohort = cohort, _fixed(members, cohort)
    of_each = [fit_models(frame, cohort) for frame in frames]
    models = {name: _pooled([each[name] for each in of_each]) for name in cohort.declared.models}
    of_each = [_without_refused(each, models) for each in of_each]
    predictions = _predictions(members, as_declared, models)
    groups = cohort.declared.subgroups
    of_groups = [each[groups.model] for each in of_each] if groups else []
    works: dict[str, Callable[[], Any]] = {
        "subgroups": partial(pooled_subgroups, frames, members, cohort, of_groups),
        "contrasts": partial(pooled_contrasts, frames, members, cohort, of_each, predictions),
        "curves": partial(_adjusted, frames, cohort),
        "diagnostics": partial(pooled_diagnostics, of_each),
        "concordances": partial(concordances, models),
        "over_time": partial(_over_time, of_each),
        "effects": partial(_effects, members, cohort, of_each),
    }
    return found_by(works, performance_works(members, as_declared, predictions), models, predictions)


def _effects(members: pd.DataFrame, cohort: Cohort, of_each: Sequence[Mapping[str, ModelResult]]) -> list[Effect]:
    found = [effects(members, cohort, each) for each in of_each]
    return pooled_by(lambda row: (row.model_name, row.covariate, row.value), found, pooled_rows.effect)


def _over_time(of_each: Sequence[Mapping[str, ModelResult]]) -> list[OverTime]:
    found = [over_time(each) for each in of_each]
    return pooled_by(lambda row: (row.model_name, row.term, row.period), found, pooled_rows.period)


def _fixed(members: pd.DataFrame, cohort: Cohort) -> Cohort:
    """The cohort with standard deviations, cut points and knots as those teach them of whom a covariate is known.

    What is pooled must be of the same columns: terms of other knots are other terms.
    """
    found = {}
    for name, covariate in model_covariates(cohort).items():
        if covariate.kind in ("spline", "quartile") or covariate.per is None:
            known = members[members[covariate.column].notna()]
            with suppress(FitRefused):  # The fits will say why.
                concrete = fixed(covariate, known)
                found[name] = (concrete.scale, concrete.points)
    return replace(cohort, fixed=found)


def _without_refused(each: Mapping[str, ModelResult], models: Mapping[str, ModelResult]) -> dict[str, ModelResult]:
    """The models of one data set; none where the pooled one was refused."""
    return {
        name: result if models[name].fit is not None else ModelResult(None, models[name].reason)
        for name, result in each.items()
    }


def _pooled(results: Sequence[ModelResult]) -> ModelResult:
    """One model from its fits; refused where one of the data sets refuses it."""
    fits = []
    for number, result in enumerate(results, start=1):
        if result.cox is None:
            return ModelResult(None, f"completed data set {number} of {len(results)}: {result.reason}")
        fits.append(result.cox)
    try:
        fit = pooled_fit(fits)
    except NotComputable as reason:
        return ModelResult(None, str(reason))
    return ModelResult(fit, "; ".join(fit.warnings) or None)


def _predictions(members: pd.DataFrame, cohort: Cohort, models: Mapping[str, ModelResult]) -> dict[str, Predicted]:
    names = compared_models(cohort)
    fitted = {name: cohort.declared.models[name] for name in names if models[name].fit is not None}
    found = predict_imputed(members, cohort, fitted)
    return {name: found.get(name, Predicted(None, f"the model was refused: {models[name].reason}")) for name in names}


def _adjusted(frames: Sequence[pd.DataFrame], cohort: Cohort) -> tuple[list[Curve], dict[str, str]]:
    """Means of the curves of each data set, without intervals; none of a model one of them has none of."""
    declared = cohort.declared.model_copy(update={"resampling": DeclaredResampling(repeats=0)})
    of_each = [adjusted(frame, replace(cohort, declared=declared)) for frame in frames]
    refused = {name: reason for _, reasons in of_each for name, reason in reasons.items()}
    kept = [[curve for curve in curves if curve.model_name not in refused] for curves, _ in of_each]
    return pooled_by(lambda curve: (curve.stratifier, curve.stratum), kept, _mean), refused


def _mean(curves: Sequence[Curve]) -> Curve:
    """Numbers at risk are those of the first data set."""
    survival = np.mean([curve.points["survival"].to_numpy() for curve in curves], axis=0)
    return replace(curves[0], points=curves[0].points.assign(survival=survival))
