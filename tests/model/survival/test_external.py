"""A frozen model travels as text, predicts the same, learns nothing, and is judged for what it is."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from model.errors import NotComputable
from model.survival.concordance import dynamic_auc, harrells_c, unos_c
from model.survival.cox import fit_cox
from model.survival.design import Covariate
from model.survival.errors import FitRefused
from model.survival.external import recalibrate, validate_externally
from model.survival.fit_columns import FitColumns
from model.survival.frozen import FrozenModel, freeze

COVARIATES = (
    Covariate("age", "age", "continuous", per=10, unit="years"),
    Covariate("age_band", "age", "cut", cuts=(50.0, 70.0)),
    Covariate("stage", "stage", "categorical", levels=("I", "II", "III"), reference="I"),
    Covariate("score", "score", "spline", per=None, knots=4),
    Covariate("score_quartile", "marker", "quartile"),
)
HORIZONS = (1.0, 2.0)


def people(persons: int = 600, *, rate: float = 0.3, effect: float = 1.0, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    age, score, marker = rng.normal(60, 10, persons), rng.normal(size=persons), rng.normal(size=persons)
    stage = rng.choice(["I", "II", "III"], persons)
    log_risk = 0.03 * (age - 60) + 0.5 * score + 0.4 * (stage == "II") + 0.9 * (stage == "III")
    death, censoring = rng.exponential(1 / (rate * np.exp(effect * log_risk))), rng.uniform(0.5, 4, persons)
    return pd.DataFrame(
        {
            "followup_years": np.minimum(death, censoring),
            "event": death <= censoring,
            "age": age,
            "score": score,
            "marker": marker,
            "stage": stage,
            "site": rng.choice(["lung", "breast"], persons),
        }
    )


@pytest.fixture(scope="module")
def frozen() -> FrozenModel:
    return freeze(fit_cox(people(), COVARIATES), HORIZONS)


def test_it_predicts_as_the_fit_does_after_a_journey_as_text():
    fit = fit_cox(people(), COVARIATES, strata=("site",), interactions=(("age", "stage"),))
    there = FrozenModel.from_json(freeze(fit, HORIZONS).to_json())
    others = people(seed=2)
    assert (there.log_risk(others) == fit.log_risk(others)).all()
    for horizon in HORIZONS:
        assert (there.survival(others, horizon) == fit.survival(others, horizon)).all()
    assert FrozenModel.from_json(there.to_json()).to_json() == there.to_json()
    assert (there.persons, there.events) == (600, fit.events)


def test_no_persons_dates_leave_with_it(frozen):
    text = frozen.to_json()
    numbers = {round(number, 9) for number in _numbers(json.loads(text))}
    times = people()["followup_years"]
    assert not numbers & {round(time, 9) for time in times}
    assert len(text) < 10_000


def _numbers(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [number for each in value for number in _numbers(each)]
    return [value] if isinstance(value, float) else []


def test_other_persons_of_the_same_kind(frozen):
    others = people(3000, seed=3)
    found = validate_externally(frozen, others)
    durations, events, log_risk = (
        others["followup_years"].to_numpy(),
        others["event"].to_numpy(),
        frozen.log_risk(others),
    )
    assert found.harrells_c == pytest.approx(harrells_c(durations, events, log_risk).c_index)
    assert found.notes == ()
    assert found.slope.slope == pytest.approx(0.9, abs=0.15), "a little too extreme, as any fitted model"
    assert (found.persons, found.events) == (3000, events.sum())
    for at in found.horizons:
        assert at.in_the_large.ratio == pytest.approx(1, abs=0.15)
        assert at.auc == dynamic_auc(durations, events, log_risk, at.horizon_years)
        assert at.unos_c == unos_c(durations, events, log_risk, tau=at.horizon_years)
        assert len(at.groups) == 10
        assert at.curve.ici < 0.06


def test_where_people_die_twice_as_fast_only_the_baseline_is_wrong(frozen):
    others = people(3000, rate=0.6, seed=4)
    found = validate_externally(frozen, others)
    assert found.horizons[0].in_the_large.ci_lower > 1.3
    ratio = found.recalibrated.hazard / frozen.hazard
    assert ratio == pytest.approx(2.0, rel=0.25)
    assert (found.recalibrated.beta == frozen.beta).all()
    before, after = (
        np.mean([abs(group.predicted - group.observed) for group in groups])
        for groups in (found.horizons[0].groups, found.horizons[0].recalibrated_groups)
    )
    assert after < before / 3


def test_effects_half_as_strong_show_in_the_slope(frozen):
    found = validate_externally(frozen, people(3000, effect=0.5, seed=5))
    assert found.slope.slope == pytest.approx(0.5, abs=0.1)
    assert found.slope.p_value < 1e-6


def test_nothing_is_learnt_from_those_it_is_judged_on(frozen):
    """The cut points and scales stay: a person's log-risk does not depend on who else is there."""
    others = people(200, seed=6)
    shifted = pd.concat([others.head(100), others.tail(100).assign(score=50.0, age=95.0)], ignore_index=True)
    assert (frozen.log_risk(others)[:100] == frozen.log_risk(shifted)[:100]).all()


def test_late_entry_is_counted(frozen):
    others = people(3000, seed=7).assign(entry_years=np.random.default_rng(8).uniform(0, 0.5, 3000))
    others = others[others["entry_years"] < others["followup_years"]]
    found = validate_externally(frozen, others, columns=FitColumns(entry="entry_years"))
    assert found.horizons[0].auc is None
    assert "auc at 1 years: not made for late entry" in found.notes
    assert found.recalibrated.hazard == pytest.approx(frozen.hazard, rel=0.2)


def test_what_others_do_not_determine_is_none_with_the_reason(frozen):
    short = people(300, seed=9)
    short["event"] &= short["followup_years"] < 1.5
    short["followup_years"] = short["followup_years"].clip(upper=1.5)
    found = validate_externally(frozen, short)
    assert found.recalibrated.horizons_years == (1.0,)
    assert found.horizons[1].in_the_large is None and found.horizons[1].recalibrated_groups is None
    assert any(note.startswith("in_the_large at 2 years: nobody was followed") for note in found.notes)
    with pytest.raises(FitRefused, match="stage=IV"):
        validate_externally(frozen, short.assign(stage="IV"))
    with pytest.raises(FitRefused, match="predicts for 1, 2 years, not for 3"):
        frozen.survival(short, 3.0)
    with pytest.raises(NotComputable, match="nobody was followed"):
        recalibrate(frozen, short.assign(followup_years=0.1))
    with pytest.raises(FitRefused, match="nobody was followed for 9"):
        freeze(fit_cox(people(), COVARIATES), (1.0, 9.0))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda plain: plain.update(format="something else"),
        lambda plain: plain.pop("centre"),
        lambda plain: plain["log_hazard_ratios"].pop(),
        lambda plain: plain["terms"].reverse(),
        lambda plain: plain["learnt"][0].update(covariate={"name": "age"}),
        lambda plain: plain.update(cumulative_baseline_hazard=[[0.1]]),
        lambda plain: plain.update(learnt="no"),
    ],
)
def test_a_text_that_is_no_model_is_refused(frozen, spoil):
    plain = json.loads(frozen.to_json())
    spoil(plain)
    with pytest.raises(FitRefused, match="not a frozen Cox model"):
        FrozenModel.from_json(json.dumps(plain))
    with pytest.raises(FitRefused, match="not a frozen Cox model"):
        FrozenModel.from_json("{")
