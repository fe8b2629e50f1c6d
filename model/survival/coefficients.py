"""One term's estimate as tables print it, and which estimates are none."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from model.survival.design import Term
from model.survival.errors import FitRefused
from model.survival.intervals import NORMAL_97_5

LARGEST_STANDARD_ERROR = 10.0
"""In log hazard per standard deviation of a column (ours). A likelihood that rises for ever ends beyond it."""

LARGEST_LOG_HAZARD_RATIO = 700.0
"""Whose exponential a double still holds."""


@dataclass(frozen=True)
class Coefficient:
    """One term's estimate; `hazard_ratio` and its 95 % Wald interval are exponentials of the log hazard ratio's."""

    term: Term
    log_hazard_ratio: float
    standard_error: float
    hazard_ratio: float
    ci_lower: float
    ci_upper: float
    z: float
    p_value: float


def wald_coefficient(term: Term, estimate: float, error: float) -> Coefficient:
    """A log hazard ratio and its standard error (> 0) with what follows from them."""
    z = estimate / error
    return Coefficient(
        term=term,
        log_hazard_ratio=estimate,
        standard_error=error,
        hazard_ratio=float(np.exp(estimate)),
        ci_lower=float(np.exp(estimate - NORMAL_97_5 * error)),
        ci_upper=float(np.exp(estimate + NORMAL_97_5 * error)),
        z=z,
        p_value=math.erfc(abs(z) / math.sqrt(2)),
    )


def check_maximum(
    beta: np.ndarray, errors: np.ndarray, standardised_errors: np.ndarray, terms: tuple[Term, ...]
) -> None:
    """Refuse estimates that Newton's method would have pushed on for ever (monotone likelihood; Heinze 2001).

    Args:
        beta, errors: estimates and their standard errors, (terms,).
        standardised_errors: the errors from the information, per standard deviation of each column, (terms,).
        terms: whose they are.

    Raises:
        FitRefused: there is no maximum, or a hazard ratio that a double cannot hold.
    """
    for term, estimate, error, standardised in zip(terms, beta, errors, standardised_errors, strict=True):
        if not (np.isfinite(estimate) and 0 < standardised <= LARGEST_STANDARD_ERROR):
            raise FitRefused(f"separation: the likelihood has no maximum in {term.name}")
        if abs(estimate) + NORMAL_97_5 * error > LARGEST_LOG_HAZARD_RATIO:
            raise FitRefused(f"the hazard ratio {term.unit} of {term.name} is no finite number: choose another unit")
