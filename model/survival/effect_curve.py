"""How the hazard ratio moves with a number, with its interval: what a spline's coefficients mean."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from model.survival.cox import CoxFit
from model.survival.errors import FitRefused
from model.survival.intervals import NORMAL_97_5
from model.survival.risk_sets import Floats


@dataclass(frozen=True)
class EffectCurve:
    """Hazard ratio of each value against the reference value, 95 % Wald interval pointwise; all (values,)."""

    reference: float
    values: Floats
    hazard_ratio: Floats
    ci_lower: Floats
    ci_upper: Floats


def effect_curve(fit: CoxFit, covariate: str, values: Floats, reference: float) -> EffectCurve:
    """The hazard ratio along a continuous or spline covariate, all else equal.

    With d the difference of the covariate's columns between a value and the reference: exp(d'b), with variance d'Vd of
    the logarithm. At the reference it is 1, and so is its interval.

    Args:
        fit: a model without interactions of the covariate.
        covariate: its name.
        values: of its column, (values,).
        reference: the value that has hazard ratio 1, for example the median.

    Raises:
        FitRefused: the model has no such covariate, it has levels, or it interacts with another.
    """
    known = {each.name: each for each in fit.design.covariates}
    if covariate not in known:
        raise FitRefused(f"the model has no covariate {covariate}")
    if known[covariate].kind not in ("continuous", "spline"):
        raise FitRefused(f"{covariate} has levels, not a curve")
    if any(covariate in pair for pair in fit.design.interactions):
        raise FitRefused(f"the hazard ratio of {covariate} depends on another covariate")
    of_covariate = [i for i, each in enumerate(fit.coefficients) if each.term.covariate == covariate]
    columns = fit.design.columns_of(covariate, np.append(values, reference))
    difference = columns[:-1] - columns[-1]
    log_ratio = difference @ fit.beta[of_covariate]
    covariance = fit.covariance[np.ix_(of_covariate, of_covariate)]
    # Far from rounding a variance is positive; at the reference it is 0.
    error = np.sqrt(np.maximum(np.einsum("ij,jk,ik->i", difference, covariance, difference), 0.0))
    return EffectCurve(
        reference=reference,
        values=np.asarray(values, dtype=float),
        hazard_ratio=np.exp(log_ratio),
        ci_lower=np.exp(log_ratio - NORMAL_97_5 * error),
        ci_upper=np.exp(log_ratio + NORMAL_97_5 * error),
    )
