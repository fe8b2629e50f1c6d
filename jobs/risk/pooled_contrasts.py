"""Tests of several terms over completed data sets: pooled Wald tests, in place of likelihood ratios of one data set."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd

from jobs.risk.contrasts import contrasts, gain, with_holm
from jobs.risk.findings import REFUSED, Contrast
from jobs.risk.models import ModelResult, Predicted
from jobs.risk.pooled_rows import error_behind, pooled_by, pooled_ratio
from model.errors import NotComputable
from model.survival.cox import CoxFit
from model.survival.pooled_tests import pooled_wald
from schemas.cohort import Cohort

Models = Mapping[str, ModelResult]


def pooled_contrasts(
    frames: Sequence[pd.DataFrame],
    members: pd.DataFrame,
    cohort: Cohort,
    of_each: Sequence[Models],
    predictions: Mapping[str, Predicted],
) -> list[Contrast]:
    """Every test of an analysis, pooled; a test that one of the data sets refuses is refused.

    Args:
        frames: the members with their gaps filled.
        members: with gaps.
        cohort: what was declared.
        of_each: the models fitted to each frame.
        predictions: cross-fitted and pooled, of the models that are compared.
    """
    none = dict.fromkeys(predictions, Predicted(None, "pooled below"))
    rows = [contrasts(frame, cohort, models, none) for frame, models in zip(frames, of_each, strict=True)]

    def pooled(found: Sequence[Contrast]) -> Contrast:
        row = _pooled(found, cohort, of_each)
        comparison = cohort.declared.comparisons.get(row.contrast)
        if comparison is None or row.status == REFUSED:
            return row
        gained, doubt = gain(comparison, members, cohort, predictions)
        return replace(
            row,
            status_reason=doubt,
            delta_concordance=gained.gain if gained else None,
            delta_concordance_lower=gained.ci_lower if gained else None,
            delta_concordance_upper=gained.ci_upper if gained else None,
        )

    found = pooled_by(lambda row: row.contrast, rows, pooled)
    nested = [row for row in found if row.kind == "nested"]
    return [*with_holm(nested), *(row for row in found if row.kind != "nested")]


def _pooled(found: Sequence[Contrast], cohort: Cohort, of_each: Sequence[Models]) -> Contrast:
    refused = next((row for row in found if row.status == REFUSED), None)
    if refused is not None:
        return _without_numbers(refused, refused.status_reason)
    fits = [fit for models in of_each if (fit := models[found[0].model_name].cox) is not None]
    try:
        return _trend(found, fits) if found[0].kind == "trend" else _wald(found[0], fits, cohort)
    except NotComputable as reason:
        return _without_numbers(found[0], str(reason))


def _wald(first: Contrast, fits: Sequence[CoxFit], cohort: Cohort) -> Contrast:
    test = pooled_wald(fits, _tested(first, fits[0], cohort))
    return replace(
        first,
        statistic="pooled_wald",
        chi_squared=test.chi_squared,
        degrees=test.degrees,
        denominator_degrees=test.denominator_degrees,
        p_value=test.p_value,
        delta_aic=None,
    )


def _trend(found: Sequence[Contrast], fits: Sequence[CoxFit]) -> Contrast:
    log_ratios, errors = zip(*(_log_ratio(row) for row in found), strict=True)
    ratio = pooled_ratio(log_ratios, errors, complete_degrees=fits[0].events - len(fits[0].coefficients))
    return replace(
        found[0],
        statistic="pooled_wald",
        chi_squared=ratio.chi_squared,
        denominator_degrees=ratio.degrees,
        p_value=ratio.p_value,
        hazard_ratio=ratio.hazard_ratio,
        hazard_ratio_lower=ratio.ci_lower,
        hazard_ratio_upper=ratio.ci_upper,
    )


def _log_ratio(row: Contrast) -> tuple[float, float]:
    if row.hazard_ratio is None or row.hazard_ratio_lower is None or row.hazard_ratio_upper is None:
        raise NotComputable("a completed data set has no trend")
    return math.log(row.hazard_ratio), error_behind(row.hazard_ratio_lower, row.hazard_ratio_upper)


def _tested(row: Contrast, fit: CoxFit, cohort: Cohort) -> tuple[str, ...]:
    """Names of the terms a test is about."""
    terms = [coefficient.term for coefficient in fit.coefficients]
    if row.kind == "nested":
        smaller = cohort.declared.models[str(row.smaller_model_name)].covariates
        return tuple(term.name for term in terms if term.covariate not in smaller)
    own = tuple(term.name for term in terms if term.covariate == row.covariate)
    return own[1:] if row.kind == "nonlinearity" else own


def _without_numbers(row: Contrast, reason: str | None) -> Contrast:
    """What a test would have been of, and why there is none."""
    return Contrast(
        contrast=row.contrast,
        kind=row.kind,
        label=row.label,
        model_name=row.model_name,
        status=REFUSED,
        smaller_model_name=row.smaller_model_name,
        covariate=row.covariate,
        status_reason=reason,
    )
