"""A frame made ready for a Cox fit: who is at risk when, and the design's columns in that order, described.

Sorting and encoding are most of the work before a fit, and the same for all models of the same persons: both are
remembered within `sharing()`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from model.survival.checks import ColumnFacts, check_outcome
from model.survival.compiled import compiled
from model.survival.design import Design
from model.survival.encoding import Learnt, encoded, source_of
from model.survival.partial_likelihood import PartialLikelihood
from model.survival.risk_sets import Floats, Integers, Outcome, RiskSets
from model.survival.sharing import remembered
from model.survival.strata import Strata

SAMPLES = (20_000, 100_000)
"""Rows of the samples that a fit to very many starts from (ours)."""

SEVERAL = 5
"""How many times as many there must be for a sample to be worth while (ours)."""


@dataclass(frozen=True)
class Followed:
    """The follow-up of a frame's rows: as given, and as risk sets.

    Attributes:
        outcome: in the order of the frame.
        strata: what the rows are stratified by.
    """

    outcome: Outcome
    strata: Strata

    @cached_property
    def risk_sets(self) -> RiskSets:
        """Who is at risk when; its `order` says which row of the frame each sorted row is."""
        return RiskSets(self.outcome)

    @cached_property
    def null_log_likelihood(self) -> float:
        """Partial log-likelihood of a model that tells nobody from anybody."""
        return PartialLikelihood.of_sorted((), self.risk_sets).at(np.zeros(0)).log_likelihood

    @cached_property
    def has_whole_weights(self) -> bool:
        """Whether every row counts as so many persons."""
        return bool((np.floor(self.outcome.weights) == self.outcome.weights).all())

    @cached_property
    def longest(self) -> Floats:
        """Longest follow-up of each stratum, years, (strata,)."""
        longest = np.zeros(len(self.strata.values))
        np.maximum.at(longest, self.outcome.strata, self.outcome.durations)
        return longest

    @cached_property
    def samples(self) -> tuple[tuple[slice, RiskSets], ...]:
        """Some sorted rows at even distances and their risk sets, the fewest first; none where rows are few."""
        rows = len(self.risk_sets.order)
        found = (self._sample(rows // size) for size in SAMPLES if rows >= SEVERAL * size)
        return tuple(sample for sample in found if sample is not None)

    def _sample(self, step: int) -> tuple[slice, RiskSets] | None:
        """One of every so many rows; None where none of them dies."""
        rows = slice(step // 2, None, step)
        outcome, order = self.outcome, self.risk_sets.order[rows]
        if not outcome.events[order].any():
            return None
        _, strata = np.unique(outcome.strata[order], return_inverse=True)
        entry = None if outcome.entry is None else outcome.entry[order]
        own = Outcome(outcome.durations[order], outcome.events[order], strata, outcome.weights[order], entry)
        return rows, RiskSets(own)


def followed(
    frame: pd.DataFrame, *, duration: str, event: str, entry: str | None, strata: tuple[str, ...], weights: str | None
) -> Followed:
    """Take the follow-up from a frame, and see that it makes sense.

    Args: columns of `frame`, as `fit_cox` takes them.

    Raises:
        FitRefused: it does not (`check_outcome`), or a stratum is missing.
    """
    asked = [duration, event, entry, weights, *strata]
    columns = tuple(None if name is None else frame[name].to_numpy() for name in asked)

    def taken() -> Followed:
        found = Strata.of(frame, strata)
        outcome = Outcome(
            durations=frame[duration].to_numpy(dtype=float),
            events=frame[event].to_numpy(dtype=bool),
            strata=found.numbers(frame),
            weights=np.ones(len(frame)) if weights is None else frame[weights].to_numpy(dtype=float),
            entry=None if entry is None else frame[entry].to_numpy(dtype=float),
        )
        check_outcome(outcome.durations, outcome.events, outcome.entry, outcome.weights)
        return Followed(outcome, found)

    return remembered("followed", columns, taken)


@dataclass(frozen=True)
class SortedColumn:
    """One column of a design in the order of the risk sets, and what must be known of it.

    Attributes:
        facts: about its rows.
        source, kept: it is these rows of this column; None: all of them. Of a column without some rows, one that is
            neither standardised nor whole need not be kept.
    """

    facts: ColumnFacts
    source: Floats
    kept: Integers | None = None

    @property
    def values(self) -> Floats:
        """The column itself, (rows,)."""
        return self.source if self.kept is None else np.take(self.source, self.kept)

    @cached_property
    def standardised(self) -> Floats:
        """Less its mean, over its standard deviation, (rows,): neither unit nor origin may cost digits."""
        values = self.values
        scaled = np.empty_like(values) if self.kept is None else values
        _standardise(values, self.facts.mean, self.facts.deviation, scaled)
        return scaled

    @classmethod
    def of(cls, values: Floats, risk_sets: RiskSets, kept: Integers | None = None) -> SortedColumn:
        """Describe a sorted column, or those of its rows that are kept."""
        own = values if kept is None else np.take(values, kept)
        return cls(ColumnFacts.of(own, risk_sets.dead), values, kept)


@dataclass(frozen=True)
class Prepared:
    """A frame made ready for a fit.

    Attributes:
        follow_up: of its rows.
        design: learnt from it.
        columns: of the design, one a term.
        clusters: number of the cluster of each row of the follow-up, (rows,); None: each row is one.
    """

    follow_up: Followed
    design: Design
    columns: tuple[SortedColumn, ...]
    clusters: Integers | None


def sorted_columns(design: Design, frame: pd.DataFrame, follow_up: Followed) -> tuple[SortedColumn, ...]:
    """The columns of a design, one a term.

    Raises:
        FitRefused: as `Design.matrix`.
    """
    risk_sets = follow_up.risk_sets
    main = [column for learnt in design.learnt for column in _columns_of(learnt, frame, risk_sets)]
    products = [SortedColumn.of(main[one].values * main[other].values, risk_sets) for one, other in design.products]
    return (*main, *products)


def _columns_of(learnt: Learnt, frame: pd.DataFrame, risk_sets: RiskSets) -> list[SortedColumn]:
    source: NDArray[Any] = source_of(learnt.covariate, frame)

    def taken() -> list[SortedColumn]:
        return [SortedColumn.of(column, risk_sets) for column in encoded(learnt, source, risk_sets.order)]

    return remembered(("columns", learnt), (source, risk_sets.order), taken)


@compiled
def _standardise(values: Floats, mean: float, deviation: float, scaled: Floats) -> None:
    """Write values less their mean, over their deviation, into `scaled`, (rows,)."""
    for row in range(len(values)):
        scaled[row] = (values[row] - mean) / deviation
