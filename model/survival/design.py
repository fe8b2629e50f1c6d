"""From covariates as declared to the columns of a design matrix, and the meaning of each column.

A `Design` is learnt from one frame (standard deviations, quartile cut points, knots, levels present) and may then be
applied to other persons, so that a cross-fitted model never takes even a cut point from the persons it predicts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from model.survival.covariates import (
    QUARTERS,
    Covariate,
    Interaction,
    Term,
    cut_levels,
    quartile_cuts,
)
from model.survival.errors import FitRefused
from model.survival.sharing import remembered
from model.survival.spline import place_knots, spline_columns


@dataclass(frozen=True)
class Learnt:
    """A covariate with what the frame taught about it."""

    covariate: Covariate
    scale: float = 1.0
    cuts: tuple[float, ...] = ()
    levels: tuple[str, ...] = ()
    knots: tuple[float, ...] = ()


class Design:
    """The columns of a model, learnt from one frame.

    Attributes:
        covariates, interactions: of the model.
        learnt: the covariates with what the frame taught about them.
        terms: meaning of the columns: those of the covariates, then those of the interactions.
        products: which two of the covariates' columns each interaction term is the product of.
    """

    def __init__(
        self, frame: pd.DataFrame, covariates: tuple[Covariate, ...], interactions: tuple[Interaction, ...] = ()
    ) -> None:
        """Learn scales, cut points, knots and levels from `frame`, without missing values.

        Args:
            frame: one row a person.
            covariates: of the model.
            interactions: pairs of names of `covariates`, each pair's terms multiplied.

        Raises:
            FitRefused: a column holds missing or infinite values, nobody has the reference level, or a covariate's
                declaration does not fit its column.
        """
        self._arrange(tuple(_learnt(frame, covariate) for covariate in covariates), interactions)

    @classmethod
    def of_learnt(cls, learnt: tuple[Learnt, ...], interactions: tuple[Interaction, ...]) -> Design:
        """The design that another one, whose `learnt` and `interactions` these are, is."""
        design = cls.__new__(cls)
        design._arrange(learnt, interactions)
        return design

    def _arrange(self, learnt: tuple[Learnt, ...], interactions: tuple[Interaction, ...]) -> None:
        self.learnt, self.interactions = learnt, interactions
        self.covariates = tuple(each.covariate for each in learnt)
        unknown = {name for pair in interactions for name in pair} - {each.name for each in self.covariates}
        if unknown:
            raise ValueError(f"an interaction of {sorted(unknown)[0]}, which is no covariate of the model")
        main = [term for each in learnt for term in _terms(each)]
        self.products = [
            (main.index(one), main.index(other))
            for first, second in interactions
            for one in main
            for other in main
            if (one.covariate, other.covariate) == (first, second)
        ]
        self.terms: tuple[Term, ...] = (*main, *(_product(main[one], main[other]) for one, other in self.products))

    @property
    def absent_levels(self) -> tuple[str, ...]:
        """Declared levels nobody has, as `covariate=level`; they have no term."""
        return tuple(
            f"{learnt.covariate.name}={level}"
            for learnt in self.learnt
            for level in _declared_levels(learnt.covariate)
            if level not in (*learnt.levels, _reference(learnt.covariate))
        )

    def matrix(self, frame: pd.DataFrame) -> np.ndarray:
        """The design matrix of `frame`: float64, (persons, terms), not centred.

        Raises:
            FitRefused: a person has a level that the design was not learnt with.
        """
        columns = [column for learnt in self.learnt for column in _encoded_once(learnt, frame)]
        columns += [columns[one] * columns[other] for one, other in self.products]
        return np.array(columns).T if columns else np.empty((len(frame), 0))

    def columns_of(self, name: str, values: np.ndarray) -> np.ndarray:
        """The columns of one covariate at some values of its column, as for persons; (values, terms of the covariate).

        Raises:
            FitRefused: as `matrix`.
        """
        (learnt,) = (each for each in self.learnt if each.covariate.name == name)
        return np.column_stack(encoded(learnt, pd.DataFrame({learnt.covariate.column: values})))


def _declared_levels(covariate: Covariate) -> tuple[str, ...]:
    if covariate.kind == "quartile":
        return QUARTERS
    return cut_levels(covariate.cuts) if covariate.kind == "cut" else covariate.levels


def _reference(covariate: Covariate) -> str | None:
    if covariate.kind == "quartile":
        return QUARTERS[0]
    if covariate.kind == "cut" and covariate.reference is None:
        return cut_levels(covariate.cuts)[0]
    return covariate.reference


def _numbers(frame: pd.DataFrame, covariate: Covariate) -> np.ndarray:
    values = frame[covariate.column].to_numpy(dtype=float)
    if not np.isfinite(values).all():
        raise FitRefused(f"{covariate.name} has missing or infinite values")
    if covariate.transform is None:
        return values
    if covariate.transform == "log":
        if (values <= 0).any():
            raise FitRefused(f"{covariate.name} has values without a logarithm: 0 or below")
        return np.log(values)
    if (values < 0).any():
        raise FitRefused(f"{covariate.name} has values without a square root: below 0")
    return np.sqrt(values)


def source_of(covariate: Covariate, frame: pd.DataFrame) -> np.ndarray:
    """The column of the frame a covariate is read from, as it stands there; (persons,)."""
    return frame[covariate.column].to_numpy()


def fixed(covariate: Covariate, frame: pd.DataFrame) -> Covariate:
    """The covariate with scale, cut points and knots as `frame` teaches them; other rows then change none of it.

    Raises:
        FitRefused: as `Design`.
    """
    learnt = _learn(frame, covariate)
    points = learnt.cuts if covariate.kind == "quartile" else learnt.knots
    return replace(covariate, scale=learnt.scale if covariate.per is None else None, points=points)


def _learnt(frame: pd.DataFrame, covariate: Covariate) -> Learnt:
    return remembered(("learnt", covariate), (source_of(covariate, frame),), lambda: _learn(frame, covariate))


def _learn(frame: pd.DataFrame, covariate: Covariate) -> Learnt:
    if covariate.kind in ("continuous", "spline"):
        values = _numbers(frame, covariate)
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
    cuts = _cuts(frame, covariate)
    declared = _declared_levels(covariate)
    found = np.unique(_codes(covariate, declared, cuts, frame))
    present = {declared[code] for code in found if code >= 0}
    reference = _reference(covariate)
    if reference not in present:
        raise FitRefused(f"nobody has the reference level {covariate.name}={reference}")
    levels = tuple(level for level in declared if level in present and level != reference)
    return Learnt(covariate, cuts=cuts, levels=levels)


def _knots(values: np.ndarray, covariate: Covariate) -> tuple[float, ...]:
    if covariate.kind != "spline" or covariate.points:
        return covariate.points
    try:
        return place_knots(values, covariate.knots)
    except FitRefused as reason:
        raise FitRefused(f"{covariate.name}: {reason}") from None


def _cuts(frame: pd.DataFrame, covariate: Covariate) -> tuple[float, ...]:
    if covariate.kind == "quartile" and covariate.points:
        return covariate.points
    if covariate.kind == "quartile":
        return quartile_cuts(_numbers(frame, covariate)) if len(frame) else ()
    if covariate.kind == "cut" and (not covariate.cuts or list(covariate.cuts) != sorted(set(covariate.cuts))):
        raise FitRefused(f"{covariate.name}: cut-offs must ascend")
    return covariate.cuts


def _codes(covariate: Covariate, levels: tuple[str, ...], cuts: tuple[float, ...], frame: pd.DataFrame) -> np.ndarray:
    """Which of `levels` each person has, by its place; -1 where it is none of them; (persons,)."""
    if covariate.kind == "categorical":
        return np.asarray(pd.Index(levels).get_indexer(pd.Index(frame[covariate.column].to_numpy(dtype=object))))
    if covariate.kind == "quartile" and not cuts:
        return np.empty(0, dtype=np.int64)
    between = np.searchsorted(np.asarray(cuts), _numbers(frame, covariate), side="left")
    names = QUARTERS if covariate.kind == "quartile" else cut_levels(cuts)
    return np.array([levels.index(name) if name in levels else -1 for name in names])[between]


def _terms(learnt: Learnt) -> list[Term]:
    covariate = learnt.covariate
    if covariate.kind in ("continuous", "spline"):
        linear = Term(name=covariate.name, covariate=covariate.name, unit=_unit(learnt), one_unit=learnt.scale)
        knots = ", ".join(f"{knot:g}" for knot in learnt.knots)
        bends = range(1, len(learnt.knots) - 1)
        return [
            linear,
            *(replace(linear, name=covariate.name + "'" * bend, unit=f"spline, knots {knots}") for bend in bends),
        ]
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


def _unit(learnt: Learnt) -> str:
    covariate = learnt.covariate
    if covariate.per is None:
        return "per SD" if covariate.transform is None else f"per SD of {covariate.transform}"
    unit = covariate.unit if covariate.transform is None else f"{covariate.transform} {covariate.unit}"
    return f"per {learnt.scale:g} {unit}".rstrip()


def _product(one: Term, other: Term) -> Term:
    """The term of an interaction; its hazard ratio is one of hazard ratios."""
    both_levels = one.level is not None and other.level is not None
    scales = [term.one_unit for term in (one, other) if term.one_unit is not None]
    return Term(
        name=f"{one.name}:{other.name}",
        covariate=f"{one.covariate}:{other.covariate}",
        unit="ratio of hazard ratios",
        level=f"{one.level}:{other.level}" if both_levels else None,
        reference_level=f"{one.reference_level}:{other.reference_level}" if both_levels else None,
        one_unit=scales[0] if len(scales) == 1 else None,
    )


def _encoded_once(learnt: Learnt, frame: pd.DataFrame) -> list[np.ndarray]:
    return remembered(("encoded", learnt), (source_of(learnt.covariate, frame),), lambda: encoded(learnt, frame))


def encoded(learnt: Learnt, frame: pd.DataFrame) -> list[np.ndarray]:
    """The columns of one covariate, (persons,) each, one a term.

    Raises:
        FitRefused: values that are no numbers, or a level that the design was not learnt with.
    """
    covariate = learnt.covariate
    if covariate.kind == "continuous":
        return [_numbers(frame, covariate) / learnt.scale]
    if covariate.kind == "spline":
        return [column / learnt.scale for column in spline_columns(_numbers(frame, covariate), learnt.knots)]
    declared = _declared_levels(covariate)
    known = {_reference(covariate), *learnt.levels}
    codes = _codes(covariate, declared, learnt.cuts, frame)
    unseen = {declared[code] if code >= 0 else None for code in np.unique(codes)} - known
    if unseen:
        undeclared = frame[covariate.column][codes < 0].tolist()
        told = sorted({str(value) for value in [*(unseen - {None}), *undeclared]})[0]
        raise FitRefused(f"no person of the fit has {covariate.name}={told}")
    return [(codes == declared.index(level)).astype(float) for level in learnt.levels]
