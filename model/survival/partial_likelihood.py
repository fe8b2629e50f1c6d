"""Cox's partial likelihood with Efron's ties, case weights, strata and late entry: value, derivatives, residuals.

With theta_i = w_i exp(eta_i), S the sum of theta over a risk set, D that over the deaths of the moment, m the mean
weight of those deaths, and a slot's denominator c_l = S - (l/d) D:

    log L = sum over deaths of w_i eta_i - sum over slots of m log c_l

as in R's `coxph(ties = "efron")`. Derivatives are sums over rows, weighted by the hazard each was exposed to, so that
the cost is O(rows x terms) for the score and one matrix product, O(rows x terms^2), for the information.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property, partial

import numpy as np

from model.survival.columns import Columns, blocks_of, weighted_products
from model.survival.compiled import compiled
from model.survival.moment_sums import sums_of_slots
from model.survival.risk_sets import Floats, Integers, RiskSets
from model.survival.row_sums import FARTHEST, row_sums
from model.survival.sharing import remembered


class PartialLikelihood:
    """The partial likelihood of a data set, as a function of the coefficients.

    Attributes:
        columns: of the design.
        risk_sets: of the same rows.
    """

    def __init__(self, columns: Floats, risk_sets: RiskSets) -> None:
        """Take the design's columns.

        Args:
            columns: (terms, rows), in the order of the data; best standardised, for the rounding's sake.
            risk_sets: of the same rows.
        """
        self.columns = Columns(tuple(np.take(columns, risk_sets.order, axis=1)), len(risk_sets.order))
        self.risk_sets = risk_sets

    @classmethod
    def of_sorted(cls, columns: Sequence[Floats], risk_sets: RiskSets) -> PartialLikelihood:
        """Of columns that are in the order of the risk sets already, (sorted rows,) each."""
        likelihood = cls.__new__(cls)
        likelihood.columns, likelihood.risk_sets = Columns(columns, len(risk_sets.order)), risk_sets
        return likelihood

    @cached_property
    def of_deaths(self) -> Floats:
        """Weighted sum of the columns over all deaths, (terms,)."""
        dying = self.risk_sets.weights * self.risk_sets.dies
        found = [
            remembered("of deaths", (column, self.risk_sets.dead), partial(np.dot, column, dying))
            for column in self.columns
        ]
        return np.array(found)

    def at(self, beta: Floats) -> EfronSums:
        """Everything at the coefficients `beta`, (terms,)."""
        return EfronSums(self, beta)


class EfronSums:
    """The partial likelihood and its derivatives at some coefficients.

    Attributes:
        likelihood: whose columns and risk sets these are.
        beta: the coefficients, (terms,).
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
        shift = np.zeros(risk_sets.strata)
        rows = row_sums(likelihood.columns, risk_sets, beta, shift)
        if rows.farthest > FARTHEST:
            # Within a stratum the likelihood does not change when all predictors move: the largest becomes 0.
            considered = np.where(risk_sets.ever_at_risk, rows.eta, -np.inf)
            largest = np.maximum.reduceat(considered, risk_sets.row_starts)
            shift = np.where(np.isfinite(largest), largest, 0.0)
            rows = row_sums(likelihood.columns, risk_sets, beta, shift)
        self._rows, self.shift = rows, shift
        self.theta, self.at_risk = rows.theta, rows.at_risk
        logs, self.increments, self._left, self._squared, self._left_twice = sums_of_slots(
            risk_sets.deaths, risk_sets.weighted_deaths, rows.at_risk, rows.dying
        )
        of_deaths = beta @ likelihood.of_deaths - risk_sets.weighted_deaths @ shift[risk_sets.moment_stratum]
        # numpy adds up pairwise: tests compare likelihoods of hundreds of thousands that differ by little.
        log_likelihood = float(of_deaths - logs.sum())
        self.log_likelihood = log_likelihood if np.isfinite(log_likelihood) else -np.inf

    @cached_property
    def eta(self) -> Floats:
        """Linear predictor, of who is never at risk too, (sorted rows,)."""
        eta, never = self._rows.eta, self.risk_sets.never_at_risk
        eta[never] = self.beta @ self.likelihood.columns.taken(never)
        return eta

    @cached_property
    def relative(self) -> Floats:
        """exp(eta - shift), 0 for who is never at risk, (sorted rows,)."""
        return self.theta / self.risk_sets.weights

    @cached_property
    def hazard(self) -> Floats:
        """Cumulative hazard each row was exposed to, of a row with relative risk 1, (rows,)."""
        return self.risk_sets.hazard_of_rows(self.increments, self._left)

    @cached_property
    def score(self) -> Floats:
        """Gradient of the log-likelihood, (terms,)."""
        return self.likelihood.of_deaths - self._rows.exposed(self.increments, self._left)

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
        second = self._rows.exposed_products(self.increments * moment_weights, self._left * moment_weights)
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
        residuals: Floats = self.likelihood.columns.taken(rows) - mean
        return residuals

    def schoenfeld_sum(self, moment_weights: Floats) -> Floats:
        """Sum of Schoenfeld's residuals times the weights of their rows and moments, (terms,).

        Args:
            moment_weights: of any sign, (moments,).
        """
        risk_sets = self.risk_sets
        of_rows = np.zeros(len(risk_sets.order))
        of_rows[risk_sets.dead] = risk_sets.weights[risk_sets.dead] * moment_weights[risk_sets.moment_of_death]
        total = self.likelihood.columns.total(of_rows)
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
        moments = np.full(len(hazard), -1)
        moments[risk_sets.dead] = risk_sets.moment_of_death
        for rows in blocks_of(len(hazard)):
            residuals = risk_sets.while_at_risk(drifting, rows)
            columns = np.ascontiguousarray(self.likelihood.columns.block(rows))
            _to_residuals(residuals, columns, hazard[rows], self.relative[rows], moments[rows], left, mean)
            yield rows, residuals

    # The mean of the columns over slot l of a moment is mu - (l/d) e / c, with mu = S1/S the mean over its whole risk
    # set and e = D1 - D mu the excess of its deaths over that mean. Sums over slots are then sums over moments.

    @cached_property
    def means(self) -> Floats:
        """mu: mean of the columns over each risk set, weighted by theta, (terms, moments)."""
        return self._rows.over_risk_sets / self.at_risk

    @cached_property
    def _excess(self) -> Floats:
        """e of the moments with several deaths, (terms, tied moments)."""
        tied = self.risk_sets.tied_moments
        return self._rows.over_ties - self.means[:, tied] * self._rows.dying[tied]

    def _minus_excess(self, of_moments: Floats, factor: Floats) -> Floats:
        """(terms, moments) less a factor of the moment times e, where there are ties."""
        tied = self.risk_sets.tied_moments
        if not len(tied):
            return of_moments
        changed = of_moments.copy()
        changed[:, tied] -= self._excess * factor[tied]
        return changed


@compiled
def _to_residuals(
    drifts: Floats,
    columns: Floats,
    hazard: Floats,
    relative: Floats,
    moments: Integers,
    left: Floats,
    mean: Floats,
) -> None:
    """Make score residuals of some rows out of what the mean of the columns drifts by while they are at risk.

    Args:
        drifts: take the residuals, (terms, rows).
        columns: (terms, rows).
        hazard, relative: of the rows, (rows,).
        moments: number of the moment each dies at, -1: it does not, (rows,).
        left, mean: what a death is not exposed to at its own moment, and the mean of its slots, (terms, moments).
    """
    for term in range(len(drifts)):
        for row in range(len(hazard)):
            drifts[term, row] = relative[row] * (drifts[term, row] - columns[term, row] * hazard[row])
            moment = moments[row]
            if moment >= 0:
                drifts[term, row] += columns[term, row] - mean[term, moment] - relative[row] * left[term, moment]
