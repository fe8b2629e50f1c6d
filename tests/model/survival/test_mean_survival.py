"""Survival summed from moments of relative risks is the sum over the persons, whoever they are."""

from __future__ import annotations

import numpy as np
import pytest

from model.survival.mean_survival import RelativeRisks

HAZARD = np.concatenate([[0.0, 1e-9], np.linspace(0.001, 3, 60)])


@pytest.mark.parametrize(("persons", "spread"), [(3000, 1.0), (500, 4.0), (200, 0.0), (1, 1.0), (20, 300.0)])
@pytest.mark.parametrize("shift", [0.0, -1.3, 2.0])
def test_it_is_the_sum_over_persons(persons: int, spread: float, shift: float) -> None:
    log_risk = np.random.default_rng(persons).normal(0, spread, persons)
    found = RelativeRisks(log_risk).total_survival(HAZARD, shift)
    each = np.exp(-np.multiply.outer(HAZARD, np.exp(np.minimum(log_risk + shift, 700.0))))
    assert found == pytest.approx(each.sum(axis=1), rel=1e-13)


def test_risks_beyond_what_a_double_holds_survive_always_or_never() -> None:
    found = RelativeRisks(np.array([-5000.0, 0.0, 5000.0])).total_survival(np.array([0.0, 0.5]))
    assert found == pytest.approx([3.0, 1.0 + np.exp(-0.5)], rel=1e-14)
