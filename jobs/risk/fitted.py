"""What the models of a cohort say of its members: everything that comes from fitting, before it is judged."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from jobs.risk.contrasts import contrasts
from jobs.risk.curves import Curve, adjusted
from jobs.risk.diagnostics import diagnostics
from jobs.risk.effects import effects, over_time
from jobs.risk.findings import Contrast, Diagnostic, Effect, OverTime, Subgroup
from jobs.risk.models import ModelResult, Predicted, fit_models, predict
from jobs.risk.subgroups import subgroups
from model.survival.sharing import sharing
from schemas.cohort import Cohort


@dataclass(frozen=True)
class Fitted:
    """What was fitted.

    Attributes:
        models: results by model name, in the order of the declaration.
        predictions: cross-fitted, of the prediction model and of those compared.
        curves: adjusted ones.
        no_curves: by model, why there are none.
    """

    models: dict[str, ModelResult]
    predictions: dict[str, Predicted]
    curves: list[Curve]
    no_curves: dict[str, str]
    contrasts: list[Contrast]
    diagnostics: list[Diagnostic]
    subgroups: list[Subgroup]
    effects: list[Effect]
    over_time: list[OverTime]


def compared_models(cohort: Cohort) -> tuple[str, ...]:
    """Names of the models whose predictions are measured, the one behind the patients' predictions first."""
    declared = cohort.declared
    compared = [
        name for comparison in declared.comparisons.values() for name in (comparison.smaller, comparison.larger)
    ]
    return tuple(dict.fromkeys([declared.prediction.model, *compared]))


def fitted_to(members: pd.DataFrame, cohort: Cohort) -> Fitted:
    """Everything the models say of complete cases."""
    declared = cohort.declared
    models = fit_models(members, cohort)
    # What the folds have in common is as large as the cohort for each of them: it goes once all are predicted.
    with sharing():
        predictions = {
            name: predict(members, cohort, declared.models[name], models[name]) for name in compared_models(cohort)
        }
    curves, no_curves = adjusted(members, cohort)
    return Fitted(
        models=models,
        predictions=predictions,
        curves=curves,
        no_curves=no_curves,
        contrasts=contrasts(members, cohort, models, predictions),
        diagnostics=diagnostics(models),
        subgroups=subgroups(members, cohort, models.get(declared.subgroups.model) if declared.subgroups else None),
        effects=effects(members, cohort, models),
        over_time=over_time(models),
    )
