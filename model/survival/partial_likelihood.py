"""Cox's partial likelihood with Efron's ties, case weights, strata and late entry: value, derivatives, residuals.

With theta_i = w_i exp(eta_i), S the sum of theta over a risk set, D that over the deaths of the moment, m the mean
weight of those deaths, and a slot's denominator c_l = S - (l/d) D:

    log L = sum over deaths of w_i eta_i - sum over slots of m log c_l

as in R's `coxph(ties = "efron")`. Derivatives are sums over rows, weighted by the hazard each was exposed to, so that
the cost is O(rows x terms) for the score and one matrix product, O(rows x terms^2), for the information.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from model.survival.risk_sets import Floats, RiskSets


class PartialLikelihood:
    """The partial likelihood of a data set, as a function of the coefficients."""

    def __init__(self, columns: Floats, risk_sets: RiskSets) -> None:
        """Take the design's columns.

        Args:
            columns: (terms, rows), in the order of the data; best standardised, for the rounding's sake.
            risk_sets: of the same rows.
        """
        self.columns = np.ascontiguousarray(columns[:, risk_sets.order])
        self.risk_sets = risk_sets

    def at(self, beta: Floats) -> EfronSums:
        """Everything at the coefficients `beta`, (terms,)."""
        return EfronSums(self.columns, self.risk_sets, beta)


class EfronSums:
    """The partial likelihood and its derivatives at some coefficients.

    Attributes:
        beta: the coefficients, (terms,).
        eta: their linear predictor, (sorted rows,).
        log_likelihood: partial log-likelihood; -inf where the predictor is beyond what a double can hold.
        shift: what was taken off the predictors of each stratum, (strata,).
        relative, theta: exp(eta - shift) without and with the weights, 0 for who is never at risk, (sorted rows,).
        at_risk: sum of theta over each risk set, (moments,).
        denominators: of the slots, (slots,).
    """

    def __init__(self, columns: Floats, risk_sets: RiskSets, beta: Floats) -> None:
        """Sum over risk sets.

        Args:
            columns: design, (terms, sorted rows).
            risk_sets: of the rows.
            beta: (terms,).
        """
        self.columns, self.risk_sets, self.beta = columns, risk_sets, beta
        self.eta = eta = beta @ columns
        # Within a stratum the likelihood does not change when all predictors move: the largest becomes 0.
        considered = np.where(risk_sets.ever_at_risk, eta, -np.inf)
        shift = np.maximum.reduceat(considered, risk_sets.row_starts)
        self.shift = np.where(np.isfinite(shift), shift, 0.0)
        centred = eta - self.shift[risk_sets.stratum]
        self.relative = np.where(risk_sets.ever_at_risk, np.exp(np.minimum(centred, 0.0)), 0.0)
        self.theta = risk_sets.weights * self.relative
        self.at_risk = risk_sets.sum_at_risk(self.theta)
        slot = risk_sets.slot_moment
        self.denominators = self.at_risk[slot]
        if risk_sets.tied:
            self.denominators = self.denominators - risk_sets.slot_share * risk_sets.sum_of_deaths(self.theta)[slot]
        dead = risk_sets.dead
        with np.errstate(divide="ignore", invalid="ignore"):
            log_likelihood = risk_sets.weights[dead] @ centred[dead] - risk_sets.slot_weight @ np.log(self.denominators)
        self.log_likelihood = float(log_likelihood) if np.isfinite(log_likelihood) else -np.inf

    @cached_property
    def increments(self) -> Floats:
        """Efron's increments of the cumulative hazard, of a row with relative risk 1, (moments,)."""
        return self._increments(None)

    @cached_property
    def hazard(self) -> Floats:
        """Cumulative hazard each row was exposed to, of a row with relative risk 1, (rows,)."""
        return self._hazard(None)

    @cached_property
    def score(self) -> Floats:
        """Gradient of the log-likelihood, (terms,)."""
        gradient: Floats = self.columns @ (self.risk_sets.weights * self.risk_sets.dies - self.theta * self.hazard)
        return gradient

    @cached_property
    def slot_means(self) -> Floats:
        """Mean of each column over the risk set of each slot, (terms, slots)."""
        products = self.columns * self.theta
        means = self.risk_sets.sum_at_risk(products)
        if self.risk_sets.tied:
            slot = self.risk_sets.slot_moment
            of_deaths = self.risk_sets.sum_of_deaths(products)
            means = means[:, slot] - self.risk_sets.slot_share * of_deaths[:, slot]
        means /= self.denominators
        return means

    @cached_property
    def information(self) -> Floats:
        """Minus the Hessian of the log-likelihood, (terms, terms)."""
        return self.weighted_information(None)

    def weighted_information(self, moment_weights: Floats | None) -> Floats:
        """Sum over moments of the information of each, times a weight of the moment; (terms, terms).

        Args:
            moment_weights: (moments,), of any sign; None: 1 everywhere.
        """
        exposed = self.theta * (self.hazard if moment_weights is None else self._hazard(moment_weights))
        slot_weight = self.risk_sets.slot_weight
        if moment_weights is not None:
            slot_weight = slot_weight * moment_weights[self.risk_sets.slot_moment]
        second: Floats = (self.columns * exposed) @ self.columns.T
        second -= (self.slot_means * slot_weight) @ self.slot_means.T
        return (second + second.T) / 2

    @cached_property
    def schoenfeld(self) -> Floats:
        """Schoenfeld's residuals: of each death, its columns less their mean over the risk set; (terms, deaths)."""
        mean = self.risk_sets.sum_of_slots(self.slot_means) / self.risk_sets.deaths
        residuals: Floats = self.columns[:, self.risk_sets.dead] - mean[:, self.risk_sets.moment_of_death]
        return residuals

    def score_residuals(self) -> Floats:
        """Each row's part of the score, without its weight (Therneau, Grambsch and Fleming 1990); (terms, rows).

        Under ties a death gives 1/d of its event to each slot, and is at risk in slot l for a share 1 - l/d.
        """
        risk_sets = self.risk_sets
        per_slot = risk_sets.slot_weight / self.denominators
        drift = risk_sets.sum_while_at_risk(risk_sets.sum_of_slots(self.slot_means * per_slot))
        if risk_sets.tied:
            left = risk_sets.sum_of_slots(self.slot_means * (per_slot * risk_sets.slot_share))
            drift[:, risk_sets.dead] -= left[:, risk_sets.moment_of_death]
        residuals = self.relative * (drift - self.columns * self.hazard)
        residuals[:, risk_sets.dead] += self.schoenfeld
        return residuals

    def _increments(self, moment_weights: Floats | None) -> Floats:
        increments = self.risk_sets.sum_of_slots(self.risk_sets.slot_weight / self.denominators)
        return increments if moment_weights is None else increments * moment_weights

    def _hazard(self, moment_weights: Floats | None) -> Floats:
        risk_sets = self.risk_sets
        hazard = risk_sets.sum_while_at_risk(self._increments(moment_weights))
        if risk_sets.tied:
            already_left = risk_sets.sum_of_slots(risk_sets.slot_weight * risk_sets.slot_share / self.denominators)
            if moment_weights is not None:
                already_left = already_left * moment_weights
            hazard[risk_sets.dead] -= already_left[risk_sets.moment_of_death]
        return hazard
