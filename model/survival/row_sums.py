"""Sums over rows that a partial likelihood is made of, at some coefficients: moment by moment where many rows share a
moment, row by row where they do not.

With x a row's columns, theta = weight x exp(eta - shift), and eta the linear predictor.
"""

from __future__ import annotations

from functools import cached_property
from typing import Protocol

import numpy as np

from model.survival.columns import Columns, stacked
from model.survival.moment_sums import products_by_moment, symmetric, triangle
from model.survival.risk_sets import Floats, RiskSets

FARTHEST = 300.0
"""Up to so large a predictor exp, and squares of its sums, are held by a double as they are."""


class RowSums(Protocol):
    """Sums at some coefficients.

    Attributes:
        eta: linear predictor, (rows,); not taken of who is never at risk where rows are summed by moment.
        theta: 0 for who is never at risk, (rows,).
        farthest: the largest absolute predictor, less the shift, of whoever is ever at risk.
        at_risk, dying: sum of theta over each risk set, and over the deaths of each moment, (moments,).
    """

    eta: Floats
    theta: Floats
    farthest: float
    at_risk: Floats
    dying: Floats

    @property
    def over_risk_sets(self) -> Floats:
        """Sum of theta x over each risk set, (terms, moments)."""
        ...

    @property
    def over_ties(self) -> Floats:
        """Sum of theta x over the deaths of each tied moment, (terms, tied moments)."""
        ...

    def exposed(self, increments: Floats, left: Floats) -> Floats:
        """Sum over rows of theta x times the hazard each was exposed to, (terms,).

        Args:
            increments: of the cumulative hazard at each moment, (moments,).
            left: what a death is not exposed to at its own moment, (moments,).
        """
        ...

    def exposed_products(self, increments: Floats, left: Floats) -> Floats:
        """The same of theta x x', (terms, terms)."""
        ...


def row_sums(columns: Columns, risk_sets: RiskSets, beta: Floats, shift: Floats) -> RowSums:
    """Sum over the rows.

    Args:
        columns: of the design.
        risk_sets: of the same rows.
        beta: coefficients, (terms,).
        shift: what is taken off the predictors of each stratum, (strata,).
    """
    return (SumsByMoment if risk_sets.is_grouped else SumsByRow)(columns, risk_sets, beta, shift)


class SumsByMoment:
    """Every row is read once for all that its moment needs of it; the rest are sums over moments."""

    def __init__(self, columns: Columns, risk_sets: RiskSets, beta: Floats, shift: Floats) -> None:
        """As `row_sums`."""
        self._risk_sets, self._terms = risk_sets, slice(1, len(beta) + 1)
        moments = len(risk_sets.times)
        self.eta, self.theta = np.zeros(columns.rows), np.zeros(columns.rows)
        self._of_deaths, self._own = np.empty((moments, triangle(len(beta)))), np.empty((moments, triangle(len(beta))))
        self.farthest = products_by_moment(
            columns.compiled,
            beta,
            risk_sets.weights,
            risk_sets.segments,
            shift[risk_sets.moment_stratum],
            self.eta,
            self.theta,
            self._of_deaths,
            self._own,
        )
        self._own += self._of_deaths
        self.at_risk = risk_sets.sum_from_moments(self._own[:, 0])
        self.dying = np.ascontiguousarray(self._of_deaths[:, 0])

    @cached_property
    def over_risk_sets(self) -> Floats:
        """As `RowSums`."""
        return np.ascontiguousarray(self._risk_sets.sum_from_moments(self._own[:, self._terms]).T)

    @cached_property
    def over_ties(self) -> Floats:
        """As `RowSums`."""
        return np.asarray(self._of_deaths[self._risk_sets.tied_moments, self._terms].T)

    def exposed(self, increments: Floats, left: Floats) -> Floats:
        """As `RowSums`."""
        hazard = self._risk_sets.sum_up_to_moments(increments)
        return np.asarray(hazard @ self._own[:, self._terms] - left @ self._of_deaths[:, self._terms])

    def exposed_products(self, increments: Floats, left: Floats) -> Floats:
        """As `RowSums`."""
        hazard = self._risk_sets.sum_up_to_moments(increments)
        return symmetric(hazard @ self._own - left @ self._of_deaths)[1:, 1:]


class SumsByRow:
    """With late entry, and where nearly every death has a moment of its own."""

    def __init__(self, columns: Columns, risk_sets: RiskSets, beta: Floats, shift: Floats) -> None:
        """As `row_sums`."""
        self._columns, self._risk_sets = columns, risk_sets
        self.eta = columns.predictor(beta)
        centred = self.eta - shift[risk_sets.stratum] if shift.any() else self.eta.copy()
        centred[risk_sets.never_at_risk] = 0.0
        self.farthest = float(np.abs(centred).max())
        centred[risk_sets.never_at_risk] = -np.inf
        self.theta = risk_sets.weights * np.exp(np.minimum(centred, FARTHEST))
        self.at_risk = risk_sets.sum_at_risk(self.theta)
        self.dying = risk_sets.sum_of_deaths(self.theta)

    @cached_property
    def over_risk_sets(self) -> Floats:
        """As `RowSums`."""
        if (whole := self._columns.matrix) is not None:
            return self._risk_sets.sum_at_risk(whole * self.theta)
        return stacked([self._risk_sets.sum_at_risk(column * self.theta) for column in self._columns])

    @cached_property
    def over_ties(self) -> Floats:
        """As `RowSums`."""
        return stacked([self._risk_sets.sum_of_ties(column, self.theta) for column in self._columns])

    def exposed(self, increments: Floats, left: Floats) -> Floats:
        """As `RowSums`."""
        return self._columns.total(self.theta * self._risk_sets.hazard_of_rows(increments, left))

    def exposed_products(self, increments: Floats, left: Floats) -> Floats:
        """As `RowSums`."""
        return self._columns.products(self.theta * self._risk_sets.hazard_of_rows(increments, left))
