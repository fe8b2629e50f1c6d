"""Hazard ratios within subgroups over completed data sets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from jobs.risk.declared import model_covariates
from jobs.risk.findings import REFUSED, Subgroup
from jobs.risk.levels import levels_of
from jobs.risk.models import ModelResult
from jobs.risk.pooled_rows import MANY, pooled_by, pooled_ratio
from jobs.risk.subgroups import subgroups, with_holm
from model.survival.pooled_tests import pooled_statistic
from schemas.cohort import Cohort


def pooled_subgroups(
    frames: Sequence[pd.DataFrame], members: pd.DataFrame, cohort: Cohort, results: Sequence[ModelResult]
) -> list[Subgroup]:
    """The declared subgroups; ratios by Rubin's rules, interactions by D2. Counted is who is known to be of a level.

    Args:
        frames: the members with their gaps filled.
        members: with gaps.
        cohort: what was declared.
        results: of the subgroups' model, one for each frame; none where the cohort declares no subgroups.
    """
    declared = cohort.declared.subgroups
    if declared is None:
        return []
    rows = [subgroups(frame, cohort, result) for frame, result in zip(frames, results, strict=True)]
    fit = results[0].cox
    complete_degrees = MANY if fit is None else fit.events - len(fit.coefficients)
    covariates = model_covariates(cohort)
    known = {group: levels_of(members, covariates[group]) for group in declared.by}

    def pooled(found: Sequence[Subgroup]) -> Subgroup:
        row = _pooled(found, len(frames), complete_degrees)
        within = known.get(row.group_name, {}).get(row.level)
        if within is None:
            return row
        return replace(row, persons=int(within.sum()), events=int(members["event"][within].sum()))

    return with_holm(pooled_by(lambda row: (row.exposure, row.group_name, row.level), rows, pooled))


def _pooled(found: Sequence[Subgroup], data_sets: int, complete_degrees: float) -> Subgroup:
    told = [
        (row.log_hazard_ratio, row.standard_error)
        for row in found
        if row.log_hazard_ratio is not None and row.standard_error is not None
    ]
    if len(told) < data_sets:
        reason = next((row.status_reason for row in found if row.status == REFUSED), None)
        return _without_numbers(found[0], reason or "not in every completed data set")
    log_ratios, errors = zip(*told, strict=True)
    ratio = pooled_ratio(log_ratios, errors, complete_degrees=complete_degrees)
    return replace(
        _with_test(found),
        log_hazard_ratio=ratio.log_hazard_ratio,
        standard_error=ratio.standard_error,
        hazard_ratio=ratio.hazard_ratio,
        ci_lower=ratio.ci_lower,
        ci_upper=ratio.ci_upper,
    )


def _with_test(found: Sequence[Subgroup]) -> Subgroup:
    """The first row with the pooled interaction test; without one where the data sets tested different levels."""
    first = found[0]
    statistics = [row.interaction_chi_squared for row in found if row.interaction_chi_squared is not None]
    same = len({row.interaction_degrees for row in found}) == 1 and len(statistics) == len(found)
    if first.interaction_degrees is None or not same:
        return replace(first, interaction_chi_squared=None, interaction_degrees=None, interaction_p_value=None)
    test = pooled_statistic(statistics, first.interaction_degrees)
    return replace(
        first,
        interaction_chi_squared=test.chi_squared,
        interaction_denominator_degrees=test.denominator_degrees,
        interaction_p_value=test.p_value,
    )


def _without_numbers(row: Subgroup, reason: str) -> Subgroup:
    return Subgroup(
        model_name=row.model_name,
        exposure=row.exposure,
        group_name=row.group_name,
        level=row.level,
        label=row.label,
        unit=row.unit,
        persons=row.persons,
        events=row.events,
        status=REFUSED,
        status_reason=reason,
    )
