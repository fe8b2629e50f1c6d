"""Does an exposure's hazard ratio differ between subgroups? One model with an interaction, not one model a subgroup."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from model.survival.coefficients import Coefficient, wald_coefficient
from model.survival.cox import CoxFit
from model.survival.design import Covariate, Design, Term
from model.survival.errors import FitRefused
from model.survival.fit_columns import FitColumns
from model.survival.nested import LikelihoodRatio, WaldTest, likelihood_ratio, wald


@dataclass(frozen=True)
class SubgroupEffect:
    """The exposure's hazard ratios within one level of the group.

    Attributes:
        level: of the group.
        rows, events: with that level.
        coefficients: one for each term of the exposure, with the error of a sum of two coefficients.
    """

    level: str
    rows: int
    events: int
    coefficients: tuple[Coefficient, ...]


@dataclass(frozen=True)
class InteractionTest:
    """An exposure by group.

    Attributes:
        effects: by level of the group, reference first, then in the order of the declaration.
        wald: joint test that the exposure's effect is the same in all levels; robust where the fit is.
        likelihood_ratio: the same by likelihood; None where the variance is robust, and there is none.
        fit: the model with the interaction.
        without: the model with both main effects only.
        products: names of the terms tested.
    """

    effects: tuple[SubgroupEffect, ...]
    wald: WaldTest
    likelihood_ratio: LikelihoodRatio | None
    fit: CoxFit
    without: CoxFit
    products: tuple[str, ...]


def interaction(
    frame: pd.DataFrame,
    covariates: tuple[Covariate, ...],
    exposure: str,
    group: Covariate,
    *,
    duration: str = "followup_years",
    event: str = "event",
    entry: str | None = None,
    strata: tuple[str, ...] = (),
    weights: str | None = None,
    cluster: str | None = None,
    without: CoxFit | None = None,
    near: Mapping[str, float] | None = None,
) -> InteractionTest:
    """Fit a model with and without the product of an exposure and a group.

    Args:
        frame: as `fit_cox` takes it.
        covariates: of the model, the exposure among them.
        exposure: name of one of `covariates`.
        group: whose levels are the subgroups: categorical, quartile or cut. Where the model has no covariate of that
            name, its main effect is added.
        duration, event, entry, strata, weights, cluster: as for `fit_cox`.
        without: the model without the product, where another exposure's test has fitted it.
        near: `estimates` of the model without group and product, if it is known.

    Raises:
        FitRefused: the group has no levels, is the exposure itself, or one of the two models was refused, for example
            because nobody in a level had the event.
    """
    if group.kind in ("continuous", "spline"):
        raise FitRefused(f"{group.name} has no levels: cut it")
    if exposure == group.name:
        raise FitRefused(f"{exposure} cannot interact with itself")
    if exposure not in {covariate.name for covariate in covariates}:
        raise FitRefused(f"the model has no covariate {exposure}")
    others = tuple(covariate for covariate in covariates if covariate.name != group.name)
    both = (*others, group)

    columns = FitColumns(duration, event, entry, strata, cluster, weights)
    without = columns.fit(frame, both, near=near) if without is None else without
    fit = replace(columns, interactions=((exposure, group.name),)).fit(frame, both, near=without.estimates)
    products = tuple(c.term.name for c in fit.coefficients if c.term.covariate == f"{exposure}:{group.name}")
    return InteractionTest(
        effects=_effects(frame, fit, exposure, group, event),
        wald=wald(fit, products),
        likelihood_ratio=None if fit.robust else likelihood_ratio(without, fit),
        fit=fit,
        without=without,
        products=products,
    )


def linear_combination(fit: CoxFit, weights: dict[str, float], term: Term) -> Coefficient:
    """A weighted sum of coefficients, with its standard error from their covariance.

    Args:
        fit: the model.
        weights: by name of term; the others count 0.
        term: what the sum is called.

    Raises:
        FitRefused: the model has no such term, or the sum has no variance.
    """
    names = [coefficient.term.name for coefficient in fit.coefficients]
    unknown = sorted(set(weights) - set(names))
    if unknown:
        raise FitRefused(f"the model has no term {unknown[0]}")
    vector = np.array([weights.get(name, 0.0) for name in names])
    variance = float(vector @ fit.covariance @ vector)
    if not variance > 0:
        raise FitRefused(f"{term.name} has no variance")
    return wald_coefficient(term, float(vector @ fit.beta), float(np.sqrt(variance)))


def _effects(
    frame: pd.DataFrame, fit: CoxFit, exposure: str, group: Covariate, event: str
) -> tuple[SubgroupEffect, ...]:
    main = [c.term for c in fit.coefficients if c.term.covariate == exposure]
    of_group = [c.term for c in fit.coefficients if c.term.covariate == group.name]
    members = Design(frame, (group,)).matrix(frame) == 1
    died = frame[event].to_numpy(dtype=bool)
    levels: list[tuple[str, Term | None, np.ndarray]] = [(str(of_group[0].reference_level), None, ~members.any(axis=1))]
    levels += [(str(term.level), term, members[:, index]) for index, term in enumerate(of_group)]
    return tuple(
        SubgroupEffect(
            level=level,
            rows=int(within.sum()),
            events=int(died[within].sum()),
            coefficients=tuple(
                linear_combination(
                    fit,
                    {term.name: 1.0} if product is None else {term.name: 1.0, f"{term.name}:{product.name}": 1.0},
                    term,
                )
                for term in main
            ),
        )
        for level, product, within in levels
    )
