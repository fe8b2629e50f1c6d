"""Calibration: against Kaplan-Meier by hand and statsmodels, and on predictions whose error is known."""

from __future__ import annotations

import time

import numpy as np
import pytest
from lifelines import KaplanMeierFitter
from statsmodels.duration.hazard_regression import PHReg

from model.errors import NotComputable
from model.survival.calibration import (
    calibration_curve,
    calibration_groups,
    calibration_in_the_large,
    calibration_slope,
    complementary_log_log,
    integrated_calibration_index,
)

HORIZON = 1.0


def people(persons: int = 3000, seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Follow-up, events, and the true probability to be free of the event at the horizon."""
    rng = np.random.default_rng(seed)
    rate = 0.4 * np.exp(rng.normal(0, 0.8, persons))
    death, censoring = rng.exponential(1 / rate), rng.uniform(0.2, 4.0, persons)
    return np.minimum(death, censoring), death <= censoring, np.exp(-rate * HORIZON)


def test_groups_are_kaplan_meier_by_tenth_of_prediction():
    durations, events, predicted = people(500)
    groups = calibration_groups(durations, events, predicted, HORIZON)
    order = np.argsort(1 - predicted, kind="stable")
    assert [group.number for group in groups] == list(range(1, 11))
    assert sum(group.persons for group in groups) == 500
    for group, rows in zip(groups, np.split(order, 10), strict=True):
        theirs = KaplanMeierFitter().fit(durations[rows], events[rows])
        assert group.persons == 50
        assert group.predicted == pytest.approx(1 - predicted[rows].mean())
        assert group.observed == pytest.approx(1 - theirs.predict(HORIZON))
        assert group.events == (events[rows] & (durations[rows] <= HORIZON)).sum()
        assert group.ci_lower < group.observed < group.ci_upper


def test_equal_predictions_stay_together():
    durations, events, _ = people(300)
    predicted = np.repeat([0.9, 0.6, 0.3], 100)
    groups = calibration_groups(durations, events, predicted, HORIZON)
    assert [group.persons for group in groups] == [100, 100, 100]
    assert [group.predicted for group in groups] == pytest.approx([0.1, 0.4, 0.7])


def test_a_group_nobody_of_which_was_followed_has_no_observed_risk():
    durations, events, predicted = people(300)
    riskiest = predicted <= np.quantile(predicted, 0.1)
    durations = np.where(riskiest, np.minimum(durations, 0.1), durations)
    last = calibration_groups(durations, events & ~riskiest, predicted, HORIZON)[-1]
    assert (last.observed, last.ci_lower, last.ci_upper) == (None, None, None)


def test_the_truth_is_calibrated():
    durations, events, predicted = people()
    large = calibration_in_the_large(durations, events, predicted, HORIZON)
    slope = calibration_slope(durations, events, predicted)
    curve = calibration_curve(durations, events, predicted, HORIZON)
    assert large.ci_lower < 1 < large.ci_upper
    assert slope.ci_lower < 1 < slope.ci_upper and slope.p_value > 0.05
    assert curve.ici == integrated_calibration_index(durations, events, predicted, HORIZON)
    assert curve.ici < 0.02 and curve.e50 <= curve.e90 <= curve.e_max
    assert (np.diff(curve.predicted) >= 0).all()


def test_too_extreme_predictions_have_half_the_slope():
    durations, events, predicted = people()
    log_risk = complementary_log_log(predicted)
    extreme = np.exp(-np.exp(2 * (log_risk - log_risk.mean()) + log_risk.mean()))
    slope = calibration_slope(durations, events, extreme)
    assert slope.slope == pytest.approx(calibration_slope(durations, events, predicted).slope / 2, rel=0.02)
    assert slope.p_value < 1e-6
    assert calibration_curve(durations, events, extreme, HORIZON).ici > 0.05


def test_slope_equals_statsmodels():
    durations, events, predicted = people(400)
    column = complementary_log_log(predicted)
    theirs = PHReg(durations, column[:, None], status=events.astype(float), ties="efron").fit(disp=False)
    slope = calibration_slope(durations, events, predicted)
    assert slope.slope == pytest.approx(theirs.params[0], rel=1e-5)
    assert slope.standard_error == pytest.approx(theirs.bse[0], rel=1e-5)


def test_risk_that_is_twice_too_low_is_seen_for_what_it_is():
    """The hazard is twice what was predicted, so the observed probabilities are those of twice the hazard."""
    durations, events, survival = people(6000)
    predicted = np.sqrt(survival)
    large = calibration_in_the_large(durations, events, predicted, HORIZON)
    assert large.ratio == pytest.approx((1 - survival).mean() / (1 - predicted).mean(), rel=0.05)
    assert large.ci_lower > 1
    assert calibration_slope(durations, events, predicted).slope == pytest.approx(1, abs=0.1)
    curve = calibration_curve(durations, events, predicted, HORIZON)
    assert curve.observed == pytest.approx(1 - (1 - curve.predicted) ** 2, abs=0.04)
    assert curve.ici == pytest.approx(np.abs(survival - predicted).mean(), abs=0.01)


def test_late_entry_is_counted():
    """Who died before entering was never seen: only with entry do observed and predicted agree."""
    durations, events, predicted = people(8000)
    entry = np.random.default_rng(2).uniform(0, 0.6, len(durations))
    seen = entry < durations
    late = (durations[seen], events[seen], predicted[seen])
    # Those who entered late are fitter; within a small range of predictions that does not matter.
    counted = calibration_groups(*late, HORIZON, entry=entry[seen])
    ignored = calibration_groups(*late, HORIZON)
    assert sum(group.ci_lower < group.predicted < group.ci_upper for group in counted) >= 8
    assert sum(group.observed < group.predicted for group in ignored) >= 9
    assert calibration_slope(*late, entry=entry[seen]).slope == pytest.approx(1, abs=0.1)
    assert calibration_curve(*late, HORIZON, entry=entry[seen]).ici < 0.03


def test_a_hundred_thousand_people_take_seconds():
    durations, events, predicted = people(100_000)
    started = time.process_time()
    calibration_groups(durations, events, predicted, HORIZON)
    calibration_in_the_large(durations, events, predicted, HORIZON)
    calibration_slope(durations, events, predicted)
    calibration_curve(durations, events, predicted, HORIZON)
    assert time.process_time() - started < 5


DURATIONS, EVENTS, PREDICTED = people(50)


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda: calibration_groups(DURATIONS[:0], EVENTS[:0], PREDICTED[:0], 1.0), "no persons"),
        (lambda: calibration_groups(DURATIONS, EVENTS, PREDICTED + 1, 1.0), "outside 0 to 1"),
        (lambda: calibration_in_the_large(DURATIONS, EVENTS, PREDICTED, 50.0), "nobody was followed for 50"),
        (lambda: calibration_in_the_large(DURATIONS, EVENTS, np.ones(50), 1.0), "nobody is predicted any risk"),
        (lambda: calibration_slope(DURATIONS, EVENTS, np.full(50, 0.5)), "the same for everyone"),
        (lambda: calibration_slope(DURATIONS, np.zeros(50, dtype=bool), PREDICTED), "no events"),
        (lambda: calibration_curve(DURATIONS, EVENTS, PREDICTED, 50.0), "nobody was followed for 50"),
    ],
)
def test_what_cannot_be_computed_says_why(call, reason):
    with pytest.raises(NotComputable, match=reason):
        call()
