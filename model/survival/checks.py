"""What is checked before a Cox model is fitted: a table must never hold a number the data cannot carry.

The thresholds are ours; docs/statistics.md lists them.
"""

from __future__ import annotations

import numpy as np

from model.survival.design import Term
from model.survival.errors import FitRefused
from model.survival.partial_likelihood import weighted_products

FEWEST_EVENTS_PER_TERM = 2
"""Below this the model is refused (ours)."""

SPARSE_EVENTS_PER_TERM = 10
"""Below this the model carries a warning: the rule of thumb of Peduzzi et al., J Clin Epidemiol 1995;48:1503."""

SPARSE_LEVEL_PERSONS = 5
"""A level with fewer persons carries a warning (ours)."""

FEW_CLUSTERS = 20
"""With fewer, robust standard errors are known to come out too small, and the model carries a warning (ours)."""

SMALLEST_SINGULAR_SHARE = 1e-6
"""Columns are collinear when the standardised matrix's smallest singular value is below this share of its largest."""


def check_before_fitting(
    matrix: np.ndarray,
    terms: tuple[Term, ...],
    durations: np.ndarray,
    events: np.ndarray,
    *,
    entry: np.ndarray | None = None,
    weights: np.ndarray | None = None,
    strata: np.ndarray | None = None,
) -> list[str]:
    """Refuse what cannot be estimated, and return warnings about what can be estimated badly.

    Args:
        matrix: design, (persons, terms).
        terms: meaning of its columns.
        durations: end of follow-up, years, (persons,).
        events: whether it ended with the event, bool, (persons,).
        entry: start of follow-up, years, (persons,); None: 0.
        weights: case weights, (persons,); None: 1.
        strata: number of each person's stratum from 0 on, (persons,); None: there is one.

    Raises:
        FitRefused: no persons, no events, no term, too few events for the terms, follow-up or weights that are not
            positive, entry after the end, a constant column (in every stratum), separation by a level, or collinear
            columns (within strata).
    """
    _check_outcome(durations, events, entry, weights)
    if not terms:
        raise FitRefused("no covariate varies")
    _check_events_per_term(int(events.sum()), len(terms))
    _check_columns(matrix, terms, events)
    warnings = _warnings(matrix, terms, int(events.sum()))
    if strata is None or not strata.any():
        _check_collinearity(matrix - matrix.mean(axis=0), terms)
    else:
        _check_collinearity(_within(matrix, terms, strata), terms)
        without = int((np.bincount(strata, weights=events) == 0).sum())
        warnings += [f"no events in {without} of the {int(strata.max()) + 1} strata"] if without else []
    return warnings


def check_clusters(clusters: int, terms: int) -> list[str]:
    """Refuse clusters that cannot carry a robust variance, and return a warning about few.

    Raises:
        FitRefused: no more clusters than terms, so that the variance would be singular.
    """
    if clusters <= terms:
        raise FitRefused(f"{clusters} clusters for {terms} terms: too few for a robust variance")
    return [f"only {clusters} clusters: robust standard errors are too small"] if clusters < FEW_CLUSTERS else []


def _check_outcome(
    durations: np.ndarray, events: np.ndarray, entry: np.ndarray | None, weights: np.ndarray | None
) -> None:
    if len(durations) == 0:
        raise FitRefused("no persons")
    if not (np.isfinite(durations).all() and (durations > 0).all()):
        raise FitRefused("follow-up is missing, infinite or not positive for some persons")
    if entry is not None and not (np.isfinite(entry).all() and (entry < durations).all()):
        raise FitRefused("entry is missing, or not before the end of follow-up, for some persons")
    if weights is not None and not (np.isfinite(weights).all() and (weights > 0).all()):
        raise FitRefused("a weight is missing, infinite or not positive for some persons")
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


def _within(matrix: np.ndarray, terms: tuple[Term, ...], strata: np.ndarray) -> np.ndarray:
    """The columns less their means in each stratum, which is all that a stratified likelihood sees of them."""
    persons = np.bincount(strata)
    within = np.empty_like(matrix)
    for index, (column, term) in enumerate(zip(matrix.T, terms, strict=True)):
        within[:, index] = column - (np.bincount(strata, weights=column) / persons)[strata]
        if np.abs(within[:, index]).max() <= SMALLEST_SINGULAR_SHARE * column.std():
            raise FitRefused(f"{term.name} is the same for everyone within each stratum")
    return within


def _check_collinearity(centred: np.ndarray, terms: tuple[Term, ...]) -> None:
    # The eigenvalues of the correlations are the squared singular values of the standardised columns.
    products = weighted_products(centred.T, np.ones(len(centred)))
    lengths = np.sqrt(np.diag(products))
    squared, vectors = np.linalg.eigh(products / np.outer(lengths, lengths))
    if squared[0] < SMALLEST_SINGULAR_SHARE**2 * squared[-1]:
        involved = [term.name for term, weight in zip(terms, vectors[:, 0], strict=True) if abs(weight) > 0.1]
        raise FitRefused(f"collinear: {', '.join(involved)} determine each other")


def _warnings(matrix: np.ndarray, terms: tuple[Term, ...], events: int) -> list[str]:
    warnings = []
    if events < SPARSE_EVENTS_PER_TERM * len(terms):
        warnings.append(f"{events} events for {len(terms)} terms: fewer than {SPARSE_EVENTS_PER_TERM} events a term")
    for column, term in zip(matrix.T, terms, strict=True):
        if term.level is not None and (persons := int(column.sum())) < SPARSE_LEVEL_PERSONS:
            warnings.append(f"only {persons} persons with {term.name}")
    return warnings
