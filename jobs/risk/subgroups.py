"""Hazard ratios within subgroups, by an interaction added to a declared model, and the test whether they differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jobs.risk.declared import model_covariates
from jobs.risk.findings import ALL, COMPUTED, REFUSED, Subgroup
from jobs.risk.levels import level_of, levels_of
from jobs.risk.models import ModelResult, columns_of, covariates_of
from model.survival.coefficients import Coefficient
from model.survival.cox import CoxFit
from model.survival.design import Covariate
from model.survival.errors import FitRefused
from model.survival.interactions import interaction
from model.survival.mapping import mapped
from model.survival.multiplicity import holm
from model.survival.pooled_tests import Estimate, estimate_of
from model.survival.sharing import sharing
from schemas.cohort import Cohort
from schemas.declaration import Subgroups

FEWEST_EVENTS = 5
"""A level with fewer events has no hazard ratio of its own, and stays out of the test (ours)."""

GOING_THROUGH = 20
"""How often the fits of a group go through the rows, about (ours)."""

LEVEL = "level of the group"
"""Column the levels of a group stand in while its interaction is fitted."""


@dataclass(frozen=True)
class Interaction:
    """One exposure in everybody, or in the levels of one group.

    Attributes:
        rows: one a level.
        products: the coefficients that the test says are all 0; None where nothing was tested.
    """

    rows: list[Subgroup]
    products: Estimate | None = None


def subgroups(members: pd.DataFrame, cohort: Cohort, result: ModelResult | None) -> list[Subgroup]:
    """The hazard ratio of each declared exposure in everybody, and in each level of each declared group.

    Args: as `interactions`.
    """
    return with_holm([row for one in interactions(members, cohort, result) for row in one.rows])


def interactions(members: pd.DataFrame, cohort: Cohort, result: ModelResult | None) -> list[Interaction]:
    """The same by exposure and group, everybody first; p values are not yet adjusted over all of them.

    The exposure's unit is that of everybody (a standard deviation of all persons), so that groups can be compared. A
    group that the model does not hold is added to it together with the interaction.

    Args:
        members: the persons analysed.
        cohort: what was declared.
        result: of the model the subgroups are of; None where the cohort declares none.
    """
    declared = cohort.declared.subgroups
    if declared is None or result is None:
        return []
    everybody = {exposure: _of_everybody(members, declared, result, exposure) for exposure in declared.exposures}
    units = {one.term.covariate: one.term.one_unit for one in (result.cox.coefficients if result.cox else ())}
    tested = {name: (row, units[name]) for name, row in everybody.items() if row.status == COMPUTED}
    # What is sent to others is no more than they need, and no copy: fits done here share what they know of the columns.
    columns = (*cohort.columns, *columns_of(cohort, cohort.declared.models[declared.model]).needed(()))
    narrow = pd.DataFrame({name: members[name] for name in dict.fromkeys(columns)}, copy=False)
    near = result.cox.estimates if result.cox else {}
    work = partial(_of_group, narrow, cohort, tested, near)
    by_group = mapped(work, declared.by, size=GOING_THROUGH * len(members) if tested else 0)
    found = []
    for exposure in declared.exposures:
        found.append(Interaction([everybody[exposure]]))
        found += [of_exposure[exposure] for of_exposure in by_group if exposure in of_exposure]
    return found


def with_holm(found: list[Subgroup]) -> list[Subgroup]:
    """The same rows with the interaction tests' p values adjusted over all of them, each test counted once."""
    tests = {
        (row.exposure, row.group_name): row.interaction_p_value for row in found if row.interaction_p_value is not None
    }
    adjusted = dict(zip(tests, holm(list(tests.values())), strict=True))
    return [
        replace(row, interaction_p_value_holm=float(adjusted[row.exposure, row.group_name]))
        if row.interaction_p_value is not None
        else row
        for row in found
    ]


def _of_everybody(members: pd.DataFrame, declared: Subgroups, result: ModelResult, exposure: str) -> Subgroup:
    fitted = result.cox.coefficients if result.cox else ()
    coefficient = next((one for one in fitted if one.term.covariate == exposure), None)
    everybody = Subgroup(
        model_name=declared.model,
        exposure=exposure,
        group_name=ALL,
        level=ALL,
        label="All",
        unit=coefficient.term.unit if coefficient else "",
        persons=len(members),
        events=int(members["event"].sum()),
        status=REFUSED,
        status_reason=result.reason,
    )
    return _with_ratio(everybody, coefficient) if coefficient else everybody


@sharing()
def _of_group(
    members: pd.DataFrame,
    cohort: Cohort,
    tested: dict[str, tuple[Subgroup, float | None]],
    near: Mapping[str, float],
    group: str,
) -> dict[str, Interaction]:
    """What is found in a group's levels, by exposure."""
    found = {}
    covariates = model_covariates(cohort)
    without: CoxFit | None = None
    for exposure, (everybody, _) in tested.items():
        # All exposures have the unit of everybody: the model without an interaction is then the same for each.
        adjusted = tuple(
            replace(one, per=tested[one.name][1]) if one.name in tested else one
            for one in covariates_of(cohort, cohort.declared.models[everybody.model_name])
        )
        found[exposure], without = _by_level(members, cohort, everybody, adjusted, covariates[group], near, without)
    return found


def _by_level(
    members: pd.DataFrame,
    cohort: Cohort,
    everybody: Subgroup,
    covariates: tuple[Covariate, ...],
    group: Covariate,
    near: Mapping[str, float],
    without: CoxFit | None,
) -> tuple[Interaction, CoxFit | None]:
    """A row a level, and the model without an interaction; levels with few events are told, and not tested."""
    rows = {
        level: replace(
            everybody,
            group_name=group.name,
            level=level,
            label=f"{cohort.declared.covariates[group.name].label}: {level}",
            persons=int(within.sum()),
            events=int(members["event"][within].sum()),
            status_reason=f"fewer than {FEWEST_EVENTS} events",
        )
        for level, within in levels_of(members, group).items()
    }
    kept = tuple(level for level, row in rows.items() if row.events >= FEWEST_EVENTS)
    products = None
    if len(kept) < 2:
        for level in kept:
            rows[level] = replace(rows[level], status_reason="no other level to compare with")
    else:
        of_kept = {level: rows[level] for level in kept}
        tested, products, without = _interaction(members, cohort, covariates, group, of_kept, near, without)
        rows |= tested
    return Interaction(list(rows.values()), products), without


def _interaction(
    members: pd.DataFrame,
    cohort: Cohort,
    covariates: tuple[Covariate, ...],
    group: Covariate,
    rows: dict[str, Subgroup],
    near: Mapping[str, float],
    without: CoxFit | None,
) -> tuple[dict[str, Subgroup], Estimate | None, CoxFit | None]:
    """The rows of the levels that are tested, with hazard ratios and the test, or with why there is none; what was
    tested; and the model without an interaction.
    """
    first = next(iter(rows.values()))
    own: NDArray[np.object_] = level_of(members, group)
    # Not assigned, which would copy it: the levels are then told apart once for all exposures.
    columns_read = {str(name): members[name].to_numpy() for name in members}
    frame = pd.DataFrame({**columns_read, LEVEL: own}, index=members.index, copy=False)
    tested = pd.Series(own).isin(list(rows)).to_numpy()
    if not tested.all():
        frame = frame[tested].reset_index(drop=True)
    levels = Covariate(group.name, LEVEL, "categorical", levels=tuple(rows), reference=first.level)
    columns = columns_of(cohort, cohort.declared.models[first.model_name])
    try:
        found = interaction(
            frame,
            covariates,
            first.exposure,
            levels,
            entry=columns.entry,
            strata=columns.strata,
            cluster=columns.cluster,
            weights=columns.weights,
            without=without,
            near=near,
        )
    except FitRefused as reason:
        return {level: replace(row, status_reason=str(reason)) for level, row in rows.items()}, None, without
    test = found.likelihood_ratio or found.wald
    told = {
        effect.level: replace(
            _with_ratio(rows[effect.level], effect.coefficients[0]),
            interaction_chi_squared=test.chi_squared,
            interaction_degrees=test.degrees,
            interaction_p_value=test.p_value,
        )
        for effect in found.effects
    }
    return told, estimate_of(found.fit, found.products), found.without


def _with_ratio(row: Subgroup, coefficient: Coefficient) -> Subgroup:
    return replace(
        row,
        status=COMPUTED,
        status_reason=None,
        log_hazard_ratio=coefficient.log_hazard_ratio,
        standard_error=coefficient.standard_error,
        hazard_ratio=coefficient.hazard_ratio,
        ci_lower=coefficient.ci_lower,
        ci_upper=coefficient.ci_upper,
    )
