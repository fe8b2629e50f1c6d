"""The partial likelihood against its definition, written out death by death, with everything that R's tests mix."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from model.survival.cox import fit_cox
from model.survival.design import Covariate
from model.survival.errors import FitRefused
from model.survival.estimation import by_lifelines, newton
from model.survival.fitted_concordance import fitted_concordance
from model.survival.partial_likelihood import PartialLikelihood
from model.survival.risk_sets import Outcome, RiskSets


def drawn(seed: int = 3, rows: int = 60) -> tuple[np.ndarray, Outcome]:
    """Few distinct times, three strata, weights and late entry."""
    rng = np.random.default_rng(seed)
    entry = rng.integers(0, 5, rows).astype(float)
    outcome = Outcome(
        durations=entry + rng.integers(1, 6, rows),
        events=rng.random(rows) < 0.7,
        strata=np.concatenate([[0, 1, 2], rng.integers(0, 3, rows - 3)]),
        weights=rng.uniform(0.5, 3, rows),
        entry=entry,
    )
    return rng.normal(size=(2, rows)), outcome


def by_definition(beta: np.ndarray, columns: np.ndarray, outcome: Outcome) -> float:
    """Efron's log-likelihood as docs/statistics.md has it."""
    eta = beta @ columns
    theta = outcome.weights * np.exp(eta)
    total = 0.0
    for stratum in np.unique(outcome.strata):
        within = outcome.strata == stratum
        for time in np.unique(outcome.durations[within & outcome.events]):
            dying = within & outcome.events & (outcome.durations == time)
            at_risk = within & (outcome.entry < time) & (outcome.durations >= time)
            deaths, mean_weight = int(dying.sum()), outcome.weights[dying].mean()
            total += float((outcome.weights * eta)[dying].sum())
            for turn in range(deaths):
                total -= mean_weight * math.log(theta[at_risk].sum() - turn / deaths * theta[dying].sum())
    return total


@pytest.mark.parametrize("beta", [(0.0, 0.0), (0.4, -0.7), (2.5, 1.0)])
def test_value_and_derivatives_equal_the_definition(beta):
    columns, outcome = drawn()
    beta = np.array(beta)
    sums = PartialLikelihood(columns, RiskSets(outcome)).at(beta)
    assert sums.log_likelihood == pytest.approx(by_definition(beta, columns, outcome), rel=1e-12)
    step = 1e-5 * np.eye(2)
    slopes = [
        (by_definition(beta + s, columns, outcome) - by_definition(beta - s, columns, outcome)) / 2e-5 for s in step
    ]
    assert sums.score == pytest.approx(slopes, rel=1e-6, abs=1e-6)
    likelihood = PartialLikelihood(columns, RiskSets(outcome))
    bends = [(likelihood.at(beta - s).score - likelihood.at(beta + s).score) / 2e-5 for s in step]
    assert sums.information == pytest.approx(np.array(bends), rel=1e-6, abs=1e-6)
    assert sums.score_residuals() @ sums.risk_sets.weights == pytest.approx(sums.score, abs=1e-10)


def test_lifelines_and_newton_end_at_the_same_maximum():
    columns, outcome = drawn(rows=300)
    from_the_start = Outcome(outcome.durations, outcome.events, outcome.strata, np.ceil(outcome.weights))
    columns = (columns - columns.mean(axis=1, keepdims=True)) / columns.std(axis=1, keepdims=True)
    ours = newton(PartialLikelihood(columns, RiskSets(from_the_start)))
    assert ours.beta == pytest.approx(by_lifelines(columns, from_the_start), rel=1e-9)
    assert ours.score == pytest.approx([0, 0], abs=1e-8)


def test_who_is_never_at_risk_does_not_count():
    """Late to every event of the stratum, or gone before the first: whatever the risk, nothing changes."""
    columns, outcome = drawn()
    last = outcome.durations.max()
    extra = Outcome(
        durations=np.append(outcome.durations, [last + 2, 0.5]),
        events=np.append(outcome.events, [False, False]),
        strata=np.append(outcome.strata, [0, 1]),
        weights=np.append(outcome.weights, [1.0, 1.0]),
        entry=np.append(outcome.entry, [last + 1, 0.0]),
    )
    beta = np.array([0.3, 0.2])
    plain = PartialLikelihood(columns, RiskSets(outcome)).at(beta)
    wide = PartialLikelihood(np.column_stack([columns, [[1e3, 1e3], [1e3, 1e3]]]), RiskSets(extra)).at(beta)
    assert wide.log_likelihood == plain.log_likelihood
    assert wide.information == pytest.approx(plain.information, rel=1e-12)


def test_strata_of_very_different_risk_do_not_round_each_other():
    columns, outcome = drawn()
    shifted = columns.copy()
    shifted[0] += 60.0 * outcome.strata
    beta = np.array([1.0, 0.5])
    plain, moved = (PartialLikelihood(each, RiskSets(outcome)).at(beta) for each in (columns, shifted))
    assert moved.log_likelihood == pytest.approx(plain.log_likelihood, rel=1e-10)
    assert moved.information == pytest.approx(plain.information, rel=1e-8)


def test_concordance_equals_counting_every_pair():
    columns, outcome = drawn(rows=80)
    risk = np.round(columns[0], 1)
    better = pairs = 0.0
    for i in np.flatnonzero(outcome.events):
        time = outcome.durations[i]
        outlived = (outcome.durations > time) | ((outcome.durations == time) & ~outcome.events)
        compared = outlived & (outcome.strata == outcome.strata[i]) & (outcome.entry < time)
        weights = outcome.weights[i] * outcome.weights[compared]
        pairs += weights.sum()
        better += weights @ ((risk[i] > risk[compared]) + 0.5 * (risk[i] == risk[compared]))
    assert fitted_concordance(outcome, risk) == pytest.approx(better / pairs, rel=1e-12)


def frame_of(outcome: Outcome, columns: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "followup_years": outcome.durations,
            "event": outcome.events,
            "site": np.array(["lung", "breast", "skin"])[outcome.strata],
            "weight": outcome.weights,
            "entry": outcome.entry,
            "x": columns[0],
            "y": columns[1],
        }
    )


X, Y = Covariate("x", "x", "continuous"), Covariate("y", "y", "continuous")


@pytest.mark.parametrize(
    ("change", "options", "reason"),
    [
        ({"entry": 9.0}, {"entry": "entry"}, "entry is missing, or not before the end"),
        ({"weight": 0.0}, {"weights": "weight"}, "weight is missing, infinite or not positive"),
        ({"site": None}, {"strata": ("site",)}, "stratum site is missing"),
        ({"site": None}, {"cluster": "site"}, "cluster site is missing"),
        ({}, {"cluster": "one"}, "1 clusters for 2 terms"),
        (
            {},
            {"strata": ("site",), "covariates": (X, Covariate("b", "code", "continuous"))},
            "b is the same .* stratum",
        ),
    ],
)
def test_refused_with_a_reason(change, options, reason):
    columns, outcome = drawn(rows=200)
    frame = frame_of(outcome, columns).assign(one=1, code=outcome.strata)
    for column, value in change.items():
        frame[column] = frame[column].where(frame.index != 5, value)
    covariates = options.pop("covariates", (X, Y)) if "covariates" in options else (X, Y)
    with pytest.raises(FitRefused, match=reason):
        fit_cox(frame, covariates, **options)


def test_each_person_is_predicted_by_the_baseline_of_the_own_stratum():
    columns, outcome = drawn(rows=300)
    frame = frame_of(outcome, columns)
    fit = fit_cox(frame, (X, Y), strata=("site",))
    assert [baseline.stratum for baseline in fit.baselines] == [("breast",), ("lung",), ("skin",)]
    predicted = fit.survival(frame, 4.0)
    for baseline in fit.baselines:
        within = (frame["site"] == baseline.stratum[0]).to_numpy()
        hazard = baseline.cumulative_hazard(4.0) * np.exp(fit.log_risk(frame[within]))
        assert predicted[within] == pytest.approx(np.exp(-hazard), rel=1e-12)
    with pytest.raises(FitRefused, match="stratum site=bone"):
        fit.survival(frame.assign(site="bone"), 4.0)
    with pytest.raises(ValueError, match="baseline for each stratum"):
        _ = fit.baseline_hazard
    assert fit_cox(frame, (X, Y), cluster="site").warnings == ("only 3 clusters: robust standard errors are too small",)


def test_people_of_weight_two_are_two_people():
    columns, outcome = drawn(rows=150)
    frame = frame_of(outcome, columns).assign(twice=lambda f: 1 + f.index % 2)
    # Continuous times: under ties Efron's approximation takes two of weight 1 for other than one of weight 2.
    frame["followup_years"] += np.linspace(0, 0.5, len(frame))
    weighted = fit_cox(frame, (X, Y), weights="twice")
    repeated = fit_cox(frame.loc[frame.index.repeat(frame["twice"])], (X, Y))
    assert not weighted.robust
    assert weighted.beta == pytest.approx(repeated.beta, abs=0.2 * weighted.coefficients[0].standard_error)
    assert weighted.concordance == pytest.approx(repeated.concordance, abs=0.01)
