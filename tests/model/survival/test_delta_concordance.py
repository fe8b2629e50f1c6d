"""The gain in concordance and its interval."""

from __future__ import annotations

import numpy as np
import pytest

from model.errors import NotComputable
from model.survival.bootstrap import Resampling, bootstrap_intervals
from model.survival.concordance import harrells_c
from model.survival.delta_concordance import delta_concordance


def people(persons: int = 400, seed: int = 7):
    """Follow-up, events, and log-risks of a model that knows both covariates and of one that knows the first."""
    rng = np.random.default_rng(seed)
    one, other = rng.normal(size=persons), rng.normal(size=persons)
    death, censoring = rng.exponential(np.exp(-0.6 * one - 0.6 * other)), rng.uniform(0, 3, persons)
    return np.minimum(death, censoring), death <= censoring, one + other, one


def test_gain_and_interval():
    durations, events, larger, smaller = people()
    found = delta_concordance(durations, events, larger, smaller, resampling=Resampling(200))
    assert found.larger == harrells_c(durations, events, larger).c_index
    assert found.smaller == harrells_c(durations, events, smaller).c_index
    assert found.gain == found.larger - found.smaller > 0.03
    assert 0 < found.ci_lower < found.gain < found.ci_upper
    again = delta_concordance(durations, events, larger, smaller, resampling=Resampling(200))
    assert again == found


def test_the_same_prediction_gains_nothing():
    durations, events, larger, _ = people()
    found = delta_concordance(durations, events, larger, 3 * larger - 5, resampling=Resampling(50))
    assert (found.gain, found.ci_lower, found.ci_upper) == (0.0, 0.0, 0.0)


def test_of_many_people_some_are_drawn_and_the_interval_is_as_wide():
    durations, events, larger, smaller = people(4000)
    every, some = (
        delta_concordance(durations, events, larger, smaller, resampling=Resampling(300, largest=size))
        for size in (None, 500)
    )
    assert some.ci_upper - some.ci_lower == pytest.approx(every.ci_upper - every.ci_lower, rel=0.25)
    assert (some.ci_lower + some.ci_upper) / 2 == pytest.approx(every.gain, abs=0.005)


def test_intervals_of_a_mean_are_the_same_whether_all_or_some_are_drawn():
    values = np.random.default_rng(1).normal(3, 2, 5000)

    def mean(rows):
        return float(values[rows].mean())

    exact = 1.96 * values.std() / np.sqrt(5000)
    for size in (None, 5000, 400):
        interval = bootstrap_intervals({"mean": mean}, np.arange(5000), Resampling(1000, largest=size))["mean"]
        assert (interval.lower + interval.upper) / 2 == pytest.approx(values.mean(), abs=0.01)
        assert (interval.upper - interval.lower) / 2 == pytest.approx(exact, rel=0.1)


def test_rows_of_one_person_are_drawn_together():
    """Everybody twice says no more than everybody once."""
    durations, events, larger, smaller = people(200)
    twice = [np.repeat(values, 2) for values in (durations, events, larger, smaller)]
    together = delta_concordance(*twice, people=np.repeat(np.arange(200), 2), resampling=Resampling(200))
    apart = delta_concordance(*twice, resampling=Resampling(200))
    assert together.ci_upper - together.ci_lower > 1.2 * (apart.ci_upper - apart.ci_lower)


def test_without_events_it_is_refused():
    durations, _, larger, smaller = people(50)
    with pytest.raises(NotComputable, match="no events"):
        delta_concordance(durations, np.zeros(50, dtype=bool), larger, smaller)
