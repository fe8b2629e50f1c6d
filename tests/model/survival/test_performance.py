"""Measures of discrimination and of predicted survival, against scikit-survival, and what is refused."""

from __future__ import annotations

import time

import numpy as np
import pytest
from sksurv.metrics import (
    brier_score,
    concordance_index_censored,
    concordance_index_ipcw,
    cumulative_dynamic_auc,
)
from sksurv.metrics import integrated_brier_score as sksurv_integrated_brier_score
from sksurv.nonparametric import CensoringDistributionEstimator
from sksurv.util import Surv

from model.errors import NotComputable
from model.survival.brier import brier_scores, integrated_brier_score
from model.survival.censoring import CensoringDistribution
from model.survival.concordance import dynamic_auc, harrells_c, unos_c

EXACT = 1e-9


def cohort(persons=400, *, censored=0.4, decimals=6, risk_decimals=3, seed=0):
    """Follow-up, deaths and a risk; few decimals make ties, as days and scores have them."""
    rng = np.random.default_rng(seed)
    risk = rng.normal(size=persons)
    death = rng.exponential(np.exp(-0.7 * risk))
    censoring = rng.exponential((1 - censored) / censored, size=persons)
    durations = np.round(np.minimum(death, censoring), decimals) + 10.0**-decimals
    return durations, death <= censoring, np.round(risk + rng.normal(0, 0.5, persons), risk_decimals)


COHORTS = {
    "plain": {},
    "tied_times": {"decimals": 1},
    "tied_risks": {"risk_decimals": 0},
    "tied_everything": {"decimals": 0, "risk_decimals": 0},
    "heavily_censored": {"censored": 0.93},
    "heavily_censored_and_tied": {"censored": 0.93, "decimals": 1, "risk_decimals": 1},
    "hardly_censored": {"censored": 0.01},
    "few": {"persons": 12, "decimals": 1, "seed": 3},
}


@pytest.fixture(params=COHORTS)
def sample(request):
    return cohort(**COHORTS[request.param])


def last_death_that_counts(durations, events):
    """A time before which G is above 0, and after which somebody is still followed."""
    censoring = CensoringDistribution.of(durations, events)
    usable = events & (censoring.at(durations) > 0) & (durations < durations.max())
    return float(np.quantile(durations[usable], 0.8)) + 1e-7


def test_harrells_c_and_its_counts(sample):
    durations, events, risk = sample
    c_index, concordant, discordant, tied, _ = concordance_index_censored(events, durations, risk)
    found = harrells_c(durations, events, risk)
    assert found.c_index == pytest.approx(c_index, abs=EXACT)
    assert (found.concordant, found.discordant, found.tied_risk) == (concordant, discordant, tied)


def test_harrells_c_against_all_pairs():
    durations, events, risk = cohort(60, decimals=1, risk_decimals=1)
    comparable = concordant = tied_deaths = 0.0
    for i in range(60):
        for j in range(60):
            if events[i] and (durations[i] < durations[j] or (durations[i] == durations[j] and not events[j])):
                comparable += 1
                concordant += 1.0 if risk[i] > risk[j] else 0.5 if risk[i] == risk[j] else 0.0
            tied_deaths += i < j and events[i] and events[j] and durations[i] == durations[j]
    found = harrells_c(durations, events, risk)
    assert found.c_index == pytest.approx(concordant / comparable, abs=1e-12)
    assert (found.comparable, found.tied_deaths) == (comparable, tied_deaths)


def test_unos_c(sample):
    durations, events, risk = sample
    survival = Surv.from_arrays(events, durations)
    tau = last_death_that_counts(durations, events)
    assert unos_c(durations, events, risk, tau=tau) == pytest.approx(
        concordance_index_ipcw(survival, survival, risk, tau=tau)[0], abs=EXACT
    )


def test_unos_c_of_all_deaths():
    durations, events, risk = cohort(300)
    longest = durations.argmax()
    durations, events = np.append(durations, durations[longest] + 1), np.append(events, False)
    risk = np.append(risk, 0.0)
    survival = Surv.from_arrays(events, durations)
    assert unos_c(durations, events, risk) == pytest.approx(
        concordance_index_ipcw(survival, survival, risk)[0], abs=EXACT
    )


def test_dynamic_auc(sample):
    durations, events, risk = sample
    end = last_death_that_counts(durations, events)
    survival = Surv.from_arrays(events, durations)
    for horizon in np.unique(np.round(np.quantile(durations[events & (durations <= end)], (0.3, 0.6, 0.9)), 7)):
        expected, _ = cumulative_dynamic_auc(survival, survival, risk, [horizon])
        assert dynamic_auc(durations, events, risk, horizon) == pytest.approx(expected[0], abs=EXACT)


def test_brier_scores(sample):
    durations, events, risk = sample
    survival = Surv.from_arrays(events, durations)
    end = last_death_that_counts(durations, events)
    times = np.linspace(durations.min(), end, 15)
    predicted = np.exp(-np.outer(0.5 * np.exp(risk), times))
    _, expected = brier_score(survival, survival, predicted, times)
    assert brier_scores(durations, events, predicted, times) == pytest.approx(expected, abs=EXACT)
    assert integrated_brier_score(durations, events, predicted, times) == pytest.approx(
        sksurv_integrated_brier_score(survival, survival, predicted, times), abs=EXACT
    )


def test_the_censoring_distribution(sample):
    durations, events, _ = sample
    reference = CensoringDistributionEstimator().fit(Surv.from_arrays(events, durations))
    found = CensoringDistribution.of(durations, events).at(durations)
    assert found == pytest.approx(reference.predict_proba(durations), abs=EXACT)


def test_nobody_censored_weighs_nobody():
    durations, _, risk = cohort(100)
    died = np.ones(100, dtype=bool)
    assert (CensoringDistribution.of(durations, died).at(durations) == 1).all()
    assert unos_c(durations, died, risk) == pytest.approx(harrells_c(durations, died, risk).c_index, abs=1e-12)


def test_orders_and_shifts_do_not_matter(sample):
    durations, events, risk = sample
    shuffled = np.random.default_rng(1).permutation(len(durations))
    assert harrells_c(durations[shuffled], events[shuffled], 3 * risk[shuffled] - 7).c_index == pytest.approx(
        harrells_c(durations, events, risk).c_index, abs=1e-12
    )
    reverse = harrells_c(durations, events, -risk).c_index
    assert reverse == pytest.approx(1 - harrells_c(durations, events, risk).c_index, abs=1e-12)


def test_a_hundred_thousand_people_take_seconds():
    durations, events, risk = cohort(100_000, decimals=2)
    started = time.process_time()
    harrells_c(durations, events, risk)
    unos_c(durations, events, risk, tau=1.0)
    dynamic_auc(durations, events, risk, 1.0)
    times = np.linspace(0.1, 1.0, 20)
    integrated_brier_score(durations, events, np.exp(-np.outer(np.exp(risk), times)), times)
    assert time.process_time() - started < 5


FIVE = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
RISK = np.array([5.0, 4.0, 3.0, 2.0, 1.0])
DIED, LIVED = np.ones(5, dtype=bool), np.zeros(5, dtype=bool)
LAST_DIED = np.array([False, False, False, False, True])


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda: harrells_c(FIVE, LIVED, RISK), "no events"),
        (lambda: harrells_c(FIVE[:1], DIED[:1], RISK[:1]), "fewer than two"),
        (lambda: harrells_c(FIVE, LAST_DIED, RISK), "no comparable pairs"),
        (lambda: harrells_c(np.ones(5), DIED, RISK), "no comparable pairs"),
        (lambda: harrells_c(FIVE, DIED, np.append(RISK[1:], np.nan)), "missing or infinite"),
        (lambda: unos_c(FIVE, LIVED, RISK), "no events"),
        (lambda: unos_c(FIVE, DIED, RISK, tau=1.0), "no deaths before 1"),
        (lambda: unos_c(FIVE, LAST_DIED, RISK), "no comparable pairs"),
        (lambda: unos_c(np.ones(2), np.array([True, False]), RISK[:2]), "earlier end"),
        (lambda: dynamic_auc(FIVE, DIED, RISK, 0.5), "nobody died within 0.5"),
        (lambda: dynamic_auc(FIVE, DIED, RISK, 5.0), "nobody was followed beyond 5"),
        (lambda: dynamic_auc(FIVE, LIVED, RISK, 2.0), "no events"),
        (lambda: brier_scores(FIVE, LIVED, np.full((5, 1), 0.5), np.array([2.0])), "no events"),
        (lambda: brier_scores(FIVE, DIED, np.full((5, 1), 0.5), np.array([5.0])), "nobody was followed beyond 5"),
        (lambda: brier_scores(FIVE, DIED, np.full((5, 1), np.nan), np.array([2.0])), "missing or outside"),
        (lambda: integrated_brier_score(FIVE, DIED, np.full((5, 1), 0.5), np.array([2.0])), "fewer than two times"),
        (lambda: CensoringDistribution.of(FIVE, DIED).at(np.array([6.0])), "followed that long"),
    ],
)
def test_what_cannot_be_computed_says_why(call, reason):
    with pytest.raises(NotComputable, match=reason):
        call()
