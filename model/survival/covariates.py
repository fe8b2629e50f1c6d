"""Covariates as declared, the terms they become, and the levels a number is cut into."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

QUARTERS = ("Q1", "Q2", "Q3", "Q4")

Interaction = tuple[str, str]
"""Names of two covariates of a model, whose terms are multiplied."""


@dataclass(frozen=True)
class Covariate:
    """One covariate of a model.

    Attributes:
        name: its name in tables, for example `face_age_quartile`.
        column: column of the frame it is read from.
        kind: `continuous` (one term), `spline` (a restricted cubic spline: a linear term, and `knots` - 2 others),
            `categorical` (a term for each level but the reference), `quartile` (the column cut at its quartiles;
            terms Q2, Q3, Q4 against Q1), or `cut` (the column cut at `cuts`, as published ones).
        per: for continuous and spline: how much of the column is one unit of the term, or None for one standard
            deviation.
        unit: for continuous and spline: the unit of the column, in words (`years`).
        levels: for categorical: every level, reference included.
        reference: for categorical and cut: the level the others are compared with; for cut, None is the lowest.
        knots: for spline: their number, 3 to 7.
        cuts: for cut: ascending; a value equal to one belongs to the lower level.
        transform: for continuous and spline: taken of the column before anything else.
        scale, points: where `per` is None, what a standard deviation is; of a quartile its cut points, of a spline its
            knots: given, and not learnt of the rows of the fit.
    """

    name: str
    column: str
    kind: Literal["continuous", "spline", "categorical", "quartile", "cut"]
    per: float | None = 1.0
    unit: str = ""
    levels: tuple[str, ...] = ()
    reference: str | None = None
    knots: int = 4
    cuts: tuple[float, ...] = ()
    transform: Literal["log", "sqrt"] | None = None
    scale: float | None = None
    points: tuple[float, ...] = ()


@dataclass(frozen=True)
class Term:
    """One column of the design matrix; `one_unit` is how much of the covariate its hazard ratio is for."""

    name: str
    covariate: str
    unit: str
    level: str | None = None
    reference_level: str | None = None
    one_unit: float | None = None


def quartile_cuts(values: np.ndarray) -> tuple[float, ...]:
    """The 25 %, 50 % and 75 % quantiles of `values` (linear interpolation, type 7 of Hyndman and Fan 1996)."""
    return tuple(float(cut) for cut in np.quantile(values, (0.25, 0.5, 0.75)))


def quarter_of(values: np.ndarray, cuts: tuple[float, ...]) -> np.ndarray:
    """The quarter of each value, `Q1` (lowest) to `Q4`; a value equal to a cut belongs to the lower quarter."""
    return np.asarray(QUARTERS, dtype=object)[np.searchsorted(np.asarray(cuts), values, side="left")]


def cut_levels(cuts: tuple[float, ...]) -> tuple[str, ...]:
    """Names of the levels between cut-offs, lowest first: `<=65`, `(65, 75]`, `> 75`."""
    between = [f"({low:g}, {high:g}]" for low, high in pairwise(cuts)]
    return (f"<={cuts[0]:g}", *between, f"> {cuts[-1]:g}")
