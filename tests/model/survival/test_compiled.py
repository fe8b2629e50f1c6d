"""Compiled loops: what numpy computes, wherever the code may be kept."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit
from numba.core import caching

from model.survival.columns import Columns
from model.survival.compiled import compiled
from model.survival.moment_sums import products_by_moment, sums_of_slots, symmetric, triangle


def total(values: np.ndarray) -> float:
    summed = 0.0
    for value in values:
        summed += value
    return summed


def test_where_nothing_can_be_written_it_is_compiled_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caching.CacheImpl, "_locator_classes", [])
    with pytest.raises(RuntimeError, match="cannot cache"):
        njit(cache=True)(total)
    assert compiled(total)(np.arange(5.0)) == 10.0


@pytest.mark.parametrize("terms", [0, 1, 2, 5, 30])
@pytest.mark.parametrize("rows", [900, 9000])
def test_products_by_moment_are_those_of_numpy(terms: int, rows: int) -> None:
    """A moment with no other rows, one with very many, and rows of no moment; few rows as a matrix, many one by one."""
    rng = np.random.default_rng(terms)
    columns = Columns(list(rng.normal(size=(terms, rows))), rows)
    beta, weights = rng.normal(size=terms) / 10, rng.uniform(0.5, 2, rows)
    segments = np.array([[3, 10, 10], [10, 11, 40], [40, 300, 301], [301, 320, rows]])
    shift = np.array([0.0, 0.1, -0.2, 0.3])
    eta, theta = np.zeros(rows), np.zeros(rows)
    of_deaths, of_others = np.empty((4, triangle(terms))), np.empty((4, triangle(terms)))
    farthest = products_by_moment(columns.compiled, beta, weights, segments, shift, eta, theta, of_deaths, of_others)
    z = np.vstack([np.ones(rows), *columns])
    predicted = beta @ z[1:]
    assert eta[3:] == pytest.approx(predicted[3:], rel=1e-12, abs=1e-12) and not eta[:3].any() and not theta[:3].any()
    far = 0.0
    for moment, (deaths, others, end) in enumerate(segments):
        for found, some in ((of_deaths, slice(deaths, others)), (of_others, slice(others, end))):
            own = weights[some] * np.exp(predicted[some] - shift[moment])
            assert theta[some] == pytest.approx(own, rel=1e-12)
            assert symmetric(found[moment]) == pytest.approx((z[:, some] * own) @ z[:, some].T, rel=1e-9, abs=1e-9)
            far = max(far, np.abs(predicted[some] - shift[moment]).max(initial=0.0))
    assert farthest == pytest.approx(far, rel=1e-12)


def test_sums_of_slots_are_efrons() -> None:
    deaths, weighted = np.array([1, 3]), np.array([2.0, 4.5])
    at_risk, dying = np.array([10.0, 8.0]), np.array([1.5, 3.0])
    denominators = [np.array([10.0]), 8.0 - np.arange(3) / 3 * 3.0]
    shares, weights = [np.zeros(1), np.arange(3) / 3], [2.0, 1.5]
    logs, *sums = sums_of_slots(deaths, weighted, at_risk, dying)
    each = list(zip(weights, shares, denominators, strict=True))
    assert logs == pytest.approx([(m * np.log(c)).sum() for m, _, c in each], rel=1e-14)
    expected = [
        [(m * s**power / c**over).sum() for m, s, c in each] for power, over in ((0, 1), (1, 1), (1, 2), (2, 2))
    ]
    assert np.array(sums) == pytest.approx(np.array(expected), rel=1e-14)
