"""Hazard ratios within subgroups over completed data sets."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

import pandas as pd

from jobs.risk.declared import model_covariates
from jobs.risk.findings import COMPUTED, REFUSED, Subgroup
from jobs.risk.levels import levels_of
from jobs.risk.models import ModelResult
from jobs.risk.pooled_rows import MANY, pooled_by, pooled_ratio
from jobs.risk.subgroups import Interaction, interactions, with_holm
from model.errors import NotComputable
from model.survival.pooled_tests import Estimate, PooledTest, pooled_estimates
from schemas.cohort import Cohort


def pooled_subgroups(
    frames: Sequence[pd.DataFrame], members: pd.DataFrame, cohort: Cohort, results: Sequence[ModelResult]
) -> list[Subgroup]:
    """The declared subgroups; ratios by Rubin's rules, interactions by D1. Counted is who is known to be of a level.

    Args:
        frames: the members with their gaps filled.
        members: with gaps.
        cohort: what was declared.
        results: of the subgroups' model, one for each frame; none where the cohort declares no subgroups.
    """
    declared = cohort.declared.subgroups
    if declared is None:
        return []
    of_each = [interactions(frame, cohort, result) for frame, result in zip(frames, results, strict=True)]
    rows = [[row for one in found for row in one.rows] for found in of_each]
    tests = _tests(of_each)
    fit = results[0].cox
    complete_degrees = MANY if fit is None else fit.events - len(fit.coefficients)
    covariates = model_covariates(cohort)
    known = {group: levels_of(members, covariates[group]) for group in declared.by}

    def pooled(found: Sequence[Subgroup]) -> Subgroup:
        row = _pooled(found, len(frames), complete_degrees)
        test = tests.get((row.exposure, row.group_name))
        if row.status == COMPUTED and test is not None:
            row = _with_test(row, test)
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
        _without_test(found[0]),
        log_hazard_ratio=ratio.log_hazard_ratio,
        standard_error=ratio.standard_error,
        hazard_ratio=ratio.hazard_ratio,
        ci_lower=ratio.ci_lower,
        ci_upper=ratio.ci_upper,
    )


def _tests(of_each: Sequence[Sequence[Interaction]]) -> dict[tuple[str, str], PooledTest]:
    """By exposure and group; none where the data sets tested different levels."""
    products: dict[tuple[str, str], list[Estimate]] = {}
    for found in of_each:
        for one in found:
            if one.products is not None:
                products.setdefault((one.rows[0].exposure, one.rows[0].group_name), []).append(one.products)
    tests = {}
    for key, estimates in products.items():
        if len(estimates) == len(of_each):
            with suppress(NotComputable):
                tests[key] = pooled_estimates(estimates)
    return tests


def _with_test(row: Subgroup, test: PooledTest) -> Subgroup:
    return replace(
        row,
        interaction_chi_squared=test.chi_squared,
        interaction_degrees=test.degrees,
        interaction_denominator_degrees=test.denominator_degrees,
        interaction_p_value=test.p_value,
    )


def _without_test(row: Subgroup) -> Subgroup:
    return replace(row, interaction_chi_squared=None, interaction_degrees=None, interaction_p_value=None)


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
