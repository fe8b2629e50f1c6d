"""The Cox proportional-hazards model (Cox 1972): Efron's ties, strata, late entry, case weights, clusters.

Estimates, standard errors (of the information and robust), log-likelihoods, concordance and both baselines agree with
R's `survival` to 1e-6 and better (tests). The maximum is found by lifelines where that is quick enough, and by our own
Newton's method elsewhere (`estimation`); everything that follows from it is computed here, from one likelihood.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from model.survival.baseline import Baseline, Estimator, baselines
from model.survival.checks import check_clusters, check_collinearity, check_columns, check_events
from model.survival.coefficients import Coefficient, check_maximum, wald_coefficient
from model.survival.design import Covariate, Design, Interaction
from model.survival.errors import FitRefused
from model.survival.estimation import NO_CONVERGENCE, estimate
from model.survival.fitted_concordance import fitted_concordance
from model.survival.partial_likelihood import EfronSums, PartialLikelihood
from model.survival.prepared import Prepared, followed, sorted_columns
from model.survival.proportional_hazards import proportional_hazards
from model.survival.residuals import dfbeta, robust_covariance
from model.survival.risk_sets import Floats, Integers, Outcome
from model.survival.strata import Strata

TIES = "efron"


@dataclass(frozen=True)
class Described:
    """Persons as a fit sees them.

    Attributes:
        centred: their columns of the design less the means of the persons of the fit, (persons, terms).
        strata: number of their stratum among those of the fit, (persons,).
    """

    centred: Floats
    strata: Integers


@dataclass(frozen=True)
class CoxFit:
    """A fitted Cox model.

    Attributes:
        coefficients: one for each term, in the order of the design.
        persons, events: what it was fitted on; with clusters, `persons` are the clusters.
        rows: of the frame.
        log_likelihood, null_log_likelihood: partial log-likelihood (Efron) at the estimate, and at 0.
        aic: -2 log_likelihood + 2 terms.
        warnings: what makes the fit doubtful, in words.
        beta: the coefficients' log hazard ratios, (terms,).
        centre: mean of each column over the rows of the fit; log-risks are relative to it, (terms,).
        covariance: of `beta`, the one standard errors come from, (terms, terms).
        naive_covariance: inverse of the information; the same where `robust` is false.
        robust: whether `covariance` is the sandwich estimate: with clusters, and with weights that are not whole.
        strata: columns whose combinations have baseline hazards of their own.
        baselines: one for each stratum.
        outcome, sums, spread: the follow-up, the likelihood at the estimate, and what its columns were divided by; for
            residuals and tests.
    """

    coefficients: tuple[Coefficient, ...]
    persons: int
    rows: int
    events: int
    log_likelihood: float
    null_log_likelihood: float
    aic: float
    warnings: tuple[str, ...]
    design: Design
    beta: np.ndarray
    centre: np.ndarray
    covariance: np.ndarray
    naive_covariance: np.ndarray
    robust: bool
    strata: tuple[str, ...]
    baselines: tuple[Baseline, ...]
    outcome: Outcome
    sums: EfronSums
    spread: np.ndarray

    @cached_property
    def concordance(self) -> float:
        """Harrell's C on the persons of the fit (apparent), 0 to 1; within strata, of pairs at risk together.

        Raises:
            FitRefused: no two persons can be compared.
        """
        # Equal persons have equal log-risks up to the order of additions; they must count as tied.
        return fitted_concordance(self.outcome, np.round(self.own_log_risk, 10))

    @property
    def own_log_risk(self) -> Floats:
        """`log_risk` of the persons of the fit, who need not be described again; (rows,)."""
        return self.sums.risk_sets.to_data_order(self.sums.eta)

    @property
    def estimates(self) -> dict[str, float]:
        """The coefficients by name of term, as `beta`."""
        return {one.term.name: float(beta) for one, beta in zip(self.coefficients, self.beta, strict=True)}

    @cached_property
    def ph_p_values(self) -> dict[str, float]:
        """P value of the test of proportional hazards, by term, as R's `cox.zph(transform = "km", terms = FALSE)`."""
        return {name: test.p_value for name, test in proportional_hazards(self).by_term.items()}

    @property
    def baseline_times(self) -> np.ndarray:
        """Event times, ascending, of a model without strata; (times,)."""
        return self._only_baseline.times

    @property
    def baseline_hazard(self) -> np.ndarray:
        """Breslow's cumulative baseline hazard at and after each of `baseline_times`, without strata; (times,)."""
        return self._only_baseline.breslow

    @property
    def longest_followup(self) -> float:
        """Years, in the stratum that was followed longest."""
        return max(baseline.longest_followup for baseline in self.baselines)

    def log_risk(self, frame: pd.DataFrame) -> np.ndarray:
        """Linear predictor of each person, centred on the mean of the persons of the fit; (persons,)."""
        return self.design.log_risk(frame, self.centre, self.beta)

    def described(self, frame: pd.DataFrame) -> Described:
        """Persons as the fit sees them.

        Raises:
            FitRefused: somebody has a level, or is in a stratum, that nobody of the fit has.
        """
        return Described(self.design.matrix(frame) - self.centre, self.stratum_numbers(frame))

    def survival(self, frame: pd.DataFrame, horizon_years: float, *, baseline: Estimator = "breslow") -> np.ndarray:
        """Probability of each person to be free of the event at `horizon_years`; (persons,), 0 to 1.

        exp(-H0(t) exp(log_risk)) with the cumulative baseline hazard H0 of the person's stratum.

        Args:
            frame: the covariates' columns and those of the strata.
            horizon_years: from the start of follow-up.
            baseline: Breslow's estimate, or Efron's, which is R's default. They differ under ties.

        Raises:
            FitRefused: nobody of the fit (of the person's stratum) was followed that long, or there is no such stratum.
        """
        return self.survival_of(self.log_risk(frame), self.stratum_numbers(frame), horizon_years, baseline=baseline)

    def stratum_numbers(self, frame: pd.DataFrame) -> Integers:
        """Number of each person's stratum among those of the fit, (persons,).

        Raises:
            FitRefused: there is no such stratum.
        """
        return Strata(self.strata, tuple(each.stratum for each in self.baselines)).numbers(frame)

    def survival_of(
        self, log_risk: Floats, numbers: Integers, horizon_years: float, *, baseline: Estimator = "breslow"
    ) -> np.ndarray:
        """As `survival`, of persons whose log-risk and number of stratum are known already, (persons,)."""
        occurring = np.flatnonzero(np.bincount(numbers, minlength=len(self.baselines)))
        cumulative = self.cumulative_hazards(occurring, horizon_years, baseline=baseline)
        hazard = cumulative[numbers] if self.strata else cumulative[0]
        return np.exp(-hazard * np.exp(log_risk))

    def cumulative_hazards(
        self, occurring: Integers, horizon_years: float, *, baseline: Estimator = "breslow"
    ) -> Floats:
        """Cumulative baseline hazard of each stratum at `horizon_years`, 0 for those that do not occur; (strata,).

        Args:
            occurring: numbers of the strata that are asked for.
            horizon_years, baseline: as `survival`.

        Raises:
            FitRefused: nobody of one of those was followed that long.
        """
        cumulative = np.zeros(len(self.baselines))
        for number in occurring:
            of_stratum = self.baselines[number]
            if horizon_years > of_stratum.longest_followup:
                where = f" in the stratum {', '.join(of_stratum.stratum)}" if self.strata else ""
                raise FitRefused(f"nobody was followed for {horizon_years:g} years{where}")
            cumulative[number] = of_stratum.cumulative_hazard(horizon_years, baseline)
        return cumulative

    @property
    def _only_baseline(self) -> Baseline:
        if self.strata:
            raise ValueError("a stratified model has a baseline for each stratum: see `baselines`")
        return self.baselines[0]


def fit_cox(
    frame: pd.DataFrame,
    covariates: tuple[Covariate, ...],
    *,
    duration: str = "followup_years",
    event: str = "event",
    entry: str | None = None,
    strata: tuple[str, ...] = (),
    weights: str | None = None,
    cluster: str | None = None,
    interactions: tuple[Interaction, ...] = (),
    near: Mapping[str, float] | None = None,
    quick: bool = False,
) -> CoxFit:
    """Fit a Cox model to `frame`, complete cases, one row a person (with `cluster`: or several).

    Args:
        frame: holds `duration` (> 0), `event` (bool) and the columns of all that is named below.
        covariates: the model's covariates.
        entry: start of follow-up, when later than 0 (left truncation): at risk in (entry, duration].
        strata: columns; each combination of their values has a baseline hazard of its own.
        weights: case weights, > 0. Whole ones count as that many persons; others make the variance robust.
        cluster: whose rows belong together; makes the variance robust (Lin and Wei 1989).
        interactions: pairs of names of covariates, the product of whose terms enters the model too.
        near: `estimates` of a model that is expected to come out much the same; where Newton's method starts. A term
            that it has not starts at 0.
        quick: find the maximum by our own Newton's method whatever the size: for refits by the hundred.

    Raises:
        FitRefused: the data cannot support the model (`model.survival.checks`), or the likelihood has no maximum.
    """
    prepared = prepare(
        frame,
        covariates,
        duration=duration,
        event=event,
        entry=entry,
        strata=strata,
        weights=weights,
        cluster=cluster,
        interactions=interactions,
    )
    return fit_prepared(prepared, near=near, quick=quick)


def prepare(
    frame: pd.DataFrame,
    covariates: tuple[Covariate, ...],
    *,
    duration: str = "followup_years",
    event: str = "event",
    entry: str | None = None,
    strata: tuple[str, ...] = (),
    weights: str | None = None,
    cluster: str | None = None,
    interactions: tuple[Interaction, ...] = (),
) -> Prepared:
    """Make a frame ready for `fit_prepared`.

    Args, Raises: as `fit_cox`.
    """
    if len(frame) == 0:
        raise FitRefused("no persons")
    follow_up = followed(frame, duration=duration, event=event, entry=entry, strata=strata, weights=weights)
    design = Design(frame, covariates, interactions)
    check_events(len(follow_up.risk_sets.dead), design.terms)
    columns = sorted_columns(design, frame, follow_up)
    return Prepared(follow_up, design, columns, None if cluster is None else _clusters(frame, cluster))


def fit_prepared(prepared: Prepared, *, near: Mapping[str, float] | None = None, quick: bool = False) -> CoxFit:
    """Fit to what `prepare` made ready.

    Args, Raises: as `fit_cox`.
    """
    follow_up, design, columns, clusters = prepared.follow_up, prepared.design, prepared.columns, prepared.clusters
    outcome, risk_sets = follow_up.outcome, follow_up.risk_sets
    check_events(len(risk_sets.dead), design.terms)
    doubts = check_columns([column.facts for column in columns], design.terms, len(risk_sets.dead))
    centre = np.array([column.facts.mean for column in columns])
    spread = np.array([column.facts.deviation for column in columns])
    likelihood = PartialLikelihood.of_sorted([column.standardised for column in columns], risk_sets)
    doubts += check_collinearity(likelihood.columns, design.terms, risk_sets.dies, risk_sets.stratum)
    doubts += [f"nobody has {level}" for level in design.absent_levels]
    if clusters is not None:
        doubts += check_clusters(int(clusters.max()) + 1, len(design.terms))

    start = None if near is None else spread * [near.get(term.name, 0.0) for term in design.terms]
    sums = estimate(likelihood, follow_up, near=start, quick=quick)
    naive = _inverse(sums.information)
    robust = clusters is not None or not follow_up.has_whole_weights
    covariance = robust_covariance(dfbeta(sums, naive), clusters) if robust else naive
    beta = sums.beta / spread
    with np.errstate(invalid="ignore"):
        standardised_errors, errors = np.sqrt(np.diag(naive)), np.sqrt(np.diag(covariance)) / spread
    check_maximum(beta, errors, standardised_errors, design.terms)

    units = np.outer(spread, spread)
    return CoxFit(
        coefficients=tuple(
            wald_coefficient(term, float(b), float(e)) for term, b, e in zip(design.terms, beta, errors, strict=True)
        ),
        persons=len(outcome.durations) if clusters is None else int(clusters.max()) + 1,
        rows=len(outcome.durations),
        events=int(outcome.events.sum()),
        log_likelihood=sums.log_likelihood,
        null_log_likelihood=follow_up.null_log_likelihood,
        aic=-2 * sums.log_likelihood + 2 * len(beta),
        warnings=tuple(doubts),
        design=design,
        beta=beta,
        centre=centre,
        covariance=covariance / units,
        naive_covariance=naive / units,
        robust=robust,
        strata=follow_up.strata.columns,
        baselines=baselines(sums, follow_up.strata.values, follow_up.longest),
        outcome=outcome,
        sums=sums,
        spread=spread,
    )


def _clusters(frame: pd.DataFrame, cluster: str) -> Integers:
    if frame[cluster].isna().any():
        raise FitRefused(f"the cluster {cluster} is missing for some rows")
    return pd.factorize(frame[cluster])[0].astype(np.int64)


def _inverse(information: Floats) -> Floats:
    try:
        return np.asarray(np.linalg.inv(information), dtype=np.float64)
    except np.linalg.LinAlgError:
        raise FitRefused(NO_CONVERGENCE) from None
