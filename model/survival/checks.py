"""What is checked before a Cox model is fitted: a table must never hold a number the data cannot carry.

The thresholds are ours; docs/statistics.md lists them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from model.survival.columns import stacked, weighted_products
from model.survival.compiled import compiled
from model.survival.covariates import Term
from model.survival.errors import FitRefused
from model.survival.risk_sets import Floats, Integers
from model.survival.sharing import remembered

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

COLLINEARITY_SAMPLE = 20_000
"""Rows that are looked at first: columns that they tell apart well need no further look."""

SUMMED = 512
"""Rows that are added up before their sum is added to that of the others: what is rounded off stays small (ours)."""


@dataclass(frozen=True)
class ColumnFacts:
    """What must be known of a column of a design before it is fitted.

    Attributes:
        mean, deviation: over the rows; the standard deviation is that of the rows themselves (divided by their number).
        finite: whether every value is a finite number.
        constant: whether all are the same.
        of_events: sum of the column over the rows with the event; of a level's 0 and 1, how many have it.
        rows: how many there are.
    """

    mean: float
    deviation: float
    finite: bool
    constant: bool
    of_events: float
    rows: int

    @classmethod
    def of(cls, values: np.ndarray, with_event: np.ndarray) -> ColumnFacts:
        """Of a column, (rows,); `with_event` are the numbers of the rows with the event, or a mask of them."""
        dead = np.flatnonzero(with_event) if with_event.dtype == bool else with_event
        total, others, of_events = _sums(values, dead)
        # A value that is no finite number leaves no finite sum; few sums are infinite without one.
        finite = bool(np.isfinite(total)) or bool(np.isfinite(values).all())
        if not finite:
            return cls(np.nan, np.nan, finite, False, np.nan, len(values))
        mean = total / len(values)
        deviation = float(np.sqrt(_sum_of_squares(values, mean) / len(values)))
        return cls(mean, deviation, finite, others == 0, of_events, len(values))


@compiled
def _sums(values: Floats, dead: Integers) -> tuple[float, int, float]:
    """Sum of a column, how many differ from its first, and the sum over the rows `dead`."""
    total, others, of_events = 0.0, 0, 0.0
    for start in range(0, len(values), SUMMED):
        of_block = 0.0
        for row in range(start, min(start + SUMMED, len(values))):
            of_block += values[row]
            others += values[row] != values[0]
        total += of_block
    for start in range(0, len(dead), SUMMED):
        of_block = 0.0
        for death in range(start, min(start + SUMMED, len(dead))):
            of_block += values[dead[death]]
        of_events += of_block
    return total, others, of_events


@compiled
def _sum_of_squares(values: Floats, around: float) -> float:
    """Sum of the squared differences from a number."""
    total = 0.0
    for start in range(0, len(values), SUMMED):
        of_block = 0.0
        for row in range(start, min(start + SUMMED, len(values))):
            of_block += (values[row] - around) ** 2
        total += of_block
    return total


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
    check_outcome(durations, events, entry, weights)
    check_events(int(events.sum()), terms)
    facts = [ColumnFacts.of(np.ascontiguousarray(column), events) for column in matrix.T]
    warnings = check_columns(facts, terms, int(events.sum()))
    return warnings + check_collinearity((matrix - matrix.mean(axis=0)).T, terms, events, strata)


def check_events(events: int, terms: tuple[Term, ...]) -> None:
    """See that there is something to estimate, and enough events to estimate it from.

    Raises:
        FitRefused: no term, or too few events for the terms.
    """
    if not terms:
        raise FitRefused("no covariate varies")
    if events < FEWEST_EVENTS_PER_TERM * len(terms):
        raise FitRefused(f"{events} events for {len(terms)} terms: fewer than {FEWEST_EVENTS_PER_TERM} events a term")


def check_columns(facts: Sequence[ColumnFacts], terms: tuple[Term, ...], events: int) -> list[str]:
    """Refuse columns that no coefficient can be estimated for, and return warnings about sparse ones.

    Args:
        facts: of each term's column.
        terms: whose they are.
        events: how many rows have one.

    Raises:
        FitRefused: missing or infinite values, a constant column, or separation by a level.
    """
    for column, term in zip(facts, terms, strict=True):
        if not column.finite:
            raise FitRefused(f"{term.name} has missing or infinite values")
        if column.constant:
            raise FitRefused(f"{term.name} is the same for everyone")
        if term.level is not None and column.of_events == 0:
            raise FitRefused(f"separation: no events among the {_persons(column)} persons with {term.name}")
    for covariate in {term.covariate: None for term in terms if term.level is not None}:
        of_covariate = [index for index, term in enumerate(terms) if term.covariate == covariate]
        # Nobody has two levels: who has the event and none of them has the reference.
        if events - sum(facts[index].of_events for index in of_covariate) == 0:
            level = terms[of_covariate[0]].reference_level
            raise FitRefused(f"separation: no events among the persons with the reference level {covariate}={level}")
    warnings = []
    if events < SPARSE_EVENTS_PER_TERM * len(terms):
        warnings.append(f"{events} events for {len(terms)} terms: fewer than {SPARSE_EVENTS_PER_TERM} events a term")
    for column, term in zip(facts, terms, strict=True):
        if term.level is not None and (persons := _persons(column)) < SPARSE_LEVEL_PERSONS:
            warnings.append(f"only {persons} persons with {term.name}")
    return warnings


def check_collinearity(
    centred: Sequence[np.ndarray], terms: tuple[Term, ...], events: np.ndarray, strata: np.ndarray | None
) -> list[str]:
    """Refuse columns that determine each other (within strata), and return a warning about strata without events.

    Args:
        centred: columns less their means, (rows,) each.
        terms: meaning of the columns.
        events: of the rows, (rows,).
        strata: number of each row's stratum from 0 on, (rows,); None: there is one.

    Raises:
        FitRefused: a column is constant in every stratum, or columns are collinear.
    """
    if strata is None or not strata.any():
        _check_collinearity(centred, terms)
        return []
    _check_collinearity(_within(centred, terms, strata), terms)
    without = int((np.bincount(strata, weights=events) == 0).sum())
    return [f"no events in {without} of the {int(strata.max()) + 1} strata"] if without else []


def _persons(column: ColumnFacts) -> int:
    return round(column.mean * column.rows)


def check_clusters(clusters: int, terms: int) -> list[str]:
    """Refuse clusters that cannot carry a robust variance, and return a warning about few.

    Raises:
        FitRefused: no more clusters than terms, so that the variance would be singular.
    """
    if clusters <= terms:
        raise FitRefused(f"{clusters} clusters for {terms} terms: too few for a robust variance")
    return [f"only {clusters} clusters: robust standard errors are too small"] if clusters < FEW_CLUSTERS else []


def check_outcome(
    durations: np.ndarray, events: np.ndarray, entry: np.ndarray | None, weights: np.ndarray | None
) -> None:
    """See that follow-up makes sense, and that there are events.

    Args: as `check_before_fitting`.

    Raises:
        FitRefused: no persons, no events, follow-up or weights that are not positive, or entry after the end.
    """
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


def _within(centred: Sequence[np.ndarray], terms: tuple[Term, ...], strata: np.ndarray) -> list[np.ndarray]:
    """The columns less their means in each stratum, which is all that a stratified likelihood sees of them."""
    persons = np.bincount(strata).astype(np.float64)
    within = []
    for column, term in zip(centred, terms, strict=True):
        of_column = np.empty_like(column)
        farthest = _subtract_means(np.ascontiguousarray(column), strata, persons, of_column)
        if farthest <= SMALLEST_SINGULAR_SHARE * column.std():
            raise FitRefused(f"{term.name} is the same for everyone within each stratum")
        within.append(of_column)
    return within


@compiled
def _subtract_means(column: Floats, strata: Integers, persons: Floats, within: Floats) -> float:
    """Write a column less its mean in each stratum into `within`, (rows,); the farthest from 0 is returned."""
    means = np.zeros(len(persons))
    for row in range(len(column)):
        means[strata[row]] += column[row]
    means /= persons
    farthest = 0.0
    for row in range(len(column)):
        within[row] = column[row] - means[strata[row]]
        farthest = max(farthest, abs(within[row]))
    return farthest


def _check_collinearity(centred: Sequence[np.ndarray], terms: tuple[Term, ...]) -> None:
    rows = len(centred[0])
    lengths = np.sqrt([remembered("squared", (column,), partial(np.dot, column, column)) for column in centred])
    some = stacked([column[:: max(1, rows // COLLINEARITY_SAMPLE)] for column in centred])
    # What some rows tell apart, all of them do: further rows add to the eigenvalues, and none exceeds the terms.
    products = some @ some.T / np.outer(lengths, lengths)
    if np.linalg.eigvalsh(products)[0] >= SMALLEST_SINGULAR_SHARE * len(terms):
        return
    # The eigenvalues of the correlations are the squared singular values of the standardised columns.
    products = weighted_products(centred, np.ones(rows)) / np.outer(lengths, lengths)
    squared, vectors = np.linalg.eigh(products)
    if squared[0] < SMALLEST_SINGULAR_SHARE**2 * squared[-1]:
        involved = [term.name for term, weight in zip(terms, vectors[:, 0], strict=True) if abs(weight) > 0.1]
        raise FitRefused(f"collinear: {', '.join(involved)} determine each other")
