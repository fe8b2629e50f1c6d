"""Who the persons of a cohort are: the first table of a paper, overall and by the levels of a covariate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jobs.pages import MISSING
from jobs.risk.declared import model_covariates
from jobs.risk.levels import levels_of
from model.survival.kaplan_meier import kaplan_meier
from schemas.cohort import Cohort

Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]
Row = tuple[str, str | None, tuple[str, ...]]
"""What it is, of which level, and a cell for each column."""


NOT_KNOWN = "not known"


@dataclass(frozen=True)
class Characteristics:
    """A table: what it is split by, names of its columns, and its rows."""

    split_by: str | None
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


def characteristics(members: pd.DataFrame, cohort: Cohort, *, small_cell: int) -> Characteristics:
    """Numbers, follow-up, events, and every covariate.

    Means with standard deviations, medians with quartiles, of those known; counts with shares of the column. A count
    from 1 to `small_cell` - 1 is not told, and then those of the other levels are rounded to five.

    Args:
        members: followup_years, event, and the covariates' columns; at least one person.
        cohort: what was declared; split by the first covariate it draws curves by.
        small_cell: counts below are not told.
    """
    covariates = model_covariates(cohort)
    split_by = next(iter(cohort.declared.curves), None)
    split: dict[str, Mask] = levels_of(members, covariates[split_by]) if split_by else {}
    columns = {"All": np.ones(len(members), dtype=bool), **split}
    groups = [members[within] for within in columns.values()]
    rows: list[Row] = [
        ("Persons", None, tuple(told_counts([len(group)], None, small_cell)[0] for group in groups)),
        ("Events", None, tuple(told_counts([_events(group)], len(group), small_cell)[0] for group in groups)),
        ("Follow-up, years, median", None, tuple(map(_followup, groups))),
    ]
    told: set[str] = set()
    for name, declared in cohort.declared.covariates.items():
        covariate = covariates[name]
        if declared.has_levels and declared.type != "quartile":
            levels = levels_of(members, covariate) | _unknown(members, covariate.column)
            rows += _levels(declared.label, levels, columns, small_cell)
        elif declared.type == "continuous" and covariate.column not in told:
            told.add(covariate.column)
            unit = f", {declared.unit}" if declared.unit else ""
            values = [group[covariate.column].dropna().to_numpy(float) for group in groups]
            places = 1 if np.std(values[0]) >= 2 else 2
            rows.append((f"{declared.label}{unit}, mean (SD)", None, tuple(_mean(some, places) for some in values)))
            rows.append(
                (f"{declared.label}{unit}, median (quartiles)", None, tuple(_median(v, places) for v in values))
            )
            rows += _levels(f"{declared.label}{unit}", _unknown(members, covariate.column), columns, small_cell)
    label = cohort.declared.covariates[split_by].label if split_by else None
    return Characteristics(split_by=label, columns=tuple(columns), rows=tuple(rows))


def _unknown(members: pd.DataFrame, column: str) -> dict[str, Mask]:
    """Those of whom it is not known, where there are any."""
    missing = members[column].isna().to_numpy()
    return {NOT_KNOWN: missing} if missing.any() else {}


def _levels(label: str, levels: dict[str, Mask], columns: dict[str, Mask], small_cell: int) -> list[Row]:
    """A row a level, the counts of each column told together."""
    told = [
        told_counts([int((has_level & within).sum()) for has_level in levels.values()], int(within.sum()), small_cell)
        for within in columns.values()
    ]
    return [(label, level, tuple(column[place] for column in told)) for place, level in enumerate(levels)]


def told_counts(counts: list[int], total: int | None, small_cell: int) -> list[str]:
    """Counts that belong together: where one is too small to be told, the others must not tell it by subtraction."""
    hidden = any(0 < count < small_cell for count in counts)
    told = []
    for count in counts:
        if 0 < count < small_cell:
            told.append(f"< {small_cell}")
            continue
        shown = round(count / 5) * 5 if hidden else count
        share = f" ({100 * shown / total:.0f} %)" if total and count else ""
        told.append(f"{'≈ ' if hidden and count else ''}{shown}{share}")
    return told


def _events(members: pd.DataFrame) -> int:
    return int(members["event"].sum())


def _mean(values: Floats, places: int) -> str:
    if len(values) == 0:
        return MISSING
    spread = f"{values.std(ddof=1):.{places}f}" if len(values) > 1 else "–"
    return f"{values.mean():.{places}f} ({spread})".replace("-", "−")


def _median(values: Floats, places: int) -> str:
    if len(values) == 0:
        return MISSING
    lower, middle, upper = np.quantile(values, (0.25, 0.5, 0.75))
    return f"{middle:.{places}f} ({lower:.{places}f} to {upper:.{places}f})".replace("-", "−")


def _followup(members: pd.DataFrame) -> str:
    """Median by the reverse Kaplan-Meier estimate: how long all were, or would have been, followed."""
    curve = kaplan_meier(members["followup_years"].to_numpy(float), ~members["event"].to_numpy(bool))
    reached = curve[curve["survival"] <= 0.5]
    return f"{reached['time_years'].iloc[0]:.1f}" if len(reached) else "not reached"
