"""Tests of several terms at once: what a larger model adds, whole covariates, trends, bends of splines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from jobs.risk.at_risk import gain_at_risk, is_plain
from jobs.risk.findings import COMPUTED, REFUSED, Contrast
from jobs.risk.levels import level_of
from jobs.risk.models import ModelResult, Predicted, columns_of, covariates_of, drawn_together, frame_of
from jobs.risk.performance import resampling_of
from model.errors import NotComputable
from model.survival.covariates import QUARTERS, Covariate
from model.survival.cox import CoxFit
from model.survival.delta_concordance import DeltaConcordance, delta_concordance
from model.survival.errors import FitRefused
from model.survival.multiplicity import holm
from model.survival.nested import LikelihoodRatio, WaldTest, likelihood_ratio, wald
from schemas.cohort import Cohort
from schemas.declaration import Comparison, DeclaredModel


def contrasts(
    members: pd.DataFrame, cohort: Cohort, models: Mapping[str, ModelResult], predictions: Mapping[str, Predicted]
) -> list[Contrast]:
    """Every test of an analysis: the declared comparisons, then those of each model's covariates.

    Args:
        members: the persons analysed.
        cohort: what was declared.
        models: results by name.
        predictions: cross-fitted, of the models that are compared.
    """
    nested = [
        _nested(name, comparison, members, cohort, models, predictions)
        for name, comparison in cohort.declared.comparisons.items()
    ]
    of_models = [
        contrast
        for name, result in models.items()
        if result.cox is not None
        for contrast in _of_model(name, result.cox, members, cohort)
    ]
    return [*with_holm(nested), *of_models]


def with_holm(found: list[Contrast]) -> list[Contrast]:
    """The same tests with p values adjusted over all of them that were computed."""
    computed = [contrast for contrast in found if contrast.p_value is not None]
    adjusted = holm([contrast.p_value or 0.0 for contrast in computed])
    by_name = {contrast.contrast: float(p) for contrast, p in zip(computed, adjusted, strict=True)}
    return [replace(contrast, p_value_holm=by_name.get(contrast.contrast)) for contrast in found]


def _nested(
    name: str,
    comparison: Comparison,
    members: pd.DataFrame,
    cohort: Cohort,
    models: Mapping[str, ModelResult],
    predictions: Mapping[str, Predicted],
) -> Contrast:
    """2 (log L of the larger - log L of the smaller); with clusters or weights, Wald's test instead."""
    smaller, larger = models[comparison.smaller], models[comparison.larger]
    base = Contrast(
        contrast=name,
        kind="nested",
        label=comparison.label,
        model_name=comparison.larger,
        smaller_model_name=comparison.smaller,
        status=REFUSED,
    )
    if smaller.cox is None or larger.cox is None:
        refused = comparison.smaller if smaller.cox is None else comparison.larger
        return replace(base, status_reason=f"{refused} was refused: {models[refused].reason}")
    test: LikelihoodRatio | WaldTest
    try:
        if not larger.cox.robust:
            test, statistic = likelihood_ratio(smaller.cox, larger.cox), "likelihood_ratio"
        else:
            known = {coefficient.term.name for coefficient in smaller.cox.coefficients}
            added = tuple(c.term.name for c in larger.cox.coefficients if c.term.name not in known)
            test, statistic = wald(larger.cox, added), "wald"
    except FitRefused as reason:
        return replace(base, status_reason=str(reason))
    gained, doubt = gain(comparison, members, cohort, predictions)
    return replace(
        base,
        status=COMPUTED,
        status_reason=doubt,
        statistic=statistic,
        chi_squared=test.chi_squared,
        degrees=test.degrees,
        p_value=test.p_value,
        delta_aic=None if larger.cox.robust else larger.cox.aic - smaller.cox.aic,
        delta_concordance=gained.gain if gained else None,
        delta_concordance_lower=gained.ci_lower if gained else None,
        delta_concordance_upper=gained.ci_upper if gained else None,
    )


def gain(
    comparison: Comparison, members: pd.DataFrame, cohort: Cohort, predictions: Mapping[str, Predicted]
) -> tuple[DeltaConcordance | None, str | None]:
    """Gain in C of the cross-fitted predictions, or why there is none."""
    smaller, larger = predictions[comparison.smaller], predictions[comparison.larger]
    if smaller.predictions is None or larger.predictions is None:
        return None, f"gain in concordance: {smaller.reason or larger.reason}"
    frame = frame_of(members, cohort, cohort.declared.models[comparison.larger])
    log_risks = larger.ranked_by(), smaller.ranked_by()
    try:
        if not is_plain(cohort):
            return gain_at_risk(frame, *log_risks, cohort, resampling_of(cohort)), None
        found = delta_concordance(
            frame["followup_years"].to_numpy(float),
            frame["event"].to_numpy(bool),
            *log_risks,
            people=drawn_together(frame, cohort),
            resampling=resampling_of(cohort),
        )
    except NotComputable as reason:
        return None, f"gain in concordance: {reason}"
    return found, None


def _of_model(name: str, fitted: CoxFit, members: pd.DataFrame, cohort: Cohort) -> Iterator[Contrast]:
    model = cohort.declared.models[name]
    for covariate in covariates_of(cohort, model):
        label = cohort.declared.covariates[covariate.name].label
        terms = tuple(c.term.name for c in fitted.coefficients if c.term.covariate == covariate.name)
        base = Contrast(
            contrast=f"{name}:{covariate.name}", kind="joint", label=label, model_name=name, covariate=covariate.name,
            status=REFUSED,
        )  # fmt: skip
        if len(terms) > 1:
            yield _wald(base, fitted, terms)
        if covariate.kind == "spline" and len(terms) > 1:
            bend = replace(base, contrast=f"{base.contrast}:nonlinearity", kind="nonlinearity")
            yield _wald(bend, fitted, terms[1:])
        if covariate.kind == "quartile":
            yield _trend(
                replace(base, contrast=f"{base.contrast}:trend", kind="trend"), covariate, model, members, cohort
            )


def _wald(base: Contrast, fitted: CoxFit, terms: tuple[str, ...]) -> Contrast:
    try:
        test = wald(fitted, terms)
    except FitRefused as reason:
        return replace(base, status_reason=str(reason))
    return replace(
        base,
        status=COMPUTED,
        statistic="wald",
        chi_squared=test.chi_squared,
        degrees=test.degrees,
        p_value=test.p_value,
    )


def _trend(
    base: Contrast, covariate: Covariate, model: DeclaredModel, members: pd.DataFrame, cohort: Cohort
) -> Contrast:
    """The same model with the number of the quarter, 1 to 4, in place of its levels."""
    number = Covariate(covariate.name, f"{covariate.name} number", "continuous", per=1.0, unit="quarter")
    quarters = np.array([QUARTERS.index(quarter) + 1.0 for quarter in level_of(members, covariate)])
    others = tuple(number if one.name == covariate.name else one for one in covariates_of(cohort, model))
    try:
        # Not a copy: what is sorted and encoded of the other columns is shared with the other fits.
        frame = frame_of(members, cohort, model).copy(deep=False)
        frame[number.column] = quarters
        found = columns_of(cohort, model).fit(frame, others)
    except FitRefused as reason:
        return replace(base, status_reason=str(reason))
    slope = next(c for c in found.coefficients if c.term.covariate == covariate.name)
    return replace(
        base,
        status=COMPUTED,
        statistic="wald",
        chi_squared=slope.z**2,
        degrees=1,
        p_value=slope.p_value,
        hazard_ratio=slope.hazard_ratio,
        hazard_ratio_lower=slope.ci_lower,
        hazard_ratio_upper=slope.ci_upper,
    )
