"""Tests of several coefficients over completed data sets: Wald tests pooled (D1), other statistics pooled (D2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from model.errors import NotComputable
from model.survival.censoring import Floats
from model.survival.cox import CoxFit


@dataclass(frozen=True)
class PooledTest:
    """An F statistic times its degrees, so that it reads as a chi-squared; F when values were missing.

    Attributes:
        chi_squared: degrees times F.
        degrees: of the numerator, the coefficients tested.
        denominator_degrees: of F; None where the completed data sets do not differ, and it is a chi-squared.
    """

    chi_squared: float
    degrees: int
    denominator_degrees: float | None
    p_value: float


def pooled_wald(fits: Sequence[CoxFit], term_names: Sequence[str]) -> PooledTest:
    """Are the coefficients of these terms all 0? D1 of Li, Raghunathan and Rubin (1991).

    With q the mean estimate, U the mean covariance, B the covariance between m data sets, k coefficients and
    r = (1 + 1/m) tr(B U^-1) / k: D1 = q' U^-1 q / (k (1 + r)) is F with k and v degrees.

    Raises:
        NotComputable: fewer than two fits, no such term, or a covariance that is singular.
    """
    names = [[coefficient.term.name for coefficient in fit.coefficients] for fit in fits]
    wanted = list(dict.fromkeys(term_names))
    if len(fits) < 2:
        raise NotComputable("fewer than two imputations")
    if not wanted or any(not set(wanted) <= set(own) for own in names):
        raise NotComputable("a completed data set lacks one of the terms")
    tested = [[own.index(name) for name in wanted] for own in names]
    estimates = np.array([fit.beta[places] for fit, places in zip(fits, tested, strict=True)])
    covariances = np.array([fit.covariance[np.ix_(places, places)] for fit, places in zip(fits, tested, strict=True)])
    return wald_of(estimates, covariances)


def wald_of(estimates: Floats, covariances: Floats) -> PooledTest:
    """D1 from estimates (imputations, k) and their covariances (imputations, k, k).

    Raises:
        NotComputable: the mean covariance is singular.
    """
    imputations, degrees = estimates.shape
    mean, within = estimates.mean(axis=0), covariances.mean(axis=0)
    if np.linalg.matrix_rank(within / np.sqrt(np.outer(np.diag(within), np.diag(within))), hermitian=True) < degrees:
        raise NotComputable("the terms' covariance is singular")
    between = np.atleast_2d(np.cov(estimates, rowvar=False))
    increase = (1 + 1 / imputations) * float(np.trace(np.linalg.solve(within, between))) / degrees
    statistic = float(mean @ np.linalg.solve(within, mean)) / (degrees * (1 + increase))
    return _test(statistic, degrees, _denominator_d1(increase, degrees, imputations))


def pooled_statistic(chi_squared: Sequence[float], degrees: int) -> PooledTest:
    """One test from the same chi-squared statistic of each data set: D2 of Li, Meng, Raghunathan and Rubin (1991).

    With d the statistics, k their degrees and r = (1 + 1/m) var(sqrt d), D2 = (mean d / k - (m + 1) / (m - 1) r) /
    (1 + r) is about F with k and k^(-3/m) (m - 1) (1 + 1/r)^2 degrees; it is 0 where that is negative.

    Raises:
        NotComputable: fewer than two statistics.
    """
    imputations = len(chi_squared)
    if imputations < 2:
        raise NotComputable("fewer than two imputations")
    values = np.asarray(chi_squared, dtype=float)
    increase = (1 + 1 / imputations) * float(np.sqrt(values).var(ddof=1))
    statistic = (values.mean() / degrees - (imputations + 1) / (imputations - 1) * increase) / (1 + increase)
    denominator = None
    if increase > 0:
        denominator = degrees ** (-3 / imputations) * (imputations - 1) * (1 + 1 / increase) ** 2
    return _test(max(float(statistic), 0.0), degrees, denominator)


def _denominator_d1(increase: float, degrees: int, imputations: int) -> float | None:
    """Li, Raghunathan and Rubin's for more than four degrees between data sets, else Rubin's (1987)."""
    if increase <= 0:
        return None
    between = degrees * (imputations - 1)
    if between > 4:
        return float(4 + (between - 4) * (1 + (1 - 2 / between) / increase) ** 2)
    return float(between * (1 + 1 / degrees) * (1 + 1 / increase) ** 2 / 2)


LARGEST_DENOMINATOR = 1e8
"""Beyond, F is a chi-squared to all digits, and the statistics of the data sets differ by rounding only."""


def _test(statistic: float, degrees: int, denominator: float | None) -> PooledTest:
    if denominator is None or denominator > LARGEST_DENOMINATOR:
        return PooledTest(degrees * statistic, degrees, None, float(stats.chi2.sf(degrees * statistic, degrees)))
    p_value = float(stats.f.sf(statistic, degrees, denominator))
    return PooledTest(degrees * statistic, degrees, denominator, p_value)
