"""The simulation study counts right, and each of its worlds can be drawn."""

from __future__ import annotations

import numpy as np
import pytest

from model.survival.errors import FitRefused
from model.survival.kaplan_meier import survival_at
from model.survival.simulation import worlds
from model.survival.simulation.__main__ import STUDY
from model.survival.simulation.page import page
from model.survival.simulation.study import Estimated, PValue, run


def a_mean(rng):
    """The mean of 25 normal numbers about 2, whose interval is exact, and a p value that is uniform."""
    mean = rng.normal(2, 1, 25).mean()
    yield Estimated("mean", 2.0, mean, mean - 1.96 / 5, mean + 1.96 / 5, p_value=0.01)
    yield PValue("nothing", rng.random())


def refused_half_the_time(rng):
    """A world in which a fit is refused every other time."""
    if rng.random() < 0.5:
        raise FitRefused("no events")
    yield PValue("nothing", 0.5)


def test_bias_coverage_power_and_false_alarms():
    (row,), (alarms,), refusals = run(a_mean, 2000)
    assert abs(row.bias) < 3 * row.bias_error
    assert row.spread == pytest.approx(0.2, rel=0.1)
    assert row.coverage == pytest.approx(0.95, abs=0.015)
    assert row.power == 1.0
    assert alarms.false_alarms == pytest.approx(0.05, abs=3 * alarms.error)
    assert refusals.refused == 0
    assert run(a_mean, 20) == run(a_mean, 20)


def test_refused_draws_are_counted_and_told():
    _, (alarms,), refusals = run(refused_half_the_time, 200)
    assert refusals.refused == pytest.approx(100, abs=30)
    assert alarms.draws == 200 - refusals.refused
    text = page([], [alarms], [refusals], minutes=1, rate=0.4, truth={"x": 0.5}, remarks="")
    assert f"| refused_half_the_time | 200 | {refusals.refused} |" in text


@pytest.mark.parametrize("world", [world for world, _ in STUDY], ids=lambda world: world.__name__)
def test_each_world_can_be_drawn(world):
    estimators, tests, refusals = run(world, 2)
    assert refusals.refused == 0
    assert estimators or tests


def test_the_worlds_follow_their_laws():
    frame = worlds.population(np.random.default_rng(1), 40_000)
    found = survival_at(frame["followup_years"].to_numpy(), frame["event"].to_numpy(), 1.0)
    assert found.survival == pytest.approx(worlds.survival_of(frame["log_risk"].to_numpy()).mean(), abs=0.008)
    both = worlds.competing(np.random.default_rng(1), 40_000)
    early = both[both["followup_years"] <= 0.3]
    share = (early["kind"] == 1).sum() / len(both)
    assert share == pytest.approx(worlds.incidence_of_first(both["score"].to_numpy(), 0.3).mean(), abs=0.006)
