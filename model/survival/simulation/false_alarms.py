"""Each test the risk tables print, where what it looks for is not there: it should cry out in 5 % of the draws."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from model.survival.calibration import calibration_slope
from model.survival.competing import gray_test
from model.survival.covariates import Covariate
from model.survival.cox import fit_cox
from model.survival.fine_gray import fit_fine_gray
from model.survival.imputation import Imputed, impute
from model.survival.multiplicity import holm
from model.survival.nested import likelihood_ratio, wald
from model.survival.pooled_tests import Estimate, pooled_estimates, pooled_wald
from model.survival.pooling import pool_fits
from model.survival.proportional_hazards import proportional_hazards
from model.survival.simulation import worlds
from model.survival.simulation.study import PValue

SMALLER = (worlds.SCORE, worlds.TREATED)
LARGER = (*SMALLER, worlds.GROUP, worlds.NOISE)
GROUP_TERMS = ("group=b", "group=c")
SPLINE = Covariate("score", "score", "spline", knots=4)


def of_cox_models(rng: np.random.Generator) -> Iterator[PValue]:
    """Tests of coefficients, of nested models, of proportional hazards, of interactions and of straight lines."""
    frame = worlds.population(rng)
    smaller, larger = fit_cox(frame, SMALLER, quick=True), fit_cox(frame, LARGER, quick=True)
    terms = {coefficient.term.name: coefficient for coefficient in larger.coefficients}
    yield PValue("Wald test of a coefficient", terms["noise"].p_value)
    yield PValue("Likelihood-ratio test of nested models (3 terms)", likelihood_ratio(smaller, larger).p_value)
    yield PValue("Wald test of several terms (2)", wald(larger, GROUP_TERMS).p_value)
    hazards = proportional_hazards(larger)
    yield PValue("Proportional hazards, a term", hazards.by_term["score"].p_value)
    yield PValue("Proportional hazards, global (5 terms)", hazards.overall.p_value)
    both = fit_cox(frame, LARGER, interactions=(("score", "group"),), quick=True)
    products = tuple(f"score:{term}" for term in GROUP_TERMS)
    yield PValue("Interaction, Wald (2 terms)", wald(both, products).p_value)
    yield PValue("Interaction, likelihood ratio (2 terms)", likelihood_ratio(larger, both).p_value)
    curved = fit_cox(frame, (SPLINE, worlds.TREATED), quick=True)
    yield PValue("Non-linearity of a spline, Wald (2 terms)", wald(curved, ("score'", "score''")).p_value)
    yield PValue("Non-linearity of a spline, likelihood ratio", likelihood_ratio(smaller, curved).p_value)
    yield PValue(
        "Calibration slope is 1",
        calibration_slope(
            frame["followup_years"].to_numpy(),
            frame["event"].to_numpy(),
            worlds.survival_of(frame["log_risk"].to_numpy()),
        ).p_value,
    )
    family = holm([terms["noise"].p_value, terms["group=b"].p_value, hazards.by_term["score"].p_value])
    yield PValue("Holm: any of three true hypotheses rejected", float(family.min()))


def of_other_fits(rng: np.random.Generator) -> Iterator[PValue]:
    """The same under ties, strata, late entry and clusters."""
    frame = worlds.population(rng)
    model = (*SMALLER, worlds.NOISE)
    late = worlds.entering_late(rng, frame)
    by_site = worlds.with_baselines_by_site(rng)
    twice = worlds.photographed_twice(rng)
    fits = {
        "ties": fit_cox(worlds.in_days(frame, 30.4), model, quick=True),
        "late entry": fit_cox(late, model, entry="entry_years", quick=True),
        "strata": fit_cox(by_site, model, strata=("site",), quick=True),
        "robust, two rows a person": fit_cox(twice, model, cluster="person", quick=True),
        "two rows a person taken for two persons (not printed)": fit_cox(twice, model, quick=True),
    }
    for what, fit in fits.items():
        yield PValue(f"Wald test of a coefficient, {what}", fit.coefficients[-1].p_value)
    for what in ("ties", "late entry", "strata"):
        yield PValue(f"Proportional hazards, global, {what}", proportional_hazards(fits[what]).overall.p_value)


def of_competing_events(rng: np.random.Generator) -> Iterator[PValue]:
    """Gray's test and the Fine-Gray model."""
    frame = worlds.competing(rng)
    durations, kinds, group = (frame[column].to_numpy() for column in ("followup_years", "kind", "group"))
    yield PValue("Gray's test, three groups", gray_test(durations, kinds, 1, group).p_value)
    stratified = gray_test(durations, kinds, 1, group, strata=frame["site"].to_numpy())
    yield PValue("Gray's test, stratified", stratified.p_value)
    fit = fit_fine_gray(frame, (worlds.SCORE, worlds.NOISE), kind="kind", of_interest=1)
    yield PValue("Fine-Gray: Wald test of a coefficient", fit.coefficients[-1].p_value)


def of_imputed_data(rng: np.random.Generator) -> Iterator[PValue]:
    """A covariate without effect, a third of whose values are missing."""
    frame = worlds.population(rng)
    holed = frame.assign(noise=worlds.with_gaps(rng, frame.assign(score=frame["noise"]))["score"])
    numbers, levels = ("score", "noise"), ("treated", "group")
    columns = (*(Imputed(name, "number") for name in numbers), *(Imputed(name, "level") for name in levels))
    frames = impute(holed, columns, repeats=5, cycles=2, seed=int(rng.integers(2**31)))
    fits = [fit_cox(each, LARGER, quick=True) for each in frames]
    coefficients, _ = pool_fits(fits)
    yield PValue("Wald test after multiple imputation (Barnard-Rubin)", coefficients[-1].p_value)
    added = pooled_wald(fits, ("noise", *GROUP_TERMS))
    yield PValue("Wald test of several terms after multiple imputation, D1 (3)", added.p_value)
    hazards = [proportional_hazards(fit) for fit in fits]
    tests = {
        "a term": [each.by_term["noise"] for each in hazards],
        "global (5 terms)": [each.overall for each in hazards],
    }
    for what, of_each in tests.items():
        pooled = pooled_estimates([Estimate((what,), test.change, test.covariance) for test in of_each])
        yield PValue(f"Proportional hazards after multiple imputation, {what}", pooled.p_value)
    both = [fit_cox(each, LARGER, interactions=(("noise", "group"),), quick=True) for each in frames]
    products = pooled_wald(both, [f"noise:{term}" for term in GROUP_TERMS])
    yield PValue("Interaction after multiple imputation (2 terms)", products.p_value)
