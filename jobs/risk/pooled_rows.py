"""One row of a table from those of completed data sets: ratios by Rubin's rules."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from jobs.risk.findings import Effect, OverTime
from model.survival.intervals import NORMAL_97_5
from model.survival.pooling import pool

Row = TypeVar("Row")

MANY = 1e9
"""Degrees of freedom of what has a normal interval in each data set."""


@dataclass(frozen=True)
class PooledRatio:
    """A hazard ratio with Student's interval and p value."""

    log_hazard_ratio: float
    standard_error: float
    degrees: float
    hazard_ratio: float
    ci_lower: float
    ci_upper: float
    p_value: float

    @property
    def chi_squared(self) -> float:
        """The square of t."""
        return (self.log_hazard_ratio / self.standard_error) ** 2


def pooled_ratio(
    log_ratios: Sequence[float], standard_errors: Sequence[float], *, complete_degrees: float = MANY
) -> PooledRatio:
    """Rubin's rules for one log hazard ratio.

    Args:
        log_ratios, standard_errors: of each completed data set.
        complete_degrees: if nothing were missing: events less terms.

    Raises:
        NotComputable: fewer than two, or no degrees.
    """
    found = pool(
        np.array(log_ratios)[:, None], np.array(standard_errors)[:, None] ** 2, complete_degrees=complete_degrees
    )
    estimate, half_width = float(found.estimate[0]), float(found.half_width[0])
    return PooledRatio(
        log_hazard_ratio=estimate,
        standard_error=float(found.standard_error[0]),
        degrees=float(found.degrees[0]),
        hazard_ratio=float(np.exp(estimate)),
        ci_lower=float(np.exp(estimate - half_width)),
        ci_upper=float(np.exp(estimate + half_width)),
        p_value=float(found.p_value[0]),
    )


def error_behind(lower: float, upper: float) -> float:
    """The standard error of a log ratio, from its normal 95 % interval."""
    return float(np.log(upper / lower) / (2 * NORMAL_97_5))


def pooled_by(
    key: Callable[[Row], Hashable], of_each: Sequence[Sequence[Row]], pooled: Callable[[Sequence[Row]], Row]
) -> list[Row]:
    """The rows of all data sets that are about one thing as one row each, in the order in which they first come."""
    together: dict[Hashable, list[Row]] = {}
    for rows in of_each:
        for row in rows:
            together.setdefault(key(row), []).append(row)
    return [pooled(found) for found in together.values()]


def effect(found: Sequence[Effect]) -> Effect:
    """The ratio at one value; where it is compared with itself it is 1."""
    first = found[0]
    errors = [error_behind(row.ci_lower, row.ci_upper) for row in found]
    if max(errors) == 0:
        return first
    ratio = pooled_ratio([row.log_hazard_ratio for row in found], errors)
    return replace(
        first,
        log_hazard_ratio=ratio.log_hazard_ratio,
        hazard_ratio=ratio.hazard_ratio,
        ci_lower=ratio.ci_lower,
        ci_upper=ratio.ci_upper,
    )


def period(found: Sequence[OverTime]) -> OverTime:
    """A coefficient in one period of follow-up."""
    first = found[0]
    estimates = np.array([row.log_hazard_ratio for row in found])
    errors = [row.standard_error for row in found if row.standard_error is not None]
    error = None
    if len(errors) == len(found):
        within, between = float(np.mean(np.square(errors))), float(estimates.var(ddof=1))
        error = float(np.sqrt(within + (1 + 1 / len(found)) * between))
    return replace(first, log_hazard_ratio=float(estimates.mean()), standard_error=error)
