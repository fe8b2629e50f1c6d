"""Restricted cubic splines: cubic between the knots, linear beyond the outer two (Stone and Koo 1985; Harrell 2015)."""

from __future__ import annotations

import numpy as np

from model.survival.compiled import compiled
from model.survival.errors import FitRefused
from model.survival.risk_sets import Floats

KNOT_QUANTILES = {
    3: (0.10, 0.50, 0.90),
    4: (0.05, 0.35, 0.65, 0.95),
    5: (0.05, 0.275, 0.50, 0.725, 0.95),
    6: (0.05, 0.23, 0.41, 0.59, 0.77, 0.95),
    7: (0.025, 0.1833, 0.3417, 0.50, 0.6583, 0.8167, 0.975),
}
"""Where the knots lie, by their number: Harrell, Regression Modeling Strategies, 2nd edition 2015, table 2.3."""


def place_knots(values: Floats, number: int) -> tuple[float, ...]:
    """Knots at Harrell's quantiles of `values` (type 7 of Hyndman and Fan 1996), ascending.

    Raises:
        FitRefused: another number than 3 to 7, or so many equal values that two knots fall together.
    """
    if number not in KNOT_QUANTILES:
        raise FitRefused(f"a spline takes 3 to 7 knots, not {number}")
    knots = tuple(float(knot) for knot in np.quantile(values, KNOT_QUANTILES[number]))
    if len(set(knots)) < number:
        raise FitRefused(f"too many equal values for {number} knots: take fewer, or cut-offs")
    return knots


def spline_columns(values: Floats, knots: tuple[float, ...]) -> list[Floats]:
    """The basis: the value itself, then knots - 2 terms that are zero up to their knot; each (persons,).

    With knots t_1 .. t_k, and u+ the positive part of u, term j + 1 is

        [ (x - t_j)+^3 - (x - t_{k-1})+^3 (t_k - t_j) / (t_k - t_{k-1})
          + (x - t_k)+^3 (t_{k-1} - t_j) / (t_k - t_{k-1}) ] / (t_k - t_1)^2

    which has the unit of x, as in Harrell's `rcspline.eval`. Without the terms after the first the effect is linear, so
    their joint test is that of non-linearity.
    """
    values = np.ascontiguousarray(values, dtype=np.float64)
    columns = [values]
    for knot in knots[:-2]:
        columns.append(np.empty_like(values))
        _bend(values, knot, np.array(knots), columns[-1])
    return columns


@compiled
def _bend(values: Floats, knot: float, knots: Floats, column: Floats) -> None:
    """Write the term of one knot into `column`, (persons,)."""
    before_last, last = knots[-2], knots[-1]
    spread, last_step = (last - knots[0]) ** 2, last - before_last
    of_before_last, of_last = (last - knot) / last_step, (before_last - knot) / last_step
    for person in range(len(values)):
        above = max(values[person] - knot, 0.0)
        above_before_last = max(values[person] - before_last, 0.0)
        above_last = max(values[person] - last, 0.0)
        cubes = above**3 - above_before_last**3 * of_before_last + above_last**3 * of_last
        column[person] = cubes / spread
