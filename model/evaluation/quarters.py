"""The quarters of a score: hazard ratios against the lowest, and Kaplan-Meier curves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from model.evaluation.findings import Finding
from model.evaluation.measuring import FEWEST_PEOPLE
from model.evaluation.prognosis import HORIZONS_YEARS, at_years
from model.survival.covariates import QUARTERS, Covariate, quarter_of, quartile_cuts
from model.survival.cox import fit_cox
from model.survival.errors import FitRefused
from model.survival.kaplan_meier import kaplan_meier

LOWEST = QUARTERS[0]


def quarter_findings(
    people: pd.DataFrame, column: str, name: str, *, clinical: tuple[Covariate, ...]
) -> Iterator[Finding]:
    """Hazard ratio of each quarter against the lowest, not adjusted and adjusted, and survival by Kaplan-Meier.

    Args:
        people: as `survival_findings` takes them.
        column, name: the score's column, and how its findings' names begin.
        clinical: what the adjusted hazard ratios are adjusted for.
    """
    group = f"{name}_quartile"
    quarter = quarters_of(people, column)
    score = Covariate(group, column, "quartile")
    yield from _hazard_ratios(people, quarter, group, "hazard_ratio", (score,))
    if clinical:
        yield from _hazard_ratios(people, quarter, group, "adjusted_hazard_ratio", (score, *clinical))
    curves = curves_by_quarter(people, column)
    for years in HORIZONS_YEARS:
        for level, curve in curves.items():
            yield _survival_at(curve, years, group, level)


def quarters_of(people: pd.DataFrame, column: str) -> np.ndarray:
    """The quarter of each person, Q1 (lowest) to Q4."""
    values = people[column].to_numpy(float)
    return quarter_of(values, quartile_cuts(values))


def curves_by_quarter(people: pd.DataFrame, column: str) -> dict[str, pd.DataFrame]:
    """Kaplan-Meier curves (as `kaplan_meier` gives them) of the quarters that somebody is in."""
    quarter = quarters_of(people, column)
    return {
        level: kaplan_meier(
            people.loc[quarter == level, "followup_years"].to_numpy(float),
            people.loc[quarter == level, "event"].to_numpy(bool),
        )
        for level in QUARTERS
        if (quarter == level).any()
    }


def _hazard_ratios(
    people: pd.DataFrame, quarter: np.ndarray, group: str, metric: str, covariates: tuple[Covariate, ...]
) -> Iterator[Finding]:
    refusal, found, warnings = None, {}, ""
    try:
        fit = fit_cox(people, covariates)
        warnings = "; ".join(fit.warnings)
        found = {c.term.level: c for c in fit.coefficients if c.term.covariate == group}
    except FitRefused as reason:
        refusal = str(reason)
    for level in QUARTERS:
        of_level = people[quarter == level]
        coefficient = found.get(level)
        is_reference = refusal is None and level == LOWEST
        estimate = 1.0 if is_reference else coefficient.hazard_ratio if coefficient else None
        note = "reference" if is_reference else refusal or warnings or None
        yield Finding(
            metric,
            estimate,
            group,
            level,
            people=len(of_level),
            events=int(of_level["event"].sum()),
            lower_95=coefficient.ci_lower if coefficient else None,
            upper_95=coefficient.ci_upper if coefficient else None,
            note=note if estimate is not None else note or "nobody is in this quarter",
        )


def _survival_at(curve: pd.DataFrame, years: float, group: str, level: str) -> Finding:
    """Kaplan-Meier's estimate at a time beyond which enough people of the quarter were followed."""
    counts: dict[str, Any] = {"people": int(curve["at_risk"].iloc[0]), "events": int(curve["events"].sum())}
    metric = f"survival_{at_years(years)}"
    later = curve[curve["time_years"] >= years]
    if later.empty or later["at_risk"].iloc[0] < FEWEST_PEOPLE:
        note = f"fewer than {FEWEST_PEOPLE} people were followed that long"
        return Finding(metric, None, group, level, note=note, **counts)
    row = curve[curve["time_years"] <= years].iloc[-1]
    bounds = [None if pd.isna(row[bound]) else float(row[bound]) for bound in ("ci_lower", "ci_upper")]
    return Finding(metric, float(row["survival"]), group, level, lower_95=bounds[0], upper_95=bounds[1], **counts)
