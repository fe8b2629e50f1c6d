"""Net benefit: by hand without censoring, against lifelines' Kaplan-Meier with it."""

from __future__ import annotations

import time

import numpy as np
import pytest
from lifelines import KaplanMeierFitter

from model.errors import NotComputable
from model.survival.decision_curve import decision_curve

HORIZON = 1.0
THRESHOLDS = (0.1, 0.3, 0.5, 0.8)


def people(persons: int = 600, seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Follow-up with ties, events, and a predicted risk."""
    rng = np.random.default_rng(seed)
    rate = 0.5 * np.exp(rng.normal(0, 0.8, persons))
    death, censoring = rng.exponential(1 / rate), rng.uniform(0.5, 3.0, persons)
    return np.round(np.minimum(death, censoring), 2) + 0.01, death <= censoring, 1 - np.exp(-rate * HORIZON)


def test_with_everybody_followed_it_counts_right_and_wrong():
    durations, _, risk = people()
    curve = decision_curve(durations, np.ones(600, dtype=bool), risk, HORIZON, thresholds=THRESHOLDS)
    died = durations <= HORIZON
    for row in curve:
        treated = risk >= row.threshold
        odds = row.threshold / (1 - row.threshold)
        assert row.treated == treated.mean()
        assert row.model == pytest.approx((treated & died).mean() - (treated & ~died).mean() * odds)
        assert row.treat_all == pytest.approx(died.mean() - (~died).mean() * odds)


@pytest.mark.parametrize("late", [False, True])
def test_with_censoring_it_is_kaplan_meier_among_the_treated(late):
    durations, events, risk = people()
    entry = np.random.default_rng(3).uniform(0, 0.3, 600)
    entry = np.where(late & (entry < durations), entry, 0.0)
    curve = decision_curve(durations, events, risk, HORIZON, thresholds=THRESHOLDS, entry=entry if late else None)
    for row in curve:
        treated = risk >= row.threshold
        fitter = KaplanMeierFitter().fit(durations[treated], events[treated], entry=entry[treated] if late else None)
        died = 1 - fitter.predict(HORIZON)
        odds = row.threshold / (1 - row.threshold)
        assert row.model == pytest.approx(treated.mean() * (died - (1 - died) * odds))


def test_better_predictions_are_worth_more():
    durations, events, risk = people(4000)
    noise = np.random.default_rng(5).permutation(risk)
    good, useless = (decision_curve(durations, events, each, HORIZON, thresholds=THRESHOLDS) for each in (risk, noise))
    assert all(one.model > other.model for one, other in zip(good, useless, strict=True))
    assert all(row.model > max(0, row.treat_all) - 0.002 for row in good)


def test_who_treats_nobody_gains_nothing():
    durations, events, _ = people()
    assert decision_curve(durations, events, np.full(600, 0.2), HORIZON, thresholds=(0.5,))[0].model == 0.0


def test_treated_whom_nobody_followed_have_no_benefit_to_tell():
    durations, events, risk = people()
    high = risk > 0.7
    durations = np.where(high, np.minimum(durations, 0.5), durations)
    row = decision_curve(durations, events & ~high, risk, HORIZON, thresholds=(0.75,))[0]
    assert row.treated > 0 and row.model is None


def test_many_people_take_seconds():
    durations, events, risk = people(300_000)
    started = time.process_time()
    decision_curve(durations, events, risk, HORIZON)
    assert time.process_time() - started < 5


DURATIONS, EVENTS, RISK = people(20)


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda: decision_curve(DURATIONS[:0], EVENTS[:0], RISK[:0], 1.0), "no persons"),
        (lambda: decision_curve(DURATIONS, EVENTS, RISK * 9, 1.0), "outside 0 to 1"),
        (lambda: decision_curve(DURATIONS, EVENTS, RISK, 50.0), "nobody was followed for 50"),
        (lambda: decision_curve(DURATIONS, EVENTS, RISK, 1.0, thresholds=(1.0,)), "threshold"),
    ],
)
def test_what_cannot_be_computed_says_why(call, reason):
    with pytest.raises(NotComputable, match=reason):
        call()
