"""Whether a Cox model may be believed: proportional hazards, events for each term, influence of single persons."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from jobs.risk.findings import ALL, Diagnostic
from jobs.risk.models import ModelResult
from model.survival.cox import CoxFit
from model.survival.errors import FitRefused
from model.survival.influence import largest_influence
from model.survival.proportional_hazards import ScoreTest, proportional_hazards

INFLUENTIAL = 2.0
"""A row counts as influential where it moves a coefficient by more than this over the square root of the rows, in
standard errors (Belsley, Kuh and Welsch 1980)."""


def diagnostics(models: Mapping[str, ModelResult]) -> list[Diagnostic]:
    """The diagnostics of every Cox model that was fitted."""
    return [
        diagnostic for name, result in models.items() if result.cox is not None for diagnostic in _of(name, result.cox)
    ]


def _of(name: str, fit: CoxFit) -> Iterator[Diagnostic]:
    try:
        for diagnostic, term, test in hazard_tests(fit):
            yield Diagnostic(name, diagnostic, term, test.chi_squared, test.degrees, test.p_value)
    except FitRefused as reason:
        yield not_tested(name, str(reason))
    yield from other_checks(name, fit)


NOT_FOR_ROBUST = "proportional hazards are not tested with clusters or weights: their test has no robust variance"
"""Where it says 5 % it would reject 24 % with two rows a person, and 40 % with weights that vary tenfold."""


def not_tested(name: str, reason: str) -> Diagnostic:
    """In place of the tests of proportional hazards of a model."""
    return Diagnostic(name, "proportional_hazards", ALL, note=reason)


def hazard_tests(fit: CoxFit) -> Iterator[tuple[str, str, ScoreTest]]:
    """Tests of proportional hazards of each term, of each covariate that has several, and of the whole model.

    Raises:
        FitRefused: as `proportional_hazards`; or the variance is robust.
    """
    if fit.robust:
        raise FitRefused(NOT_FOR_ROBUST)
    tests = proportional_hazards(fit)
    of_covariates = [coefficient.term.covariate for coefficient in fit.coefficients]
    several = {covariate for covariate in of_covariates if of_covariates.count(covariate) > 1}
    yield from (("proportional_hazards", term, test) for term, test in tests.by_term.items())
    for covariate, test in tests.by_covariate.items():
        if covariate in several:
            yield "proportional_hazards_covariate", covariate, test
    yield "proportional_hazards", ALL, tests.overall


def other_checks(name: str, fit: CoxFit) -> Iterator[Diagnostic]:
    """Events for each term, and the influence of single rows."""
    yield Diagnostic(name, "events_per_term", ALL, value=fit.events / len(fit.coefficients))
    yield from _influence(name, fit)


def _influence(name: str, fit: CoxFit) -> Iterator[Diagnostic]:
    limit = INFLUENTIAL / np.sqrt(fit.rows)
    found = largest_influence(fit, limit)
    for term, moved, many in zip(found.terms, found.dfbetas, found.beyond, strict=True):
        note = f"{many} of {fit.rows} move it by more than {limit:.2f} standard errors"
        yield Diagnostic(name, "largest_dfbetas", term, value=float(moved), note=note)
    yield Diagnostic(name, "largest_likelihood_displacement", ALL, value=found.likelihood_displacement)
