"""What each score adds to what is known without it: likelihood-ratio tests of nested Cox models on the same people.

The paper's central claim is that FaceAge and FaceSurvival together say more than either alone, beyond clinical
covariates. A test compares a model with one that has the same terms and more, fitted on the same rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from model.evaluation.findings import Finding
from model.evaluation.measuring import measure_all
from model.evaluation.prognosis import c_index_of, difference
from model.survival.bootstrap import Resampling
from model.survival.cox import CoxFit, fit_cox
from model.survival.cross_fitting import cross_fitted_risk
from model.survival.design import Covariate
from model.survival.errors import FitRefused
from model.survival.nested import likelihood_ratio

FOLDS = 5

MODELS, TESTS = "cox_model", "nested_cox_models"
"""Groups of the findings: of one model, and of two that are compared."""

WORDS = {"face_age": "FaceAge", "face_survival": "FaceSurvival"}


@dataclass(frozen=True)
class _Model:
    """A Cox model: fitted on everybody, and everybody's log-risk by the model of the other folds; or why not."""

    name: str
    covariates: tuple[Covariate, ...]
    fit: CoxFit | None
    refusal: str | None
    log_risk: np.ndarray | None
    no_log_risk: str | None


def nested_model_findings(
    people: pd.DataFrame, scores: Mapping[str, str], *, clinical: tuple[Covariate, ...], resampling: Resampling
) -> list[Finding]:
    """Models of clinical covariates, with each score, with both; and what each step adds.

    Args:
        people: as `survival_findings` takes them; no value of any covariate is missing, so that all models are fitted
            on the same rows.
        scores: columns of the scores, and how their names begin.
        clinical: covariates of the smallest model; where there are none, only the scores are compared with both.
        resampling: of the intervals of C; the tests need none.

    Returns:
        By model: concordance, apparent and cross-fitted, AIC. By pair of models: the likelihood ratio's chi-squared
        with its p value, and the gain in cross-fitted concordance.
    """
    columns = [covariate.column for covariate in clinical] + list(scores)
    if people[columns].isna().to_numpy().any():
        raise ValueError("nested models need the same rows: a covariate is missing for somebody")
    added = {name: Covariate(name, column, "continuous", per=None) for column, name in scores.items()}
    subsets = [(), *((name,) for name in added), tuple(added)] if len(added) > 1 else [(), tuple(added)]
    models = {
        subset: _model(people, _name(subset, clinical), (*clinical, *(added[name] for name in subset)))
        for subset in subsets
        if subset or clinical
    }
    found = [finding for model in models.values() for finding in _of_model(people, model, resampling)]
    for smaller, larger in _pairs(tuple(models)):
        found += _of_pair(people, models[smaller], models[larger], smaller, larger, resampling)
    return found


def _pairs(subsets: tuple[tuple[str, ...], ...]) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Every model with every larger one: smallest first."""
    return [(one, other) for one in subsets for other in subsets if set(one) < set(other)]


def _name(subset: tuple[str, ...], clinical: tuple[Covariate, ...]) -> str:
    return " + ".join([*(["clinical"] if clinical else []), *(WORDS.get(name, name) for name in subset)])


def _model(people: pd.DataFrame, name: str, covariates: tuple[Covariate, ...]) -> _Model:
    try:
        fit = fit_cox(people, covariates)
    except FitRefused as reason:
        return _Model(name, covariates, None, str(reason), None, str(reason))
    try:
        predicted = cross_fitted_risk(
            people.assign(person_id=people["person"]), covariates, folds=FOLDS, horizons_years=()
        )
    except FitRefused as reason:
        return _Model(name, covariates, fit, None, None, f"not cross-fitted: {reason}")
    return _Model(name, covariates, fit, None, predicted["log_risk"].to_numpy(float), None)


def _of_model(people: pd.DataFrame, model: _Model, resampling: Resampling) -> list[Finding]:
    counts = _counts(people)
    if model.fit is None:
        names = ("c_index_apparent", "c_index_cross_fitted", "aic")
        return [Finding(name, None, MODELS, model.name, note=model.refusal, **counts) for name in names]
    warnings = "; ".join(model.fit.warnings) or None
    return [
        Finding("c_index_apparent", model.fit.concordance, MODELS, model.name, note=warnings, **counts),
        *_concordance(people, "c_index_cross_fitted", (model,), MODELS, model.name, resampling),
        Finding("aic", model.fit.aic, MODELS, model.name, **counts),
    ]


def _of_pair(
    people: pd.DataFrame,
    smaller: _Model,
    larger: _Model,
    before: tuple[str, ...],
    after: tuple[str, ...],
    resampling: Resampling,
) -> list[Finding]:
    """What the larger model adds to the smaller: the likelihood-ratio test, and the gain in concordance."""
    new = " and ".join(WORDS.get(name, name) for name in after if name not in before)
    level = f"{new} added to {smaller.name}"
    counts = _counts(people)
    tests = ("likelihood_ratio_chi_squared", "likelihood_ratio_p_value")
    try:
        if smaller.fit is None or larger.fit is None:
            raise FitRefused(smaller.refusal or larger.refusal)
        test = likelihood_ratio(smaller.fit, larger.fit)
    except FitRefused as refusal:
        found = [Finding(name, None, TESTS, level, note=str(refusal), **counts) for name in tests]
    else:
        note = f"{test.degrees} degree{'s' if test.degrees > 1 else ''} of freedom"
        found = [
            Finding(tests[0], test.chi_squared, TESTS, level, note=note, **counts),
            Finding(tests[1], test.p_value, TESTS, level, **counts),
        ]
    return found + _concordance(people, "c_index_gain", (larger, smaller), TESTS, level, resampling)


def _concordance(
    people: pd.DataFrame, metric: str, models: tuple[_Model, ...], group: str, level: str, resampling: Resampling
) -> list[Finding]:
    """Harrell's C of cross-fitted log-risks: of one model, or of the first minus that of the second."""
    missing = next((model.no_log_risk for model in models if model.log_risk is None), None)
    if missing is not None:
        return [Finding(metric, None, group, level, note=missing, **_counts(people))]
    concordances = [c_index_of(people.assign(log_risk=model.log_risk), "log_risk") for model in models]
    measure = concordances[0] if len(concordances) == 1 else difference(*concordances)
    return measure_all(
        {metric: measure},
        people["person"].to_numpy(np.int64),
        resampling,
        group_name=group,
        level=level,
        counts_photos=False,
        events=int(people["event"].sum()),
    )


def _counts(people: pd.DataFrame) -> dict[str, Any]:
    return {"people": len(people), "events": int(people["event"].sum())}
