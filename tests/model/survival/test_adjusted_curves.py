"""Adjusted curves: the g-formula by hand, and a confounded world whose true curves are known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from model.errors import NotComputable
from model.survival.adjusted_curves import adjusted_curves
from model.survival.bootstrap import Resampling
from model.survival.cox import fit_cox
from model.survival.design import Covariate
from model.survival.errors import FitRefused
from model.survival.fit_columns import FitColumns
from model.survival.kaplan_meier import survival_at

STAGE = Covariate("stage", "stage", "categorical", levels=("I", "II", "III"), reference="I")
AGE = Covariate("age", "age", "continuous", per=10, unit="years")
TIMES = (0.5, 1.0, 2.0)
EFFECT = {"I": 0.0, "II": 0.6, "III": 1.1}
NO_INTERVALS = Resampling(0)


def people(persons: int = 800, seed: int = 1) -> pd.DataFrame:
    """The old have late stages more often, and die sooner at any stage."""
    rng = np.random.default_rng(seed)
    age = rng.normal(60, 10, persons)
    stage = np.array(["I", "II", "III"])[np.clip((rng.normal(0, 1, persons) + (age - 60) / 10 + 1.5).astype(int), 0, 2)]
    rate = 0.3 * np.exp(0.05 * (age - 60) + np.vectorize(EFFECT.get)(stage))
    death, censoring = rng.exponential(1 / rate), rng.uniform(0.5, 5, persons)
    return pd.DataFrame(
        {
            "followup_years": np.minimum(death, censoring),
            "event": death <= censoring,
            "age": age,
            "stage": stage,
            "site": rng.choice(["lung", "breast"], persons),
            "score": rng.normal(size=persons) + age / 10,
        }
    )


def test_it_is_the_mean_prediction_with_the_level_set():
    frame = people(300)
    found = adjusted_curves(frame, (STAGE, AGE), "stage", TIMES, resampling=NO_INTERVALS)
    fit = fit_cox(frame, (STAGE, AGE))
    assert found["level"].unique().tolist() == ["I", "II", "III"]
    for row in found.itertuples():
        expected = fit.survival(frame.assign(stage=row.level), row.time_years).mean()
        assert row.survival == pytest.approx(expected, rel=1e-12)
    assert found[["ci_lower", "ci_upper"]].isna().all(axis=None)


def test_the_true_curves_are_found_where_kaplan_meier_is_confounded():
    frame = people(6000)
    found = adjusted_curves(frame, (STAGE, AGE), "stage", TIMES, resampling=NO_INTERVALS).set_index(
        ["level", "time_years"]
    )
    for level, effect in EFFECT.items():
        for time in TIMES:
            truth = np.exp(-0.3 * time * np.exp(0.05 * (frame["age"] - 60) + effect)).mean()
            assert found.loc[(level, time), "survival"] == pytest.approx(truth, abs=0.02)
    late = frame[frame["stage"] == "III"]
    crude = survival_at(late["followup_years"].to_numpy(), late["event"].to_numpy(), 1.0).survival
    assert crude < found.loc[("III", 1.0), "survival"] - 0.03


def test_intervals_hold_the_estimate_and_repeat():
    frame = people(300)
    found = adjusted_curves(frame, (STAGE, AGE), "stage", TIMES, resampling=Resampling(60))
    assert (found["ci_lower"] < found["survival"]).all() and (found["survival"] < found["ci_upper"]).all()
    again = adjusted_curves(frame, (STAGE, AGE), "stage", TIMES, resampling=Resampling(60))
    pd.testing.assert_frame_equal(found, again, check_exact=True)


def test_of_many_people_some_are_drawn_and_the_intervals_are_as_wide():
    frame = people(2000)
    width = {
        size: (found := adjusted_curves(frame, (STAGE, AGE), "stage", TIMES, resampling=Resampling(80, largest=size)))[
            "ci_upper"
        ]
        - found["ci_lower"]
        for size in (None, 500)
    }
    assert (width[500] / width[None]).mean() == pytest.approx(1, abs=0.25)


@pytest.mark.parametrize(
    ("by", "levels"),
    [
        (Covariate("quarter", "score", "quartile"), ["Q1", "Q2", "Q3", "Q4"]),
        (Covariate("old", "score", "cut", cuts=(6.0,)), ["<=6", "> 6"]),
    ],
)
def test_quarters_and_published_cut_offs(by, levels):
    frame = people(300)
    found = adjusted_curves(frame, (by, STAGE), by.name, TIMES, resampling=NO_INTERVALS)
    assert found["level"].unique().tolist() == levels
    by_time = found.pivot(index="level", columns="time_years", values="survival").loc[levels]
    assert (by_time.iloc[-1] < by_time.iloc[0]).all()


def test_each_person_keeps_the_baseline_of_the_stratum():
    frame = people(600)
    columns = FitColumns(strata=("site",))
    found = adjusted_curves(frame, (STAGE, AGE), "stage", TIMES, columns=columns, resampling=NO_INTERVALS)
    fit = fit_cox(frame, (STAGE, AGE), strata=("site",))
    expected = fit.survival(frame.assign(stage="II"), 1.0).mean()
    assert found.set_index(["level", "time_years"]).loc[("II", 1.0), "survival"] == pytest.approx(expected, rel=1e-12)


def test_what_has_no_levels_or_no_follow_up_is_refused():
    frame = people(200)
    for by in ("age", "weight"):
        with pytest.raises(NotComputable, match="no covariate of the model with levels"):
            adjusted_curves(frame, (STAGE, AGE), by, TIMES)
    quarter = Covariate("quarter", "score", "quartile")
    with pytest.raises(NotComputable, match="all have the same quarter"):
        adjusted_curves(frame.assign(score=1.0), (quarter, STAGE), "quarter", TIMES)
    with pytest.raises(FitRefused, match="nobody was followed for 30"):
        adjusted_curves(frame, (STAGE, AGE), "stage", (1.0, 30.0))
