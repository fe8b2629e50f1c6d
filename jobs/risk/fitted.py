"""What the models of a cohort say of its members, and how well they predict."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pandas as pd

from jobs.risk.contrasts import contrasts
from jobs.risk.curves import Curve, adjusted
from jobs.risk.diagnostics import diagnostics
from jobs.risk.effects import effects, over_time
from jobs.risk.findings import Contrast, Diagnostic, Effect, OverTime, Subgroup
from jobs.risk.models import ModelResult, Predicted, fit_models, predict
from jobs.risk.performance import Measured, performance_works, together
from jobs.risk.subgroups import subgroups
from model.survival.mapping import side_by_side
from schemas.cohort import Cohort


@dataclass(frozen=True)
class Fitted:
    """What was fitted.

    Attributes:
        models: results by model name, in the order of the declaration.
        predictions: cross-fitted, of the prediction model and of those compared.
        judged: how well those predict.
        concordances: apparent, by model; None where no two persons can be compared, or the model has no fit.
        curves: adjusted ones.
        no_curves: by model, why there are none.
    """

    models: dict[str, ModelResult]
    predictions: dict[str, Predicted]
    judged: Measured
    concordances: dict[str, float | None]
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
    predictions = predict(members, cohort, models, compared_models(cohort))
    groups = models.get(declared.subgroups.model) if declared.subgroups else None
    works: dict[str, Callable[[], Any]] = {
        "subgroups": partial(subgroups, members, cohort, groups),
        "curves": partial(adjusted, members, cohort),
        "diagnostics": partial(diagnostics, models),
        "contrasts": partial(contrasts, members, cohort, models, predictions),
        "concordances": partial(concordances, models),
        "over_time": partial(over_time, models),
        "effects": partial(effects, members, cohort, models),
    }
    return found_by(works, performance_works(members, cohort, predictions), models, predictions)


def found_by(
    works: Mapping[str, Callable[[], Any]],
    judging: Sequence[Callable[[], Measured]],
    models: dict[str, ModelResult],
    predictions: dict[str, Predicted],
) -> Fitted:
    """What works find that need nothing of each other, done side by side.

    Args:
        works: by the attribute of `Fitted` they find, `curves` with why there are none; the longest first, so that
            whoever is done with one takes the next.
        judging: `performance_works`.
        models, predictions: as in `Fitted`.
    """
    found = side_by_side([*works.values(), *judging])
    by_name = dict(zip(works, found[: len(works)], strict=True))
    curves, no_curves = by_name.pop("curves")
    judged = together(found[len(works) :])
    return Fitted(models=models, predictions=predictions, judged=judged, curves=curves, no_curves=no_curves, **by_name)


def concordances(models: Mapping[str, ModelResult]) -> dict[str, float | None]:
    """Harrell's C of each model on its own persons."""
    return {name: result.concordance for name, result in models.items()}
