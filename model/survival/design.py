"""From covariates as declared to the columns of a design matrix, and the meaning of each column.

A `Design` is learnt from one frame (standard deviations, quartile cut points, levels present) and may then be applied
to other persons, so that a cross-fitted model never takes even a cut point from the persons it predicts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from model.survival.errors import FitRefused

QUARTERS = ("Q1", "Q2", "Q3", "Q4")


@dataclass(frozen=True)
class Covariate:
    """One covariate of a model.

    Attributes:
        name: its name in tables, for example `face_age_quartile`.
        column: column of the frame it is read from.
        kind: `continuous` (one term), `categorical` (a term for each level but the reference), or `quartile` (the
            column cut at its quartiles; terms Q2, Q3, Q4 against Q1).
        per: for continuous: how much of the column is one unit of the term, or None for one standard deviation.
        unit: for continuous: the unit of the column, in words (`years`).
        levels: for categorical: every level, reference included.
        reference: for categorical: the level the others are compared with.
    """

    name: str
    column: str
    kind: Literal["continuous", "categorical", "quartile"]
    per: float | None = 1.0
    unit: str = ""
    levels: tuple[str, ...] = ()
    reference: str | None = None


@dataclass(frozen=True)
class Term:
    """One column of the design matrix; `one_unit` is how much of the covariate its hazard ratio is for."""

    name: str
    covariate: str
    unit: str
    level: str | None = None
    reference_level: str | None = None
    one_unit: float | None = None


@dataclass(frozen=True)
class _Learnt:
    """A covariate with what the frame taught about it."""

    covariate: Covariate
    scale: float = 1.0
    cuts: tuple[float, ...] = ()
    levels: tuple[str, ...] = ()


class Design:
    """The columns of a model, learnt from one frame."""

    def __init__(self, frame: pd.DataFrame, covariates: tuple[Covariate, ...]) -> None:
        """Learn scales, cut points and levels from `frame`, one row a person without missing values.

        Raises:
            FitRefused: a column holds missing or infinite values, or nobody has the reference level.
        """
        self._learnt = tuple(_learn(frame, covariate) for covariate in covariates)
        self.terms: tuple[Term, ...] = tuple(term for learnt in self._learnt for term in _terms(learnt))

    @property
    def absent_levels(self) -> tuple[str, ...]:
        """Declared levels nobody has, as `covariate=level`; they have no term."""
        return tuple(
            f"{learnt.covariate.name}={level}"
            for learnt in self._learnt
            for level in _declared_levels(learnt.covariate)
            if level not in (*learnt.levels, _reference(learnt.covariate))
        )

    def matrix(self, frame: pd.DataFrame) -> np.ndarray:
        """The design matrix of `frame`: float64, (persons, terms), not centred.

        Raises:
            FitRefused: a person has a level that the design was not learnt with.
        """
        columns = [column for learnt in self._learnt for column in _columns(learnt, frame)]
        return np.column_stack(columns) if columns else np.empty((len(frame), 0))


def quartile_cuts(values: np.ndarray) -> tuple[float, ...]:
    """The 25 %, 50 % and 75 % quantiles of `values` (linear interpolation, type 7 of Hyndman and Fan 1996)."""
    return tuple(float(cut) for cut in np.quantile(values, (0.25, 0.5, 0.75)))


def quarter_of(values: np.ndarray, cuts: tuple[float, ...]) -> np.ndarray:
    """The quarter of each value, `Q1` (lowest) to `Q4`; a value equal to a cut belongs to the lower quarter."""
    return np.asarray(QUARTERS, dtype=object)[np.searchsorted(np.asarray(cuts), values, side="left")]


def _declared_levels(covariate: Covariate) -> tuple[str, ...]:
    return QUARTERS if covariate.kind == "quartile" else covariate.levels


def _reference(covariate: Covariate) -> str | None:
    return QUARTERS[0] if covariate.kind == "quartile" else covariate.reference


def _numbers(frame: pd.DataFrame, covariate: Covariate) -> np.ndarray:
    values = frame[covariate.column].to_numpy(dtype=float)
    if not np.isfinite(values).all():
        raise FitRefused(f"{covariate.name} has missing or infinite values")
    return values


def _learn(frame: pd.DataFrame, covariate: Covariate) -> _Learnt:
    if covariate.kind == "continuous":
        values = _numbers(frame, covariate)
        if covariate.per is not None:
            return _Learnt(covariate, scale=covariate.per)
        spread = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
        if spread == 0.0:
            raise FitRefused(f"{covariate.name} is the same for everyone")
        return _Learnt(covariate, scale=spread)
    cuts = quartile_cuts(_numbers(frame, covariate)) if covariate.kind == "quartile" and len(frame) else ()
    present = set(_levels(covariate, cuts, frame))
    reference = _reference(covariate)
    if reference not in present:
        raise FitRefused(f"nobody has the reference level {covariate.name}={reference}")
    levels = tuple(level for level in _declared_levels(covariate) if level in present and level != reference)
    return _Learnt(covariate, cuts=cuts, levels=levels)


def _levels(covariate: Covariate, cuts: tuple[float, ...], frame: pd.DataFrame) -> np.ndarray:
    if covariate.kind == "quartile":
        return quarter_of(_numbers(frame, covariate), cuts) if cuts else np.empty(0, dtype=object)
    return frame[covariate.column].to_numpy(dtype=object)


def _terms(learnt: _Learnt) -> list[Term]:
    covariate = learnt.covariate
    if covariate.kind == "continuous":
        unit = "per SD" if covariate.per is None else f"per {learnt.scale:g} {covariate.unit}".rstrip()
        return [Term(name=covariate.name, covariate=covariate.name, unit=unit, one_unit=learnt.scale)]
    reference = _reference(covariate)
    return [
        Term(
            name=f"{covariate.name}={level}",
            covariate=covariate.name,
            unit=f"against {reference}",
            level=level,
            reference_level=reference,
        )
        for level in learnt.levels
    ]


def _columns(learnt: _Learnt, frame: pd.DataFrame) -> list[np.ndarray]:
    covariate = learnt.covariate
    if covariate.kind == "continuous":
        return [_numbers(frame, covariate) / learnt.scale]
    levels = _levels(covariate, learnt.cuts, frame)
    unseen = sorted(set(levels) - {_reference(covariate), *learnt.levels}, key=str)
    if unseen:
        raise FitRefused(f"no person of the fit has {covariate.name}={unseen[0]}")
    return [(levels == level).astype(float) for level in learnt.levels]
