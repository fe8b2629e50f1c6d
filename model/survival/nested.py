"""Tests of several coefficients at once: likelihood ratio of nested models, and Wald."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from model.survival.cox import CoxFit
from model.survival.errors import FitRefused
from model.survival.risk_sets import Floats, Outcome

WITHIN_SPAN = 1e-6
"""A column lies in the span of others when less than this share of it is left after regression on them."""

FIRST = 100
"""Rows that two columns are compared by first: most differ there."""


@dataclass(frozen=True)
class LikelihoodRatio:
    """2 (log L of the larger model - log L of the smaller), chi-squared with a degree an added term (Wilks 1938)."""

    chi_squared: float
    degrees: int
    p_value: float


@dataclass(frozen=True)
class WaldTest:
    """b' V^-1 b of some coefficients b with covariance V, chi-squared with as many degrees."""

    chi_squared: float
    degrees: int
    p_value: float


def likelihood_ratio(smaller: CoxFit, larger: CoxFit) -> LikelihoodRatio:
    """Does the larger model say more than the smaller?

    Nested means that every column of the smaller model is a linear combination of those of the larger, whatever they
    are called: age is nested in a spline of age.

    Raises:
        FitRefused: the models were fitted on other rows, follow-up, weights or strata; one is not nested in the other,
            or they are the same; or the rows are clustered or weighted, and there is no likelihood to compare.
    """
    if smaller.strata != larger.strata:
        raise FitRefused("the models have other strata: their likelihoods cannot be compared")
    if not _same_rows(smaller.outcome, larger.outcome):
        raise FitRefused("the models were fitted on other rows: their likelihoods cannot be compared")
    if smaller.robust or larger.robust:
        raise FitRefused("no likelihood-ratio test under clusters or weights that are not whole: take Wald's")
    _check_nested(smaller, larger)
    degrees = len(larger.beta) - len(smaller.beta)
    # Rounding may leave a term that adds nothing a hair below 0.
    chi_squared = max(2 * (larger.log_likelihood - smaller.log_likelihood), 0.0)
    return LikelihoodRatio(chi_squared, degrees, float(stats.chi2.sf(chi_squared, degrees)))


def overall_likelihood_ratio(fit: CoxFit) -> LikelihoodRatio:
    """Does the model say more than none of its terms?

    Raises:
        FitRefused: the rows are clustered or weighted.
    """
    if fit.robust:
        raise FitRefused("no likelihood-ratio test under clusters or weights that are not whole: take Wald's")
    chi_squared = max(2 * (fit.log_likelihood - fit.null_log_likelihood), 0.0)
    return LikelihoodRatio(chi_squared, len(fit.beta), float(stats.chi2.sf(chi_squared, len(fit.beta))))


def wald(fit: CoxFit, term_names: Sequence[str]) -> WaldTest:
    """Are the coefficients of these terms all 0? Robust where the fit's covariance is.

    For example all terms of a covariate; of a spline all but the first, which is the test of non-linearity.

    Raises:
        FitRefused: the model has no such term, or their covariance is singular.
    """
    names = [coefficient.term.name for coefficient in fit.coefficients]
    unknown = sorted(set(term_names) - set(names))
    if unknown or not term_names:
        raise FitRefused(f"the model has no term {unknown[0]}" if unknown else "no term to test")
    tested = [names.index(name) for name in dict.fromkeys(term_names)]
    covariance = fit.covariance[np.ix_(tested, tested)]
    errors = np.sqrt(np.diag(covariance))
    scaled = fit.beta[tested] / errors
    correlation = covariance / np.outer(errors, errors)
    if np.linalg.matrix_rank(correlation, hermitian=True) < len(tested):
        raise FitRefused("the terms' covariance is singular: too few clusters for a joint test")
    chi_squared = float(scaled @ np.linalg.solve(correlation, scaled))
    return WaldTest(chi_squared, len(tested), float(stats.chi2.sf(chi_squared, len(tested))))


def _same_rows(one: Outcome, other: Outcome) -> bool:
    def same(first: Any, second: Any) -> bool:
        return (first is None) == (second is None) and (first is None or np.array_equal(first, second))

    return (
        same(one.durations, other.durations)
        and same(one.events, other.events)
        and same(one.strata, other.strata)
        and same(one.weights, other.weights)
        and same(one.entry, other.entry)
    )


def _check_nested(smaller: CoxFit, larger: CoxFit) -> None:
    """The same rows are sorted the same way, so the standardised columns of both can be compared as they are."""
    outer = larger.sums.likelihood.columns
    # Most columns of the smaller model stand in the larger one as they are.
    others = [column for column in smaller.sums.likelihood.columns if not any(_equal(column, known) for known in outer)]
    if others and not _spans(np.stack(outer, axis=1), np.stack(others, axis=1)):
        raise FitRefused("the models are not nested: the larger one lacks a term of the smaller")
    if len(smaller.beta) >= len(larger.beta):
        raise FitRefused("the models are the same: the larger one has no further term")


def _equal(one: Floats, other: Floats) -> bool:
    return one is other or (bool((one[:FIRST] == other[:FIRST]).all()) and np.array_equal(one, other))


def _spans(outer: Floats, inner: Floats) -> bool:
    """Whether every column of `inner` is a combination of those of `outer`; all have mean 0 and variance 1."""
    basis, _ = np.linalg.qr(outer)
    left = inner - basis @ (basis.T @ inner)
    return bool((np.sqrt((left**2).mean(axis=0)) < WITHIN_SPAN).all())
