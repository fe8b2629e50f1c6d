"""Tests of several coefficients over completed data sets."""

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
    if not wanted or any(not set(wanted) <= set(own) for own in names):
        raise NotComputable("a completed data set lacks one of the terms")
    return pooled_estimates([estimate_of(fit, wanted) for fit in fits])


@dataclass(frozen=True)
class Estimate:
    """Coefficients, (k,), their covariance, (k, k), and of which terms they are."""

    terms: tuple[str, ...]
    values: Floats
    covariance: Floats


def estimate_of(fit: CoxFit, term_names: Sequence[str]) -> Estimate:
    """Coefficients of some terms of a fit, which has them."""
    names = [coefficient.term.name for coefficient in fit.coefficients]
    places = [names.index(name) for name in term_names]
    return Estimate(tuple(term_names), fit.beta[places], fit.covariance[np.ix_(places, places)])


def pooled_estimates(of_each: Sequence[Estimate]) -> PooledTest:
    """The same test of estimates of the same coefficients.

    Raises:
        NotComputable: fewer than two, other terms in one than in another, or a covariance that is singular.
    """
    if len(of_each) < 2:
        raise NotComputable("fewer than two imputations")
    if len({each.terms for each in of_each}) > 1:
        raise NotComputable("a completed data set lacks one of the terms")
    return wald_of(np.array([each.values for each in of_each]), np.array([each.covariance for each in of_each]))


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
