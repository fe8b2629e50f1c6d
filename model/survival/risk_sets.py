"""Who is at risk when: the bookkeeping of a partial likelihood, done once for a data set and used at every step.

Rows are sorted by stratum and end of follow-up, those with the event first. A *moment* is a time at which somebody of a
stratum has the event, and a row is at risk at the moments of its stratum in (entry, end]. Efron's ties (1977) let the d
deaths of a moment happen one after the other, in all orders at once: a *slot* is one of those d turns, before which a
share l/d of the deaths' risk, l = 0 .. d - 1, has left the risk set. Every sum over risk sets is a cumulative sum:
O(rows), whatever the ties.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


BLOCK = 4096
"""Rows whose columns are worked on at a time: a processor's cache holds them."""

FEW_MOMENTS = 8
"""With fewer moments than an eighth of the rows, summing between them first is the quicker way."""

ROWS_A_MOMENT = 32
"""With so many rows a moment on average, products are summed moment by moment (days of follow-up of many persons)."""


@dataclass(frozen=True)
class Outcome:
    """Follow-up of each row: (entry, duration] in years, how it ended, in which stratum, and with what weight.

    Attributes:
        durations: end of follow-up, (rows,), > entry.
        events: whether it ended with the event, bool, (rows,).
        strata: number of the stratum, 0 to strata - 1, (rows,); every number occurs.
        weights: case weights, (rows,), > 0.
        entry: start of follow-up (left truncation), (rows,), >= 0; None: everybody is followed from 0.
    """

    durations: Floats
    events: NDArray[np.bool_]
    strata: Integers
    weights: Floats
    entry: Floats | None = None

    @classmethod
    def plain(cls, durations: Floats, events: NDArray[np.bool_]) -> Outcome:
        """One stratum, no weights, nobody late."""
        rows = len(durations)
        return cls(durations, events, np.zeros(rows, dtype=np.int64), np.ones(rows))


@dataclass(frozen=True)
class _Span:
    """One stratum's part of the rows, of the moments, and of the late rows."""

    rows: slice
    moments: slice
    late: slice


class RiskSets:
    """Risk sets of an `Outcome`; arrays "of rows" are in its own order, `order` says which row of the data each is.

    Attributes:
        order: (rows,), position in the data of each sorted row.
        stratum, weights, dies: of the sorted rows, (rows,).
        times, moment_stratum: of the moments, ascending within strata, (moments,).
        deaths, weighted_deaths: at each moment, (moments,).
        dead: sorted rows that have the event, by moment, (deaths,).
        moment_of_death: (deaths,).
        tied_moments: those with several deaths.
        segments: of each moment its own rows, those that are at risk at it and at no later one of their stratum: where
            its deaths begin, its other rows begin, and these end, (moments, 3).
    """

    def __init__(self, outcome: Outcome) -> None:
        """Sort, and find where each row enters and leaves the risk sets.

        Args:
            outcome: at least one event.
        """
        # Of those whose follow-up ends at one time, who has the event comes first.
        self.order = np.lexsort((~outcome.events, outcome.durations, outcome.strata))
        self.stratum = outcome.strata[self.order]
        self.weights = outcome.weights[self.order]
        self.dies = outcome.events[self.order]
        self.strata = int(self.stratum[-1]) + 1
        durations = outcome.durations[self.order]

        self.dead = np.flatnonzero(self.dies)
        begins = np.ones(len(self.dead), dtype=bool)
        begins[1:] = (np.diff(durations[self.dead]) != 0) | (np.diff(self.stratum[self.dead]) != 0)
        starts = np.flatnonzero(begins)
        self.moment_of_death = np.cumsum(begins) - 1
        self.times = durations[self.dead[starts]]
        self.moment_stratum = self.stratum[self.dead[starts]]
        self.deaths = np.diff(np.append(starts, len(self.dead)))
        self._death_starts = starts
        self.weighted_deaths = np.add.reduceat(self.weights[self.dead], starts)

        self.tied_moments = np.flatnonzero(self.deaths > 1)
        in_ties = self.deaths[self.moment_of_death] > 1
        self._tied_dead = self.dead[in_ties]
        self._tie_starts = np.cumsum(self.deaths[self.tied_moments]) - self.deaths[self.tied_moments]

        self._find_rows(durations, None if outcome.entry is None else outcome.entry[self.order])

    def _find_rows(self, durations: Floats, entry: Floats | None) -> None:
        numbers = np.arange(self.strata + 1)
        row_bounds = np.searchsorted(self.stratum, numbers)
        moment_bounds = np.searchsorted(self.moment_stratum, numbers)
        self.row_starts = row_bounds[:-1]
        self._first_row = np.empty(len(self.times), dtype=np.int64)
        self._first_late = np.zeros(len(self.times), dtype=np.int64)
        self._enters = np.repeat(moment_bounds[:-1], np.diff(row_bounds))
        self._leaves = np.empty(len(durations), dtype=np.int64)
        late_rows: list[Integers] = []
        spans: list[_Span] = []
        counted = 0
        for number in range(self.strata):
            rows = slice(row_bounds[number], row_bounds[number + 1])
            moments = slice(moment_bounds[number], moment_bounds[number + 1])
            times = self.times[moments]
            self._first_row[moments] = np.searchsorted(durations[rows], times, side="left")
            self._leaves[rows] = moments.start + np.searchsorted(times, durations[rows], side="right")
            late = slice(counted, counted)
            if entry is not None and len(times):
                self._enters[rows] = moments.start + np.searchsorted(times, entry[rows], side="right")
                # Only who enters after the first moment of the stratum is ever missing from a risk set.
                missing = rows.start + np.flatnonzero(entry[rows] >= times[0])
                missing = missing[np.argsort(entry[missing], kind="stable")]
                late_rows.append(missing)
                counted += len(missing)
                late = slice(late.start, counted)
                self._first_late[moments] = np.searchsorted(entry[missing], times, side="left")
            spans.append(_Span(rows, moments, late))
        self._spans = tuple(spans)
        self._late_rows = np.concatenate(late_rows) if counted else np.empty(0, dtype=np.int64)
        # A moment's own rows are at risk at it and at those before, but at none after it; its deaths come first.
        begin = self._first_row + self.row_starts[self.moment_stratum]
        end = np.append(begin[1:], len(durations))
        last = np.flatnonzero(np.diff(self.moment_stratum, append=self.strata) != 0)
        end[last] = row_bounds[self.moment_stratum[last] + 1]
        self.segments = np.column_stack([begin, begin + self.deaths, end])
        self.ever_at_risk = self._leaves > self._enters
        self.never_at_risk = np.flatnonzero(~self.ever_at_risk)

    def sum_at_risk(self, values: Floats) -> Floats:
        """Sum of a value over the rows at risk at each moment; (..., rows) to (..., moments)."""
        total = np.empty((*values.shape[:-1], len(self.times)))
        for span in self._spans:
            if span.moments.stop > span.moments.start:
                _sum_from(values[..., span.rows], self._first_row[span.moments], out=total[..., span.moments])
            if span.late.stop > span.late.start:
                late = values[..., self._late_rows[span.late]]
                total[..., span.moments] -= _tail_sums(late, self._first_late[span.moments])
        return total

    @property
    def is_grouped(self) -> bool:
        """Whether so many rows share a moment that sums of products are best taken moment by moment."""
        return len(self._late_rows) == 0 and len(self.times) * ROWS_A_MOMENT <= len(self.order)

    def sum_from_moments(self, values: Floats) -> Floats:
        """Sum of what moments' own rows add up to over a moment and all later ones of its stratum; (moments, ...)."""
        total = np.empty_like(values)
        for span in self._spans:
            np.cumsum(values[span.moments][::-1], axis=0, out=total[span.moments][::-1])
        return total

    def sum_up_to_moments(self, increments: Floats) -> Floats:
        """Sum of a value of moments over a moment and all earlier ones of its stratum; (moments,)."""
        total = np.empty_like(increments)
        for span in self._spans:
            np.cumsum(increments[span.moments], out=total[span.moments])
        return total

    def sum_of_deaths(self, values: Floats) -> Floats:
        """Sum of a value over the rows that die at each moment; (rows,) to (moments,)."""
        of_deaths = values[self.dead]
        return np.add.reduceat(of_deaths, self._death_starts) if len(self.tied_moments) else of_deaths

    def sum_of_ties(self, values: Floats, weights: Floats) -> Floats:
        """Weighted sum of a value over the deaths of each tied moment; (rows,) each to (tied moments,)."""
        return np.add.reduceat(values[self._tied_dead] * weights[self._tied_dead], self._tie_starts)

    def sum_while_at_risk(self, increments: Floats) -> Floats:
        """Sum of a value of moments over those at which a row is at risk; (..., moments) to (..., rows)."""
        return self.while_at_risk(self.cumulated(increments), slice(None))

    def hazard_of_rows(self, increments: Floats, left: Floats) -> Floats:
        """Cumulative hazard that each row was exposed to, (rows,).

        Args:
            increments: at each moment, (moments,).
            left: what a death is not exposed to at its own moment, (moments,); not read where there are no ties.
        """
        hazard = self.sum_while_at_risk(increments)
        if len(self.tied_moments):
            hazard[self.dead] -= left[self.moment_of_death]
        return hazard

    def cumulated(self, increments: Floats) -> Floats:
        """Cumulative sums of a value of moments, for `while_at_risk`; (..., moments) to (..., moments + strata)."""
        # Strata are cumulated apart, each from an exact zero: a large sum of one must not round those of the next.
        cumulated = np.zeros((*increments.shape[:-1], len(self.times) + self.strata))
        for number, span in enumerate(self._spans):
            first, last = span.moments.start + number + 1, span.moments.stop + number + 1
            np.cumsum(increments[..., span.moments], axis=-1, out=cumulated[..., first:last])
        return cumulated

    def while_at_risk(self, cumulated: Floats, rows: slice) -> Floats:
        """The sums of `sum_while_at_risk` for some of the rows; (..., so many rows)."""
        stratum = self.stratum[rows]
        total: Floats = np.take(cumulated, self._leaves[rows] + stratum, axis=-1)
        if len(self._late_rows):
            total -= np.take(cumulated, self._enters[rows] + stratum, axis=-1)
        return total

    def to_data_order(self, values: Floats) -> Floats:
        """Values of sorted rows in the order of the data; the rows are the last axis."""
        unsorted = np.empty_like(values)
        unsorted[..., self.order] = values
        return unsorted


def _sum_from(values: Floats, first: Integers, out: Floats) -> None:
    """Sums of `values` from each index in `first` (ascending, none the end) to the end, into `out`."""
    if len(first) < values.shape[-1] / FEW_MOMENTS:
        between = np.add.reduceat(values, first, axis=-1)
        np.cumsum(between[..., ::-1], axis=-1, out=out[..., ::-1])
    else:
        out[...] = _tail_sums(values, first)


def _tail_sums(values: Floats, first: Integers) -> Floats:
    """Sums of `values` from each index in `first` to the end; 0 where the index is the end itself."""
    from_the_end = np.cumsum(values[..., ::-1], axis=-1)
    index = values.shape[-1] - 1 - first
    sums: Floats = from_the_end[..., index]
    sums[..., index < 0] = 0.0
    return sums
