"""Whose outcome moves a Cox model most: dfbetas, and the displacement of its likelihood; under Efron's ties, as R's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from model.survival.compiled import compiled
from model.survival.cox import CoxFit
from model.survival.residuals import dfbeta
from model.survival.risk_sets import Floats, Integers


@dataclass(frozen=True)
class Influential:
    """A row that moves a coefficient much; `row` is its position in the frame of the fit, from 0."""

    term: str
    row: int
    dfbetas: float


@dataclass(frozen=True)
class Influence:
    """What each row does to a fit, to first order.

    Attributes:
        terms: names of the coefficients.
        dfbetas: by how many naive standard errors each estimate is, about, higher than without the row; (rows, terms).
            As R's `residuals(type = "dfbetas")`, whose standard error is the information's, robust or not.
        likelihood_displacement: twice the log-likelihood that the estimate without the row would lose, about; (rows,).
            D' I D with D the row's dfbeta and I the information (Cook 1986; Pettitt and Bin Daud 1989).
    """

    terms: tuple[str, ...]
    dfbetas: Floats
    likelihood_displacement: Floats

    def largest(self, rows: int = 1) -> tuple[Influential, ...]:
        """For each term the rows with the largest absolute dfbetas, largest first; equal ones as in the data."""
        return tuple(
            Influential(term, int(row), float(of_term[row]))
            for term, of_term in zip(self.terms, self.dfbetas.T, strict=True)
            for row in np.argsort(-np.abs(of_term), kind="stable")[:rows]
        )


@dataclass(frozen=True)
class LargestInfluence:
    """What the most influential rows do to a fit, for each coefficient, (terms,); dfbetas as in `Influence`.

    Attributes:
        terms: names of the coefficients.
        dfbetas: the largest absolute one.
        beyond: how many rows have a larger absolute one than was asked for.
        likelihood_displacement: the largest of all rows.
    """

    terms: tuple[str, ...]
    dfbetas: Floats
    beyond: Integers
    likelihood_displacement: float


def largest_influence(fit: CoxFit, limit: float) -> LargestInfluence:
    """The same numbers as `influence` tells of every row, summed up block by block: of a million rows none is kept.

    Args:
        fit: a Cox model.
        limit: absolute dfbetas above it are counted.
    """
    standardised = fit.naive_covariance * np.outer(fit.spread, fit.spread)
    errors = np.sqrt(np.diag(standardised))
    largest, beyond, displaced = np.zeros(len(errors)), np.zeros(len(errors), dtype=np.int64), 0.0
    for rows, residuals in fit.sums.score_residual_blocks():
        residuals *= fit.sums.risk_sets.weights[rows]
        displaced = max(displaced, _note(standardised @ residuals, residuals, limit * errors, largest, beyond))
    return LargestInfluence(tuple(one.term.name for one in fit.coefficients), largest / errors, beyond, displaced)


@compiled
def _note(changes: Floats, residuals: Floats, limits: Floats, largest: Floats, beyond: Integers) -> float:
    """Take note of some rows: the largest changes, how many are beyond their limits, the largest displacement.

    As the changes are the residuals times the inverse of the information, a row's displacement is the product of both.

    Args:
        changes, residuals: (terms, rows).
        limits: of absolute changes, (terms,).
        largest, beyond: absolute changes so far, and how many were beyond their limit, (terms,).
    """
    displacement = np.zeros(changes.shape[1])
    for term in range(len(limits)):
        many, most = 0, largest[term]
        for row in range(len(displacement)):
            moved = abs(changes[term, row])
            many += moved > limits[term]
            most = max(most, moved)
            displacement[row] += changes[term, row] * residuals[term, row]
        beyond[term] += many
        largest[term] = most
    return displacement.max()


def influence(fit: CoxFit) -> Influence:
    """Influence of every row of a fit."""
    standardised = fit.naive_covariance * np.outer(fit.spread, fit.spread)
    changes = dfbeta(fit.sums, standardised)
    return Influence(
        terms=tuple(coefficient.term.name for coefficient in fit.coefficients),
        dfbetas=(changes / np.sqrt(np.diag(standardised))[:, None]).T,
        likelihood_displacement=np.asarray((changes * (fit.sums.information @ changes)).sum(axis=0)),
    )
