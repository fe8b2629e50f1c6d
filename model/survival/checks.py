"""What is checked before a Cox model is fitted: a table must never hold a number the data cannot carry.

The thresholds are ours; docs/statistics.md lists them.
"""

from __future__ import annotations

import numpy as np

from model.survival.design import Term
from model.survival.errors import FitRefused

FEWEST_EVENTS_PER_TERM = 2
"""Below this the model is refused (ours)."""

SPARSE_EVENTS_PER_TERM = 10
"""Below this the model carries a warning: the rule of thumb of Peduzzi et al., J Clin Epidemiol 1995;48:1503."""

SPARSE_LEVEL_PERSONS = 5
"""A level with fewer persons carries a warning (ours)."""

SMALLEST_SINGULAR_SHARE = 1e-6
"""Columns are collinear when the standardised matrix's smallest singular value is below this share of its largest."""


def check_before_fitting(
    matrix: np.ndarray, terms: tuple[Term, ...], durations: np.ndarray, events: np.ndarray
) -> list[str]:
    """Refuse what cannot be estimated, and return warnings about what can be estimated badly.

    Args:
        matrix: design, (persons, terms).
        terms: meaning of its columns.
        durations: years of follow-up, (persons,).
        events: whether it ended with the event, bool, (persons,).

    Raises:
        FitRefused: no persons, no events, no term, too few events for the terms, follow-up that is not positive, a
            constant column, separation by a level, or collinear columns.
    """
    _check_outcome(durations, events)
    if not terms:
        raise FitRefused("no covariate varies")
    _check_events_per_term(int(events.sum()), len(terms))
    _check_columns(matrix, terms, events)
    _check_collinearity(matrix, terms)
    return _warnings(matrix, terms, int(events.sum()))


def _check_outcome(durations: np.ndarray, events: np.ndarray) -> None:
    if len(durations) == 0:
        raise FitRefused("no persons")
    if not (np.isfinite(durations).all() and (durations > 0).all()):
        raise FitRefused("follow-up is missing, infinite or not positive for some persons")
    if not events.any():
        raise FitRefused("no events")


def _check_events_per_term(events: int, terms: int) -> None:
    if events < FEWEST_EVENTS_PER_TERM * terms:
        raise FitRefused(f"{events} events for {terms} terms: fewer than {FEWEST_EVENTS_PER_TERM} events a term")


def _check_columns(matrix: np.ndarray, terms: tuple[Term, ...], events: np.ndarray) -> None:
    for column, term in zip(matrix.T, terms, strict=True):
        if not np.isfinite(column).all():
            raise FitRefused(f"{term.name} has missing or infinite values")
        if np.ptp(column) == 0:
            raise FitRefused(f"{term.name} is the same for everyone")
        if term.level is None:
            continue
        has_level = column == 1
        if not events[has_level].any():
            raise FitRefused(f"separation: no events among the {int(has_level.sum())} persons with {term.name}")
    for covariate in {term.covariate: None for term in terms if term.level is not None}:
        of_covariate = [index for index, term in enumerate(terms) if term.covariate == covariate]
        reference = matrix[:, of_covariate].sum(axis=1) == 0
        if not events[reference].any():
            level = terms[of_covariate[0]].reference_level
            raise FitRefused(f"separation: no events among the persons with the reference level {covariate}={level}")


def _check_collinearity(matrix: np.ndarray, terms: tuple[Term, ...]) -> None:
    standardised = (matrix - matrix.mean(axis=0)) / matrix.std(axis=0)
    _, singular, right = np.linalg.svd(standardised, full_matrices=len(matrix) < len(terms))
    smallest = singular[-1] if len(singular) == len(terms) else 0.0
    if smallest < SMALLEST_SINGULAR_SHARE * singular[0]:
        involved = [term.name for term, weight in zip(terms, right[-1], strict=True) if abs(weight) > 0.1]
        raise FitRefused(f"collinear: {', '.join(involved)} determine each other")


def _warnings(matrix: np.ndarray, terms: tuple[Term, ...], events: int) -> list[str]:
    warnings = []
    if events < SPARSE_EVENTS_PER_TERM * len(terms):
        warnings.append(f"{events} events for {len(terms)} terms: fewer than {SPARSE_EVENTS_PER_TERM} events a term")
    for column, term in zip(matrix.T, terms, strict=True):
        if term.level is not None and (persons := int(column.sum())) < SPARSE_LEVEL_PERSONS:
            warnings.append(f"only {persons} persons with {term.name}")
    return warnings
