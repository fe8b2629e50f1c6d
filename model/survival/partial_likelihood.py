"""Cox's partial likelihood with Efron's ties, case weights, strata and late entry: value, derivatives, residuals.

With theta_i = w_i exp(eta_i), S the sum of theta over a risk set, D that over the deaths of the moment, m the mean
weight of those deaths, and a slot's denominator c_l = S - (l/d) D:

    log L = sum over deaths of w_i eta_i - sum over slots of m log c_l

as in R's `coxph(ties = "efron")`. Derivatives are sums over rows, weighted by the hazard each was exposed to, so that
the cost is O(rows x terms) for the score and one matrix product, O(rows x terms^2), for the information.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np
from numba.typed import List

from model.survival.moment_sums import products_by_moment, sums_of_slots, symmetric, triangle
from model.survival.risk_sets import BLOCK, Floats, Integers, RiskSets

FEW_ROWS = 2 * BLOCK
"""Up to so many, the columns are put into one matrix."""

FARTHEST = 300.0
"""Up to so large a predictor exp, and squares of its sums, are held by a double as they are."""


class PartialLikelihood:
    """The partial likelihood of a data set, as a function of the coefficients.

    Attributes:
        columns: of the design, one a term, (sorted rows,) each. They are read some rows at a time, and not put into one
            matrix where rows are many: models share columns, and a million rows of twenty terms fill a cache many times
            over.
        risk_sets: of the same rows.
    """

    def __init__(self, columns: Floats, risk_sets: RiskSets) -> None:
        """Take the design's columns.

        Args:
            columns: (terms, rows), in the order of the data; best standardised, for the rounding's sake.
            risk_sets: of the same rows.
        """
        self.columns: tuple[Floats, ...] = tuple(np.take(columns, risk_sets.order, axis=1))
        self.risk_sets = risk_sets

    @classmethod
    def of_sorted(cls, columns: Sequence[Floats], risk_sets: RiskSets) -> PartialLikelihood:
        """Of columns that are in the order of the risk sets already, (sorted rows,) each."""
        likelihood = cls.__new__(cls)
        likelihood.columns, likelihood.risk_sets = tuple(columns), risk_sets
        return likelihood

    @cached_property
    def of_deaths(self) -> Floats:
        """Weighted sum of the columns over all deaths, (terms,)."""
        return self.total(self.risk_sets.weights * self.risk_sets.dies)

    @cached_property
    def compiled_columns(self) -> List[Floats] | Floats:
        """The columns as compiled code takes them: as one matrix, or one by one."""
        if not self.columns:
            return np.empty((0, 0))
        return List(self.columns) if self.matrix is None else self.matrix

    @cached_property
    def matrix(self) -> Floats | None:
        """The columns as one matrix, (terms, sorted rows), where a processor's cache holds it."""
        return stacked(self.columns) if self.columns and len(self.risk_sets.order) <= FEW_ROWS else None

    def rows(self, some: slice) -> Floats:
        """The columns of some sorted rows, (terms, so many rows)."""
        if self.matrix is not None:
            return self.matrix[:, some]
        return stacked([column[some] for column in self.columns])

    def taken(self, rows: Integers) -> Floats:
        """The columns of rows by number, (terms, so many rows)."""
        return stacked([np.take(column, rows) for column in self.columns])

    def total(self, weights: Floats) -> Floats:
        """Sum of the columns over the rows, each times a weight, (terms,)."""
        return np.array([column @ weights for column in self.columns])

    def predictor(self, beta: Floats) -> Floats:
        """Linear predictor of each row, (sorted rows,)."""
        eta = np.zeros(len(self.risk_sets.order))
        for some in blocks_of(len(eta)) if self.columns else ():
            np.matmul(beta, self.rows(some), out=eta[some])
        return eta

    def at(self, beta: Floats) -> EfronSums:
        """Everything at the coefficients `beta`, (terms,)."""
        return EfronSums(self, beta)


class EfronSums:
    """The partial likelihood and its derivatives at some coefficients.

    Attributes:
        likelihood: whose columns and risk sets these are.
        beta: the coefficients, (terms,).
        eta: their linear predictor, (sorted rows,).
        log_likelihood: partial log-likelihood; -inf where the predictor is beyond what a double can hold.
        shift: what was taken off the predictors of each stratum, (strata,).
        theta: weight times exp(eta - shift), 0 for who is never at risk, (sorted rows,).
        at_risk: sum of theta over each risk set, (moments,).
        increments: Efron's, of the cumulative hazard of a row with relative risk 1, (moments,).
    """

    def __init__(self, likelihood: PartialLikelihood, beta: Floats) -> None:
        """Sum over risk sets.

        Args:
            likelihood: whose columns and risk sets these are.
            beta: (terms,).
        """
        risk_sets = likelihood.risk_sets
        self.likelihood, self.risk_sets, self.beta = likelihood, risk_sets, beta
        self.shift = np.zeros(risk_sets.strata)
        if self._sum_rows() > FARTHEST:
            # Within a stratum the likelihood does not change when all predictors move: the largest becomes 0.
            considered = np.where(risk_sets.ever_at_risk, self.eta, -np.inf)
            shift = np.maximum.reduceat(considered, risk_sets.row_starts)
            self.shift = np.where(np.isfinite(shift), shift, 0.0)
            self._sum_rows()
        log_slots, self.increments, self._left, self._squared, self._left_twice = sums_of_slots(
            risk_sets.deaths, risk_sets.weighted_deaths, self.at_risk, self._dying
        )
        of_deaths = beta @ likelihood.of_deaths - risk_sets.weighted_deaths @ self.shift[risk_sets.moment_stratum]
        log_likelihood = float(of_deaths - log_slots)
        self.log_likelihood = log_likelihood if np.isfinite(log_likelihood) else -np.inf

    def _sum_rows(self) -> float:
        """Take predictors and theta of the rows, and their sums over risk sets; the largest absolute predictor."""
        risk_sets, likelihood = self.risk_sets, self.likelihood
        if risk_sets.is_grouped:
            moments, rows = len(risk_sets.times), len(risk_sets.order)
            self.eta, self.theta = np.zeros(rows), np.zeros(rows)
            self._of_deaths, self._own = (np.empty((moments, triangle(len(self.beta)))) for _ in range(2))
            farthest = products_by_moment(
                likelihood.compiled_columns,
                self.beta,
                risk_sets.weights,
                risk_sets.segments,
                self.shift[risk_sets.moment_stratum],
                self.eta,
                self.theta,
                self._of_deaths,
                self._own,
            )
            self._own += self._of_deaths
            self._dying = np.ascontiguousarray(self._of_deaths[:, 0])
            self.at_risk = risk_sets.sum_from_moments(self._own[:, 0])
            return farthest
        self.eta = likelihood.predictor(self.beta)
        centred = self.eta - self.shift[risk_sets.stratum] if self.shift.any() else self.eta.copy()
        centred[risk_sets.never_at_risk] = 0.0
        farthest = float(np.abs(centred).max())
        centred[risk_sets.never_at_risk] = -np.inf
        self.theta = risk_sets.weights * np.exp(np.minimum(centred, FARTHEST))
        self.at_risk = risk_sets.sum_at_risk(self.theta)
        self._dying = risk_sets.sum_of_deaths(self.theta)
        return farthest

    @cached_property
    def relative(self) -> Floats:
        """exp(eta - shift), 0 for who is never at risk, (sorted rows,)."""
        return self.theta / self.risk_sets.weights

    @cached_property
    def hazard(self) -> Floats:
        """Cumulative hazard each row was exposed to, of a row with relative risk 1, (rows,)."""
        return self._hazard(1.0)

    @cached_property
    def score(self) -> Floats:
        """Gradient of the log-likelihood, (terms,)."""
        if not self.risk_sets.is_grouped:
            return self.likelihood.total(self.risk_sets.weights * self.risk_sets.dies - self.theta * self.hazard)
        terms = slice(1, len(self.beta) + 1)
        exposed = self.risk_sets.sum_up_to_moments(self.increments)
        drawn = exposed @ self._own[:, terms] - self._left @ self._of_deaths[:, terms]
        return np.asarray(self.likelihood.of_deaths - drawn)

    @cached_property
    def information(self) -> Floats:
        """Minus the Hessian of the log-likelihood, (terms, terms)."""
        return self.weighted_information(1.0)

    def weighted_information(self, moment_weights: Floats | float) -> Floats:
        """Sum over moments of the information of each, times a weight of the moment; (terms, terms).

        Args:
            moment_weights: of any sign, (moments,), or one for all.
        """
        risk_sets, tied = self.risk_sets, self.risk_sets.tied_moments
        if risk_sets.is_grouped:
            exposed = risk_sets.sum_up_to_moments(self.increments * moment_weights)
            second = symmetric(exposed @ self._own - (self._left * moment_weights) @ self._of_deaths)[1:, 1:]
        else:
            hazard = self.hazard if isinstance(moment_weights, float) else self._hazard(moment_weights)
            whole = self.likelihood.matrix
            second = weighted_products(self.likelihood.columns if whole is None else whole, self.theta * hazard)
        second -= weighted_products(self.means, risk_sets.weighted_deaths * moment_weights)
        if len(tied):
            crossed = (self.means[:, tied] * (self._left * moment_weights)[tied]) @ self._excess.T
            second += crossed + crossed.T
            second -= weighted_products(self._excess, (self._left_twice * moment_weights)[tied])
        return (second + second.T) / 2

    @cached_property
    def mean_of_slots(self) -> Floats:
        """Mean of the columns over the slots of each moment: what Schoenfeld's residuals are relative to; (terms,
        moments).
        """
        return self._minus_excess(self.means, self._left / self.risk_sets.weighted_deaths)

    def schoenfeld(self, deaths: slice = slice(None)) -> Floats:
        """Schoenfeld's residuals: of each death, its columns less `mean_of_slots`; (terms, deaths).

        Args:
            deaths: which of `risk_sets.dead`.
        """
        risk_sets = self.risk_sets
        rows = risk_sets.dead[deaths]
        mean = np.take(self.mean_of_slots, risk_sets.moment_of_death[deaths], axis=1)
        residuals: Floats = self.likelihood.taken(rows) - mean
        return residuals

    def schoenfeld_sum(self, moment_weights: Floats) -> Floats:
        """Sum of Schoenfeld's residuals times the weights of their rows and moments, (terms,).

        Args:
            moment_weights: of any sign, (moments,).
        """
        risk_sets = self.risk_sets
        of_rows = np.zeros(len(risk_sets.order))
        of_rows[risk_sets.dead] = risk_sets.weights[risk_sets.dead] * moment_weights[risk_sets.moment_of_death]
        total = self.likelihood.total(of_rows)
        total -= self.mean_of_slots @ (moment_weights * risk_sets.weighted_deaths)
        return total

    def score_residuals(self) -> Floats:
        """Each row's part of the score, without its weight (Therneau, Grambsch and Fleming 1990); (terms, rows).

        Under ties a death gives 1/d of its event to each slot, and is at risk in slot l for a share 1 - l/d.
        """
        residuals = np.empty((len(self.beta), len(self.theta)))
        for rows, of_rows in self.score_residual_blocks():
            residuals[:, rows] = of_rows
        return residuals

    def score_residual_blocks(self) -> Iterator[tuple[slice, Floats]]:
        """The same some rows at a time, which a processor's cache holds: which rows, and (terms, so many rows)."""
        risk_sets = self.risk_sets
        drifting = risk_sets.cumulated(self._minus_excess(self.means * self.increments, self._squared))
        # What a death is not exposed to at its own moment, and its Schoenfeld residual: both are its moment's.
        left = self._minus_excess(self.means * self._left, self._left_twice)
        mean, hazard = self.mean_of_slots, self.hazard
        for rows in blocks_of(len(hazard)):
            columns = self.likelihood.rows(rows)
            residuals = risk_sets.while_at_risk(drifting, rows)
            first, last = np.searchsorted(risk_sets.dead, [rows.start, rows.stop])
            moments = risk_sets.moment_of_death[first:last]
            dead = risk_sets.dead[first:last] - rows.start
            if len(risk_sets.tied_moments):
                residuals[:, dead] -= left[:, moments]
            residuals -= columns * hazard[rows]
            residuals *= self.relative[rows]
            residuals[:, dead] += columns[:, dead] - mean[:, moments]
            yield rows, residuals

    # The mean of the columns over slot l of a moment is mu - (l/d) e / c, with mu = S1/S the mean over its whole risk
    # set and e = D1 - D mu the excess of its deaths over that mean. Sums over slots are then sums over moments.

    @cached_property
    def means(self) -> Floats:
        """mu: mean of the columns over each risk set, weighted by theta, (terms, moments)."""
        if self.risk_sets.is_grouped:
            own = self._own[:, 1 : len(self.beta) + 1]
            return np.ascontiguousarray(self.risk_sets.sum_from_moments(own).T) / self.at_risk
        if (whole := self.likelihood.matrix) is not None:
            return self.risk_sets.sum_at_risk(whole * self.theta) / self.at_risk
        summed = stacked([self.risk_sets.sum_at_risk(column * self.theta) for column in self.likelihood.columns])
        return summed / self.at_risk

    @cached_property
    def _excess(self) -> Floats:
        """e of the moments with several deaths, (terms, tied moments)."""
        risk_sets = self.risk_sets
        if risk_sets.is_grouped:
            of_deaths = self._of_deaths[risk_sets.tied_moments, 1 : len(self.beta) + 1].T
        else:
            of_deaths = stacked([risk_sets.sum_of_ties(column, self.theta) for column in self.likelihood.columns])
        return of_deaths - self.means[:, risk_sets.tied_moments] * self._dying[risk_sets.tied_moments]

    def _minus_excess(self, of_moments: Floats, factor: Floats) -> Floats:
        """(terms, moments) less a factor of the moment times e, where there are ties."""
        tied = self.risk_sets.tied_moments
        if not len(tied):
            return of_moments
        changed = of_moments.copy()
        changed[:, tied] -= self._excess * factor[tied]
        return changed

    def _hazard(self, moment_weights: Floats | float) -> Floats:
        risk_sets = self.risk_sets
        hazard = risk_sets.sum_while_at_risk(self.increments * moment_weights)
        if len(risk_sets.tied_moments):
            hazard[risk_sets.dead] -= (self._left * moment_weights)[risk_sets.moment_of_death]
        return hazard


def blocks_of(rows: int) -> Iterator[slice]:
    """So many rows, some at a time."""
    for start in range(0, rows, BLOCK):
        yield slice(start, min(start + BLOCK, rows))


def stacked(columns: Sequence[Floats]) -> Floats:
    """Columns of the same rows as one matrix, (terms, rows)."""
    matrix = np.empty((len(columns), len(columns[0])))
    for row, column in zip(matrix, columns, strict=True):
        row[:] = column
    return matrix


def weighted_products(columns: Sequence[Floats] | Floats, weights: Floats) -> Floats:
    """Sum over rows of weight x column x column', block by block, so that a block stays in the processor's cache.

    Args:
        columns: (rows,) each, or (terms, rows).
        weights: of any sign, (rows,).
    """
    total = np.zeros((len(columns), len(columns)))
    for some in blocks_of(len(weights)):
        block = columns[:, some] if isinstance(columns, np.ndarray) else stacked([column[some] for column in columns])
        total += (block * weights[some]) @ block.T
    return total
