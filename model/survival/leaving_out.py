"""Some rows left out of a frame that is made ready for a fit: nothing is encoded or sorted anew.

That is the same as making the others ready by themselves, as long as the design learns no cut point and no knot from
the rows. Columns and follow-up of the others are remembered within `sharing()`: models have them in common.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.survival.compiled import compiled
from model.survival.cox import CoxFit, Described
from model.survival.design import Design
from model.survival.errors import FitRefused
from model.survival.prepared import Followed, Prepared, SortedColumn
from model.survival.risk_sets import Floats, Integers, Outcome
from model.survival.sharing import remembered
from model.survival.strata import Strata

Mask = NDArray[np.bool_]


def learns_of_rows(design: Design) -> bool:
    """Whether the design takes cut points or knots from the rows, so that without some of them it is another one."""
    learning = (each.covariate for each in design.learnt if not each.covariate.points)
    return any(covariate.kind in ("spline", "quartile") for covariate in learning)


def without(prepared: Prepared, left_out: Mask) -> Prepared:
    """The others; their follow-up and columns are in the order of the risk sets.

    Args:
        prepared: of all rows; its design learns nothing of rows.
        left_out: in the order of the frame, (rows,).

    Raises:
        FitRefused: none of the others has the event.
    """
    order = prepared.follow_up.risk_sets.order
    follow_up = remembered("without", (left_out, order), lambda: _followed_without(prepared.follow_up, left_out))
    kept = remembered("kept", (left_out, order), lambda: np.flatnonzero(~left_out[order]))

    def column(whole: SortedColumn) -> SortedColumn:
        compute = lambda: SortedColumn.of(whole.values, follow_up.risk_sets, kept)  # noqa: E731
        return remembered("without", (left_out, whole.values), compute)

    clusters = prepared.clusters
    if clusters is not None:
        clusters = np.unique(clusters[order[kept]], return_inverse=True)[1].astype(np.int64)
    return Prepared(follow_up, prepared.design, tuple(map(column, prepared.columns)), clusters)


@dataclass(frozen=True)
class LeftOut:
    """The rows left out, as a fit to the others sees them.

    Attributes:
        rows: of the frame, (persons,); what follows is in their order.
        strata: number of their stratum among those of the fit, (persons,).
    """

    rows: Integers
    strata: Integers
    _columns: tuple[SortedColumn, ...]
    _places: Integers
    _fit: CoxFit

    def log_risk(self) -> Floats:
        """Linear predictor, centred on the persons of the fit; (persons,)."""
        total = np.zeros(len(self.rows))
        for column, centre, beta in zip(self._columns, self._fit.centre, self._fit.beta, strict=True):
            _add_taken(total, column.values, self._places, centre, beta)
        return total

    def described(self) -> Described:
        """Their columns of the design."""
        centred = np.empty((len(self._columns), len(self.rows)))
        for row, column, centre in zip(centred, self._columns, self._fit.centre, strict=True):
            np.subtract(np.take(column.values, self._places), centre, out=row)
        return Described(centred.T, self.strata)


def those_left_out(prepared: Prepared, left_out: Mask, fit: CoxFit) -> LeftOut:
    """The rows left out, as a fit to the others sees them.

    Args:
        prepared, left_out: as `without` took them.
        fit: to what it gave.

    Raises:
        FitRefused: no person of the fit is in somebody's stratum.
    """
    follow_up = prepared.follow_up
    order = follow_up.risk_sets.order
    places = remembered("left out", (left_out, order), lambda: np.flatnonzero(left_out[order]))
    rows = order[places]
    strata = _numbers(follow_up.strata, follow_up.outcome.strata[rows], fit)
    return LeftOut(rows, strata, prepared.columns, places, fit)


@compiled
def _add_taken(total: Floats, column: Floats, places: Integers, centre: float, slope: float) -> None:
    """Add slope (column - centre) of some rows of a column to `total`, (rows,)."""
    for row in range(len(total)):
        total[row] += (column[places[row]] - centre) * slope


def _followed_without(whole: Followed, left_out: Mask) -> Followed:
    outcome, order = whole.outcome, whole.risk_sets.order
    rows = order[~left_out[order]]
    if not outcome.events[rows].any():
        raise FitRefused("no events")
    occurring, strata = np.unique(outcome.strata[rows], return_inverse=True)
    entry = None if outcome.entry is None else outcome.entry[rows]
    others = Outcome(outcome.durations[rows], outcome.events[rows], strata, outcome.weights[rows], entry)
    return Followed(others, Strata(whole.strata.columns, tuple(whole.strata.values[number] for number in occurring)))


def _numbers(strata: Strata, of_all: Integers, fit: CoxFit) -> Integers:
    """Numbers of strata among those of all rows as numbers among those of the fit."""
    of_fit = {baseline.stratum: number for number, baseline in enumerate(fit.baselines)}
    number_in_fit = np.array([of_fit.get(values, -1) for values in strata.values], dtype=np.int64)
    numbers: Integers = number_in_fit[of_all]
    if (numbers < 0).any():
        missing = strata.values[int(of_all[numbers < 0][0])]
        words = ", ".join(f"{column}={value}" for column, value in zip(strata.columns, missing, strict=True))
        raise FitRefused(f"no person of the fit is in the stratum {words}")
    return numbers
