"""One estimate from several completed data sets: Rubin's rules (1987), Barnard and Rubin's degrees of freedom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from model.errors import NotComputable
from model.survival.censoring import Floats
from model.survival.coefficients import Coefficient
from model.survival.cox import CoxFit


@dataclass(frozen=True)
class Pooled:
    """Estimates over imputations, (estimates,) each.

    Attributes:
        estimate: mean over the completed data sets.
        standard_error: of within variance plus (1 + 1/m) times the variance between.
        degrees: of freedom of Student's t (Barnard and Rubin 1999).
        missing_information: share of the information that is missing with the values (fmi, as R's `mice::pool`).
    """

    estimate: Floats
    standard_error: Floats
    degrees: Floats
    missing_information: Floats

    @property
    def half_width(self) -> Floats:
        """Of the 95 % interval."""
        return np.asarray(stats.t.ppf(0.975, self.degrees) * self.standard_error)

    @property
    def p_value(self) -> Floats:
        """Two-sided, of 0."""
        return np.asarray(2 * stats.t.sf(np.abs(self.estimate / self.standard_error), self.degrees))


@dataclass(frozen=True)
class PooledFit:
    """One model over completed data sets. It has no likelihood and no AIC: those are of one data set each.

    Attributes:
        fits: to each completed data set.
        coefficients: pooled, one for each term.
        pooled: what the coefficients come from.
    """

    fits: tuple[CoxFit, ...]
    coefficients: tuple[Coefficient, ...]
    pooled: Pooled

    @property
    def persons(self) -> int:
        """What it was fitted on."""
        return self.fits[0].persons

    @property
    def events(self) -> int:
        """Events among them."""
        return self.fits[0].events

    @property
    def robust(self) -> bool:
        """Whether the standard errors of each fit are robust."""
        return self.fits[0].robust

    @property
    def concordance(self) -> float:
        """Mean of Harrell's C over the completed data sets, each on its own persons.

        Raises:
            FitRefused: no two persons can be compared.
        """
        return float(np.mean([fit.concordance for fit in self.fits]))

    @property
    def warnings(self) -> tuple[str, ...]:
        """What makes one of the fits doubtful, each once."""
        return tuple(dict.fromkeys(warning for fit in self.fits for warning in fit.warnings))


def pooled_fit(fits: Sequence[CoxFit]) -> PooledFit:
    """One model from its fits to each completed data set.

    Raises:
        NotComputable: as `pool_fits`.
    """
    coefficients, pooled = pool_fits(fits)
    return PooledFit(tuple(fits), coefficients, pooled)


def pool(estimates: Floats, variances: Floats, *, complete_degrees: float) -> Pooled:
    """Rubin's rules.

    Args:
        estimates: (imputations, estimates).
        variances: squared standard errors of each, (imputations, estimates).
        complete_degrees: degrees of freedom if nothing were missing; of a Cox model, events less terms.

    Raises:
        NotComputable: fewer than two imputations, or no degrees of freedom.
    """
    imputations = len(estimates)
    if imputations < 2:
        raise NotComputable("fewer than two imputations")
    if complete_degrees <= 0:
        raise NotComputable("no more events than terms")
    within, between = variances.mean(axis=0), estimates.var(axis=0, ddof=1)
    total = within + (1 + 1 / imputations) * between
    share = (1 + 1 / imputations) * between / total
    with np.errstate(divide="ignore"):
        of_imputations = np.where(share > 0, (imputations - 1) / share**2, np.inf)
    observed = (complete_degrees + 1) / (complete_degrees + 3) * complete_degrees * (1 - share)
    degrees = 1 / (1 / of_imputations + 1 / observed)
    increase = (1 + 1 / imputations) * between / within
    return Pooled(
        estimate=estimates.mean(axis=0),
        standard_error=np.sqrt(total),
        degrees=degrees,
        missing_information=(increase + 2 / (degrees + 3)) / (1 + increase),
    )


def pool_fits(fits: Sequence[CoxFit]) -> tuple[tuple[Coefficient, ...], Pooled]:
    """The coefficients of one model fitted to each completed data set; intervals and p values are Student's.

    Raises:
        NotComputable: as `pool`, or the fits have other terms (a level that some imputations lack).
    """
    names = [[coefficient.term.name for coefficient in fit.coefficients] for fit in fits]
    if any(other != names[0] for other in names):
        raise NotComputable("the imputed data sets do not have the same levels")
    pooled = pool(
        np.array([[coefficient.log_hazard_ratio for coefficient in fit.coefficients] for fit in fits]),
        np.array([[coefficient.standard_error**2 for coefficient in fit.coefficients] for fit in fits]),
        complete_degrees=fits[0].events - len(names[0]),
    )
    coefficients = tuple(
        Coefficient(
            term=first.term,
            log_hazard_ratio=float(estimate),
            standard_error=float(error),
            hazard_ratio=float(np.exp(estimate)),
            ci_lower=float(np.exp(estimate - half)),
            ci_upper=float(np.exp(estimate + half)),
            z=float(estimate / error),
            p_value=float(p),
        )
        for first, estimate, error, half, p in zip(
            fits[0].coefficients,
            pooled.estimate,
            pooled.standard_error,
            pooled.half_width,
            pooled.p_value,
            strict=True,
        )
    )
    return coefficients, pooled
