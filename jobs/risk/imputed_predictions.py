"""Predictions where values are missing: nothing of a person's survival helps to fill what is not known of the person.

The models learn from persons whose gaps were filled with survival among the predictors, or hazard ratios would be too
small; those predicted are of another fold, and their gaps are filled without. What is said of a person is pooled.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
import pandas as pd

from jobs.risk.missing import filled
from jobs.risk.models import Predicted, brier_times, columns_of, covariates_of, frame_of
from model.errors import NotComputable
from model.survival.cross_fitting import cross_fitted_risk, folds_of
from model.survival.errors import FitRefused
from model.survival.mapping import side_by_side
from model.survival.pooled_predictions import pooled_predictions
from schemas.cohort import Cohort
from schemas.declaration import DeclaredModel

Frames = tuple[pd.DataFrame, ...]


def predict_imputed(members: pd.DataFrame, cohort: Cohort, models: Mapping[str, DeclaredModel]) -> dict[str, Predicted]:
    """Each member predicted by each model, refitted without the member's fold on every completed data set, and pooled.

    Args:
        members: with gaps.
        cohort: what was declared.
        models: by name; of a method that predicts.
    """
    try:
        others, people = _filled_by_fold(members, cohort), filled(members, cohort, knows_outcome=False)
    except NotComputable as reason:
        return dict.fromkeys(models, Predicted(None, str(reason)))
    found = side_by_side([partial(_predicted, model, cohort, others, people) for model in models.values()])
    return dict(zip(models, found, strict=True))


def _filled_by_fold(members: pd.DataFrame, cohort: Cohort) -> dict[int, Frames]:
    """Those outside each fold, completed without the fold."""
    folds = folds_of(members["person_id"].to_numpy(), cohort.declared.prediction.folds)
    return {
        int(fold): filled(members[folds != fold].reset_index(drop=True), cohort, knows_outcome=True)
        for fold in np.unique(folds)
    }


def _predicted(model: DeclaredModel, cohort: Cohort, others: Mapping[int, Frames], people: Frames) -> Predicted:
    declared, columns = cohort.declared, columns_of(cohort, model)
    horizons, times = declared.endpoint.horizons_years, brier_times(cohort)

    def of_data_set(number: int) -> pd.DataFrame:
        return cross_fitted_risk(
            frame_of(people[number], cohort, model),
            covariates_of(cohort, model),
            folds=declared.prediction.folds,
            horizons_years=horizons,
            entry=columns.entry,
            strata=columns.strata,
            times_years=times,
            others_of=lambda fold: frame_of(others[fold][number], cohort, model),
        )

    try:
        tables = [of_data_set(number) for number in range(len(people))]
    except FitRefused as refusal:
        return Predicted(None, str(refusal))
    return Predicted(pooled_predictions(tables, horizons_years=horizons, times_years=times), None)
