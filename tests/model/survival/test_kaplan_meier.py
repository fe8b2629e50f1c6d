"""Kaplan-Meier against lifelines."""

from __future__ import annotations

import numpy as np
import pytest
from lifelines import KaplanMeierFitter, datasets

from model.errors import NotComputable
from model.survival.kaplan_meier import kaplan_meier, survival_at


@pytest.mark.parametrize("name", ["rossi", "lung", "gbsg2"])
def test_equals_lifelines(name):
    frame = getattr(datasets, f"load_{name}")()
    duration, event = {"rossi": ("week", "arrest"), "lung": ("time", "status"), "gbsg2": ("time", "cens")}[name]
    days, died = frame[duration].to_numpy(float), frame[event].to_numpy(bool)
    ours = kaplan_meier(days, died)
    theirs = KaplanMeierFitter().fit(days, died)
    times = ours["time_years"].to_numpy()
    assert ours["survival"].to_numpy() == pytest.approx(theirs.predict(times).to_numpy(), abs=1e-12)
    after_first = (ours["survival"] < 1) & (ours["survival"] > 0)
    bounds = theirs.confidence_interval_.reindex(theirs.confidence_interval_.index.union(times)).ffill().loc[times]
    assert ours["ci_lower"].to_numpy()[after_first] == pytest.approx(
        bounds.iloc[:, 0].to_numpy()[after_first], abs=1e-9
    )
    assert ours["ci_upper"].to_numpy()[after_first] == pytest.approx(
        bounds.iloc[:, 1].to_numpy()[after_first], abs=1e-9
    )
    assert ours["events"].sum() == died.sum()
    assert ours["at_risk"].iloc[0] == len(frame)
    assert all(ours["at_risk"] == [(days >= time).sum() for time in times])


def test_no_interval_where_everyone_died_and_certainty_before_the_first_death():
    curve = kaplan_meier(np.array([1.5, 2.5]), np.array([True, True]))
    assert curve["time_years"].tolist() == [0.0, 1.0, 1.5, 2.0, 2.5]
    assert curve["survival"].tolist() == [1.0, 1.0, 0.5, 0.5, 0.0]
    assert curve["ci_lower"].iloc[1] == curve["ci_upper"].iloc[1] == 1.0
    assert curve["ci_lower"].isna().tolist() == [False] * 4 + [True]


def test_survival_at_a_time_is_that_of_the_curve():
    frame = datasets.load_lung()
    years, died = frame["time"].to_numpy(float) / 365.25, frame["status"].to_numpy(bool)
    curve = kaplan_meier(years, died)
    for time in (0.001, *curve["time_years"].iloc[1::9]):
        row = curve[curve["time_years"] <= time].iloc[-1]
        found = survival_at(years, died, time)
        told = (found.survival, found.ci_lower, found.ci_upper)
        assert told == pytest.approx((row["survival"], row["ci_lower"], row["ci_upper"]), rel=1e-12)
    assert not died[years == years.max()].any()
    with pytest.raises(NotComputable, match="nobody was followed for 9 years"):
        survival_at(years, died, 9.0)
    everybody_died = survival_at(years, np.ones(len(years), dtype=bool), 9.0)
    assert (everybody_died.survival, everybody_died.ci_lower, everybody_died.ci_upper) == (0.0, None, None)
