"""Each estimator the risk tables print, in a world where the number it estimates is known."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache

import numpy as np
import pandas as pd

from model.survival.adjusted_curves import adjusted_curves
from model.survival.bootstrap import Resampling
from model.survival.calibration import calibration_in_the_large, calibration_slope
from model.survival.coefficients import Coefficient
from model.survival.competing import cumulative_incidence
from model.survival.concordance import harrells_c
from model.survival.covariates import Covariate
from model.survival.cox import CoxFit, fit_cox
from model.survival.cross_fitting import survival_column
from model.survival.delta_concordance import delta_concordance
from model.survival.fine_gray import fit_fine_gray
from model.survival.imputation import Imputed, impute
from model.survival.interactions import linear_combination
from model.survival.kaplan_meier import survival_at
from model.survival.optimism import optimism
from model.survival.pooled_predictions import pooled_predictions
from model.survival.pooling import pool_fits
from model.survival.predicted_survival import SurvivalPredictor
from model.survival.simulation import worlds
from model.survival.simulation.study import Estimated

MODEL = (worlds.SCORE, worlds.TREATED)


def cox_models(rng: np.random.Generator) -> Iterator[Estimated]:
    """Log hazard ratios under each way a model can be fitted, and the survival it predicts."""
    frame = worlds.population(rng)
    fit = fit_cox(frame, MODEL, quick=True)
    yield from _coefficients("Cox", fit)
    yield from _coefficients("Cox, follow-up in months (ties)", fit_cox(worlds.in_days(frame, 30.4), MODEL, quick=True))
    late = worlds.entering_late(rng, frame)
    yield from _coefficients("Cox, late entry", fit_cox(late, MODEL, entry="entry_years", quick=True))
    by_site = worlds.with_baselines_by_site(rng)
    yield from _coefficients("Cox, stratified", fit_cox(by_site, MODEL, strata=("site",), quick=True))
    yield from _coefficients(
        "Cox, two rows a person, robust", fit_cox(worlds.photographed_twice(rng), MODEL, cluster="person", quick=True)
    )
    yield _predicted("Predicted survival of a person, 1 year", _prediction(fit))
    by_group = fit_cox(frame, MODEL, interactions=(("score", "treated"),), quick=True)
    both = {"score": 1.0, "score:treated=yes": 1.0}
    of_treated = linear_combination(by_group, both, by_group.coefficients[0].term)
    for coefficient in (by_group.coefficients[0], of_treated):
        yield _of("Cox, score in a subgroup (interaction)", coefficient, worlds.TRUTH["score"])


def curves(rng: np.random.Generator) -> Iterator[Estimated]:
    """Kaplan-Meier, with late entry too, and cumulative incidence."""
    frame = worlds.population(rng)
    truth = _marginal_survival()
    durations, events = frame["followup_years"].to_numpy(), frame["event"].to_numpy()
    found = survival_at(durations, events, worlds.HORIZON)
    yield Estimated("Kaplan-Meier, 1 year", truth, found.survival, found.ci_lower, found.ci_upper)
    late = worlds.entering_late(rng, frame)
    found = survival_at(
        late["followup_years"].to_numpy(),
        late["event"].to_numpy(),
        worlds.HORIZON,
        entry=late["entry_years"].to_numpy(),
    )
    yield Estimated("Kaplan-Meier, late entry, 1 year", truth, found.survival, found.ci_lower, found.ci_upper)

    both = worlds.competing(rng)
    curve = cumulative_incidence(both["followup_years"].to_numpy(), both["kind"].to_numpy(), 1)
    row = curve[curve["time_years"] <= worlds.HORIZON].iloc[-1]
    yield Estimated(
        "Cumulative incidence, 1 year", _marginal_incidence(), row["incidence"], row["ci_lower"], row["ci_upper"]
    )
    fit = fit_fine_gray(both, (worlds.SCORE, worlds.NOISE), kind="kind", of_interest=1)
    yield _of("Fine-Gray: score", fit.coefficients[0], 0.5)
    average = pd.DataFrame({"score": [0.0], "noise": [0.0]})
    yield Estimated(
        "Fine-Gray: predicted incidence, 1 year",
        float(worlds.incidence_of_first(np.zeros(1), worlds.HORIZON)[0]),
        float(fit.cumulative_incidence(average, worlds.HORIZON)[0]),
    )


def performance(rng: np.random.Generator) -> Iterator[Estimated]:
    """Measures of predictions that are the truth, or lack a covariate."""
    frame = worlds.population(rng)
    durations, events = frame["followup_years"].to_numpy(), frame["event"].to_numpy()
    log_risk = frame["log_risk"].to_numpy()
    predicted = worlds.survival_of(log_risk)
    slope = calibration_slope(durations, events, predicted)
    yield Estimated("Calibration slope", 1.0, slope.slope, slope.ci_lower, slope.ci_upper)
    large = calibration_in_the_large(durations, events, predicted, worlds.HORIZON)
    yield Estimated("Calibration in the large (observed / predicted)", 1.0, large.ratio, large.ci_lower, large.ci_upper)
    score_only = worlds.TRUTH["score"] * frame["score"].to_numpy()
    gain = delta_concordance(durations, events, log_risk, score_only, resampling=Resampling(200, seed=_seed(rng)))
    yield Estimated("Harrell's C", _concordance()[0], gain.larger)
    yield Estimated("Gain in Harrell's C", _concordance()[1], gain.gain, gain.ci_lower, gain.ci_upper)


def adjusted(rng: np.random.Generator) -> Iterator[Estimated]:
    """Adjusted curves where the treated are those who would die sooner anyway."""
    frame = worlds.population(rng, 250, confounded=True)
    resampling = Resampling(50, seed=_seed(rng))
    found = adjusted_curves(frame, MODEL, "treated", (worlds.HORIZON,), resampling=resampling)
    for _, row in found.iterrows():
        effect = worlds.TRUTH["treated=yes"] if row.level == "yes" else 0.0
        numbers = (float(row.survival), float(row.ci_lower), float(row.ci_upper))
        yield Estimated("Adjusted survival by level, 1 year", _standardised(effect), *numbers)


def imputed(rng: np.random.Generator) -> Iterator[Estimated]:
    """The score missing of a third of the persons, more often of those who died."""
    holed = worlds.with_gaps(rng, worlds.population(rng))
    columns = (Imputed("score", "number"), Imputed("treated", "level"))
    frames = impute(holed, columns, repeats=5, cycles=3, seed=_seed(rng))
    fits = [fit_cox(each, MODEL, quick=True) for each in frames]
    coefficients, _ = pool_fits(fits)
    for coefficient in coefficients:
        name = coefficient.term.name
        yield _of(f"Cox, multiple imputation: {name}", coefficient, worlds.TRUTH[name])
    pooled = pooled_predictions([_prediction(fit) for fit in fits], horizons_years=(worlds.HORIZON,))
    yield _predicted("Predicted survival of a person, 1 year, multiple imputation", pooled)
    for coefficient in fit_cox(holed.dropna(), MODEL, quick=True).coefficients:
        name = coefficient.term.name
        yield _of(f"Cox, complete cases of the same: {name}", coefficient, worlds.TRUTH[name])


def corrected(rng: np.random.Generator) -> Iterator[Estimated]:
    """A model with five useless covariates: its true concordance is that among other persons."""
    frame = worlds.population(rng, 120)
    useless = tuple(Covariate(f"noise{k}", f"noise{k}", "continuous") for k in range(5))
    frame = frame.assign(**{each.column: rng.normal(size=len(frame)) for each in useless})
    others = worlds.population(rng, 5_000)
    others = others.assign(**{each.column: rng.normal(size=len(others)) for each in useless})
    covariates = (*MODEL, *useless)
    truth = harrells_c(
        others["followup_years"].to_numpy(),
        others["event"].to_numpy(),
        fit_cox(frame, covariates, quick=True).log_risk(others),
    ).c_index
    found = optimism(frame, covariates, resampling=Resampling(50, seed=_seed(rng)))
    yield Estimated("Harrell's C, apparent", truth, found.apparent_c)
    yield Estimated("Harrell's C, corrected for optimism", truth, found.corrected_c)


def _prediction(fit: CoxFit) -> pd.DataFrame:
    """What a fit says of a person who is not treated, with a score of 1; in the columns of cross-fitted predictions."""
    person = fit.described(pd.DataFrame({"score": [1.0], "treated": ["no"]}))
    predictor, name = SurvivalPredictor(fit), survival_column(worlds.HORIZON)
    found = predictor.at(person, worlds.HORIZON)
    return pd.DataFrame(
        {
            "log_risk": person.centred @ fit.beta,
            "log_risk_standard_error": predictor.log_risk_error(person),
            "ranked_by": person.centred @ fit.beta,
            name: found.survival,
            f"{name}_lower": found.lower,
            f"{name}_upper": found.upper,
        }
    )


def _predicted(what: str, table: pd.DataFrame) -> Estimated:
    """The survival of `_prediction`, beside the true one."""
    truth, name = worlds.survival_of(np.array([worlds.TRUTH["score"]])), survival_column(worlds.HORIZON)
    survival, lower, upper = (float(table[f"{name}{end}"].iloc[0]) for end in ("", "_lower", "_upper"))
    return Estimated(what, float(truth[0]), survival, lower, upper)


def _coefficients(what: str, fit: CoxFit) -> Iterator[Estimated]:
    for coefficient in fit.coefficients:
        name = coefficient.term.name
        yield _of(f"{what}: {name}", coefficient, worlds.TRUTH[name])


def _of(name: str, coefficient: Coefficient, truth: float) -> Estimated:
    return Estimated(
        name,
        truth,
        coefficient.log_hazard_ratio,
        math.log(coefficient.ci_lower),
        math.log(coefficient.ci_upper),
        coefficient.p_value,
    )


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(2**31))


@cache
def _large() -> pd.DataFrame:
    return worlds.population(np.random.default_rng(0), 400_000)


@cache
def _marginal_survival() -> float:
    return float(worlds.survival_of(_large()["log_risk"].to_numpy()).mean())


@cache
def _marginal_incidence() -> float:
    return float(worlds.incidence_of_first(_large()["score"].to_numpy(), worlds.HORIZON).mean())


@cache
def _standardised(effect: float) -> float:
    return float(worlds.survival_of(worlds.TRUTH["score"] * _large()["score"].to_numpy() + effect).mean())


@cache
def _concordance() -> tuple[float, float]:
    """Harrell's C of the truth, and what it gains on the score alone, under the world's censoring."""
    frame = _large()
    found = delta_concordance(
        frame["followup_years"].to_numpy(),
        frame["event"].to_numpy(),
        frame["log_risk"].to_numpy(),
        frame["score"].to_numpy(),
        resampling=Resampling(0),
    )
    return found.larger, found.gain
