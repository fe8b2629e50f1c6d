"""One covariate of a design: what a frame teaches about it, and the columns that it becomes.

Levels are told apart once for a column, and kept within `sharing()` as small numbers, whatever is learnt or encoded.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from model.survival.compiled import compiled
from model.survival.covariates import QUARTERS, Covariate, cut_levels, quartile_cuts
from model.survival.errors import FitRefused
from model.survival.risk_sets import Floats, Integers
from model.survival.sharing import remembered
from model.survival.spline import place_knots, spline_columns

Codes = NDArray[np.int16]

MOST_OBJECTS = 64
"""So many different objects of a column are told apart by where they lie; a column of more is looked up row by row."""

SLOTS = 1024
"""Among which they are looked for first."""


@dataclass(frozen=True)
class Learnt:
    """A covariate with what the frame taught about it."""

    covariate: Covariate
    scale: float = 1.0
    cuts: tuple[float, ...] = ()
    levels: tuple[str, ...] = ()
    knots: tuple[float, ...] = ()


@dataclass(frozen=True)
class Coded:
    """Which declared level each person has: `codes`, -1 for none of them, (persons,); `occurring`: those that occur."""

    codes: Codes
    occurring: frozenset[int]


def source_of(covariate: Covariate, frame: pd.DataFrame) -> NDArray[Any]:
    """The column of the frame a covariate is read from, as it stands there; (persons,)."""
    return frame[covariate.column].to_numpy()


def declared_levels(covariate: Covariate) -> tuple[str, ...]:
    """Every level of a covariate that has levels, in their order."""
    if covariate.kind == "quartile":
        return QUARTERS
    return cut_levels(covariate.cuts) if covariate.kind == "cut" else covariate.levels


def reference_of(covariate: Covariate) -> str | None:
    """The level that the others are compared with."""
    if covariate.kind == "quartile":
        return QUARTERS[0]
    if covariate.kind == "cut" and covariate.reference is None:
        return cut_levels(covariate.cuts)[0]
    return covariate.reference


def fixed(covariate: Covariate, frame: pd.DataFrame) -> Covariate:
    """The covariate with scale, cut points and knots as `frame` teaches them; other rows then change none of it.

    Raises:
        FitRefused: as `learnt_from`.
    """
    learnt = _learn(covariate, source_of(covariate, frame))
    points = learnt.cuts if covariate.kind == "quartile" else learnt.knots
    return replace(covariate, scale=learnt.scale if covariate.per is None else None, points=points)


def learnt_from(frame: pd.DataFrame, covariate: Covariate) -> Learnt:
    """What the rows of `frame` teach about a covariate.

    Raises:
        FitRefused: its column holds missing or infinite values, is the same for everyone, or nobody has the reference
            level; or the declaration does not fit the column.
    """
    source = source_of(covariate, frame)
    return remembered(("learnt", covariate), (source,), lambda: _learn(covariate, source))


def _learn(covariate: Covariate, source: NDArray[Any]) -> Learnt:
    if covariate.kind in ("continuous", "spline"):
        values = _numbers(covariate, source)
        scale = covariate.per
        if scale is None:
            scale = covariate.scale
        if scale is None:
            scale = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
        if scale == 0.0 or (covariate.kind == "spline" and np.ptp(values) == 0):
            raise FitRefused(f"{covariate.name} is the same for everyone")
        return Learnt(covariate, scale=scale, knots=_knots(values, covariate))
    if covariate.transform is not None:
        raise FitRefused(f"{covariate.name} is cut into levels, which a transform does not change")
    cuts = _cuts(covariate, source)
    declared = declared_levels(covariate)
    present = {declared[code] for code in coded(covariate, cuts, source).occurring if code >= 0}
    reference = reference_of(covariate)
    if reference not in present:
        raise FitRefused(f"nobody has the reference level {covariate.name}={reference}")
    levels = tuple(level for level in declared if level in present and level != reference)
    return Learnt(covariate, cuts=cuts, levels=levels)


def _numbers(covariate: Covariate, source: NDArray[Any]) -> Floats:
    values = np.ascontiguousarray(source, dtype=np.float64)
    if not np.isfinite(values).all():
        raise FitRefused(f"{covariate.name} has missing or infinite values")
    if covariate.transform is None:
        return values
    if covariate.transform == "log":
        if (values <= 0).any():
            raise FitRefused(f"{covariate.name} has values without a logarithm: 0 or below")
        return np.asarray(np.log(values))
    if (values < 0).any():
        raise FitRefused(f"{covariate.name} has values without a square root: below 0")
    return np.asarray(np.sqrt(values))


def _knots(values: Floats, covariate: Covariate) -> tuple[float, ...]:
    if covariate.kind != "spline" or covariate.points:
        return covariate.points
    try:
        return place_knots(values, covariate.knots)
    except FitRefused as reason:
        raise FitRefused(f"{covariate.name}: {reason}") from None


def _cuts(covariate: Covariate, source: NDArray[Any]) -> tuple[float, ...]:
    if covariate.kind == "quartile" and covariate.points:
        return covariate.points
    if covariate.kind == "quartile":
        return quartile_cuts(_numbers(covariate, source)) if len(source) else ()
    if covariate.kind == "cut" and (not covariate.cuts or list(covariate.cuts) != sorted(set(covariate.cuts))):
        raise FitRefused(f"{covariate.name}: cut-offs must ascend")
    return covariate.cuts


def encoded(learnt: Learnt, source: NDArray[Any], order: Integers | None = None) -> list[Floats]:
    """The columns of one covariate, (persons,) each, one a term; nobody may change them.

    Args:
        learnt: about the covariate.
        source: the column it is read from, (persons,).
        order: numbers of the persons the columns are of, in their order; None: all, as they stand.

    Raises:
        FitRefused: values that are no numbers, or a level that the design was not learnt with.
    """
    covariate = learnt.covariate
    if covariate.kind in ("continuous", "spline"):
        values = _numbers(covariate, source)
        values = values if order is None else np.take(values, order)
        columns = [values] if covariate.kind == "continuous" else spline_columns(values, learnt.knots)
        return columns if learnt.scale == 1.0 else [column / learnt.scale for column in columns]
    codes = codes_of(learnt, source)
    codes = codes if order is None else np.take(codes, order)
    declared = declared_levels(covariate)
    return [(codes == declared.index(level)).astype(float) for level in learnt.levels]


def codes_of(learnt: Learnt, source: NDArray[Any]) -> Codes:
    """Which of the declared levels each person has, by its place; (persons,).

    Args:
        learnt: about the covariate.
        source: the column it is read from, (persons,).

    Raises:
        FitRefused: somebody has a level that the design was not learnt with.
    """
    covariate = learnt.covariate
    declared = declared_levels(covariate)
    found = coded(covariate, learnt.cuts, source)
    known = {reference_of(covariate), *learnt.levels}
    unseen = {declared[code] if code >= 0 else None for code in found.occurring} - known
    if unseen:
        undeclared = source[found.codes < 0].tolist()
        told = sorted({str(value) for value in [*(unseen - {None}), *undeclared]})[0]
        raise FitRefused(f"no person of the fit has {covariate.name}={told}")
    return found.codes


def coded(covariate: Covariate, cuts: tuple[float, ...], source: NDArray[Any]) -> Coded:
    """Which declared level each person has.

    Args:
        covariate: has levels.
        cuts: of a quartile or cut covariate, ascending.
        source: the column it is read from, (persons,).
    """
    levels = declared_levels(covariate)

    def told_apart() -> Coded:
        codes = _codes(covariate, levels, cuts, source)
        occurring = np.flatnonzero(np.bincount(codes + 1, minlength=len(levels) + 1)) - 1
        return Coded(codes, frozenset(occurring.tolist()))

    return remembered(("coded", covariate.kind, levels, cuts), (source,), told_apart)


def _codes(covariate: Covariate, levels: tuple[str, ...], cuts: tuple[float, ...], source: NDArray[Any]) -> Codes:
    if covariate.kind == "categorical":
        return _places_of(source, levels)
    if covariate.kind == "quartile" and not cuts:
        return np.empty(0, dtype=np.int16)
    between = np.searchsorted(np.asarray(cuts), _numbers(covariate, source), side="left")
    names = QUARTERS if covariate.kind == "quartile" else cut_levels(cuts)
    return np.array([levels.index(name) if name in levels else -1 for name in names], dtype=np.int16)[between]


def _places_of(values: NDArray[Any], levels: tuple[str, ...]) -> Codes:
    """The place of each value among `levels`, -1 where it is none of them; (persons,).

    The texts of a column are few objects that many rows point to: each is looked up once.
    """
    if values.dtype == object:
        whose = np.frombuffer(values.tobytes(), dtype=np.intp)
        numbers, first = np.empty(len(values), dtype=np.int16), np.empty(MOST_OBJECTS, dtype=np.int64)
        objects = _objects(whose, numbers, first)
        if objects >= 0:
            known = {level: place for place, level in enumerate(levels)}
            places = [known.get(value, -1) for value in values[first[:objects]].tolist()]
            return np.take(np.array(places, dtype=np.int16), numbers)
    return np.asarray(pd.Index(levels).get_indexer(pd.Index(values.astype(object)))).astype(np.int16)


@compiled
def _objects(whose: Integers, numbers: Codes, first: Integers) -> int:
    """Number the different objects of a column in the order they come in; -1: they are more than `first` holds.

    Args:
        whose: address of each row's object, (rows,).
        numbers: takes the number of each row's, (rows,).
        first: takes the first row of each.
    """
    known = 0
    # By some bits of their address most are found at once, whatever comes after what.
    kept, number_of = np.zeros(SLOTS, dtype=np.int64), np.zeros(SLOTS, dtype=np.int16)
    for row in range(len(whose)):
        slot = (whose[row] >> 4) % SLOTS
        if kept[slot] != whose[row]:
            number = 0
            while number < known and whose[first[number]] != whose[row]:
                number += 1
            if number == len(first):
                return -1
            if number == known:
                first[known] = row
                known += 1
            kept[slot], number_of[slot] = whose[row], number
        numbers[row] = number_of[slot]
    return known
