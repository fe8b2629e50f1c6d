"""From covariates as declared to the columns of a design matrix, and the meaning of each column.

A `Design` is learnt from one frame (standard deviations, quartile cut points, knots, levels present) and may then be
applied to other persons, so that a cross-fitted model never takes even a cut point from the persons it predicts.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from model.survival.compiled import compiled
from model.survival.covariates import Covariate, Interaction, Term
from model.survival.encoding import (
    Codes,
    Learnt,
    codes_of,
    declared_levels,
    encoded,
    learnt_from,
    reference_of,
    source_of,
)
from model.survival.risk_sets import Floats


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
        self._arrange(tuple(learnt_from(frame, covariate) for covariate in covariates), interactions)

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
            for level in declared_levels(learnt.covariate)
            if level not in (*learnt.levels, reference_of(learnt.covariate))
        )

    def matrix(self, frame: pd.DataFrame) -> np.ndarray:
        """The design matrix of `frame`: float64, (persons, terms), not centred.

        Raises:
            FitRefused: a person has a level that the design was not learnt with.
        """
        columns = [column for learnt in self.learnt for column in encoded(learnt, source_of(learnt.covariate, frame))]
        columns += [columns[one] * columns[other] for one, other in self.products]
        return np.array(columns).T if columns else np.empty((len(frame), 0))

    def log_risk(self, frame: pd.DataFrame, centre: Floats, beta: Floats) -> Floats:
        """Linear predictor of each person, the sum over terms of beta (column - centre); (persons,).

        One term is added after the other, with no matrix: persons who are equal have it equal to the bit.

        Args:
            frame: the persons.
            centre, beta: (terms,).

        Raises:
            FitRefused: as `matrix`.
        """
        total, main, term = np.zeros(len(frame)), [], 0
        for learnt in self.learnt:
            source = source_of(learnt.covariate, frame)
            if learnt.levels and not self.products:
                own = slice(term, term + len(learnt.levels))
                _add_levels(total, codes_of(learnt, source), _of_levels(learnt, centre[own], beta[own]))
                term = own.stop
                continue
            for column in encoded(learnt, source):
                _add(total, column, centre[term], beta[term])
                main += [column] if self.products else []
                term += 1
        for place, (one, other) in enumerate(self.products, start=term):
            _add(total, main[one] * main[other], centre[place], beta[place])
        return total

    def columns_of(self, name: str, values: np.ndarray) -> np.ndarray:
        """The columns of one covariate at some values of its column, as for persons; (values, terms of the covariate).

        Raises:
            FitRefused: as `matrix`.
        """
        (learnt,) = (each for each in self.learnt if each.covariate.name == name)
        return np.column_stack(encoded(learnt, values))


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
    reference = reference_of(covariate)
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


def _of_levels(learnt: Learnt, centre: Floats, beta: Floats) -> Floats:
    """What a covariate with levels adds to the linear predictor of who has each of the declared ones, (levels,)."""
    declared = declared_levels(learnt.covariate)
    table = np.zeros(len(declared))
    for level, mean, slope in zip(learnt.levels, centre, beta, strict=True):
        table += (np.array([each == level for each in declared]) - mean) * slope
    return table


@compiled
def _add(total: Floats, column: Floats, centre: float, slope: float) -> None:
    """Add slope (column - centre) to `total`, (persons,)."""
    for person in range(len(total)):
        total[person] += (column[person] - centre) * slope


@compiled
def _add_levels(total: Floats, codes: Codes, of_levels: Floats) -> None:
    """Add what each one's level adds to `total`, (persons,)."""
    for person in range(len(total)):
        total[person] += of_levels[codes[person]]
