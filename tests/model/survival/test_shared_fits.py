"""Very many rows: what fits share, where they start and how their sums are taken changes nothing of what they find."""

from __future__ import annotations

from bisect import bisect_right, insort
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from model.survival.covariates import Covariate
from model.survival.cox import fit_cox
from model.survival.design import Design
from model.survival.estimation import newton
from model.survival.influence import influence, largest_influence
from model.survival.pair_counts import Ranking, pair_counts
from model.survival.partial_likelihood import PartialLikelihood
from model.survival.prepared import Followed, followed, sorted_columns
from model.survival.proportional_hazards import by_period, proportional_hazards, scaled_schoenfeld
from model.survival.risk_sets import RiskSets
from model.survival.sharing import remembered, sharing
from model.survival.timeline import Timeline

COVARIATES = (
    Covariate("age", "age", "continuous"),
    Covariate("site", "site", "categorical", levels=("breast", "lung", "brain"), reference="breast"),
)


def people(rows: int, months: int = 40, seed: int = 4) -> pd.DataFrame:
    """Follow-up in whole months: many die at the same time."""
    rng = np.random.default_rng(seed)
    age, site = rng.normal(0, 1, rows), rng.choice(np.array(["breast", "lung", "brain"], dtype=object), rows)
    risk = 0.5 * age + 0.7 * (site == "lung")
    death = np.ceil(rng.exponential(30 * np.exp(-risk)))
    censored = rng.integers(1, months + 1, rows)
    return pd.DataFrame(
        {"age": age, "site": site, "followup_years": np.minimum(death, censored) / 12, "event": death <= censored}
    )


def ready(frame: pd.DataFrame) -> tuple[list[np.ndarray], Followed]:
    follow_up = followed(frame, duration="followup_years", event="event", entry=None, strata=(), weights=None)
    columns = sorted_columns(Design(frame, COVARIATES), frame, follow_up)
    return [column.standardised for column in columns], follow_up


def test_sums_by_moment_are_those_by_row(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = people(2000)
    fit = fit_cox(frame, COVARIATES, quick=True)
    assert fit.sums.risk_sets.is_grouped
    monkeypatch.setattr(RiskSets, "is_grouped", False)
    by_row = fit_cox(frame, COVARIATES, quick=True)
    assert fit.beta == pytest.approx(by_row.beta, rel=1e-10)
    assert fit.covariance == pytest.approx(by_row.covariance, rel=1e-10)
    beta = np.array([0.3, -0.2, 0.1])
    columns, follow_up = ready(frame)
    weights = np.linspace(-1, 2, len(follow_up.risk_sets.times))

    def found() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        sums = PartialLikelihood.of_sorted(columns, follow_up.risk_sets).at(beta)
        return sums.score, sums.weighted_information(weights), sums.score_residuals()

    of_rows = found()
    monkeypatch.undo()
    for one, other in zip(found(), of_rows, strict=True):
        assert one == pytest.approx(other, rel=1e-9, abs=1e-9)


def test_who_is_never_at_risk_has_a_log_risk_too() -> None:
    """Gone before the first death, or of a stratum without one: their risk is in no sum, but it is predicted."""
    frame = people(4000)
    early = frame["followup_years"] <= 3 / 12
    frame = frame.assign(event=frame["event"] & ~early & (frame["site"] != "brain"))
    for strata in ((), ("site",)):
        fit = fit_cox(frame, COVARIATES[:1], strata=strata, quick=True)
        assert fit.sums.risk_sets.is_grouped and len(fit.sums.risk_sets.never_at_risk) > 100
        assert fit.own_log_risk == pytest.approx(fit.log_risk(frame), abs=1e-12)


def test_strata_are_summed_by_moment_too(monkeypatch: pytest.MonkeyPatch) -> None:
    frame, age = people(6000), COVARIATES[:1]
    grouped = fit_cox(frame, age, strata=("site",), quick=True)
    assert grouped.sums.risk_sets.is_grouped
    monkeypatch.setattr(RiskSets, "is_grouped", False)
    by_row = fit_cox(frame, age, strata=("site",), quick=True)
    assert grouped.beta == pytest.approx(by_row.beta, rel=1e-10)
    assert grouped.covariance == pytest.approx(by_row.covariance, rel=1e-10)


def test_a_start_from_some_rows_ends_at_the_maximum_of_all() -> None:
    columns, follow_up = ready(people(110_000))
    assert len(follow_up.samples) == 1
    likelihood = PartialLikelihood.of_sorted(columns, follow_up.risk_sets)
    from_sample = fit_cox(people(110_000), COVARIATES).sums
    assert from_sample.beta == pytest.approx(newton(likelihood).beta, abs=1e-9)


def test_fits_that_share_find_what_fits_alone_find() -> None:
    frame = people(21_000)
    alone = [fit_cox(frame, COVARIATES[:1]), fit_cox(frame, COVARIATES)]
    with sharing():
        shared = [fit_cox(frame, COVARIATES[:1]), fit_cox(frame, COVARIATES)]
        assert shared[0].sums.risk_sets is shared[1].sums.risk_sets
        other = frame.copy(deep=False)
        other["site"] = frame["site"].to_numpy()[::-1]
        moved = fit_cox(other, COVARIATES)
    for one, with_others in zip(alone, shared, strict=True):
        assert np.array_equal(one.beta, with_others.beta) and one.log_likelihood == with_others.log_likelihood
    assert not np.array_equal(moved.beta, shared[1].beta), "another column of the same name is another column"


def test_nothing_is_remembered_after_the_block_nor_of_few_rows() -> None:
    many, few = np.zeros(20_000), np.zeros(10)
    found = []
    with sharing():
        for array in (many, many, few, few):
            remembered("count", (array,), lambda: found.append(1))
    assert len(found) == 3
    remembered("count", (many,), lambda: found.append(1))
    assert len(found) == 4


def test_the_largest_influence_is_that_of_all_rows() -> None:
    fit = fit_cox(people(9000), COVARIATES, quick=True)
    every, largest = influence(fit), largest_influence(fit, 0.01)
    assert largest.dfbetas == pytest.approx(np.abs(every.dfbetas).max(axis=0), rel=1e-12)
    assert largest.beyond.tolist() == (np.abs(every.dfbetas) > 0.01).sum(axis=0).tolist()
    assert largest.likelihood_displacement == pytest.approx(every.likelihood_displacement.max(), rel=1e-12)


@pytest.mark.parametrize("strata", [(), ("site",)])
def test_periods_are_means_of_scaled_residuals(strata: tuple[str, ...]) -> None:
    fit = fit_cox(people(3000), COVARIATES[:1] if strata else COVARIATES, strata=strata, quick=True)
    every = scaled_schoenfeld(fit)
    periods = by_period(fit, 5)
    assert sum(period.deaths for period in periods) == len(every.times)
    for before, after in pairwise(periods):
        assert before.to_years < after.from_years, "deaths at one time are of one period"
    for period in periods:
        own = every.residuals[(every.times >= period.from_years) & (every.times <= period.to_years)]
        assert period.deaths == len(own)
        assert period.means == pytest.approx(own.mean(axis=0), rel=1e-9)
        assert period.errors == pytest.approx(own.std(axis=0, ddof=1) / np.sqrt(len(own)), rel=1e-9)
    assert 0 < proportional_hazards(fit).overall.p_value <= 1


def test_periods_do_not_depend_on_the_order_of_rows_and_alike_deaths_have_no_error() -> None:
    frame = people(300).assign(followup_years=lambda one: np.ceil(one["followup_years"]))
    shuffled = frame.sample(frac=1.0, random_state=1)
    first, second = (by_period(fit_cox(one, COVARIATES, quick=True), 8) for one in (frame, shuffled))
    assert [period.deaths for period in first] == [period.deaths for period in second]
    for one, other in zip(first, second, strict=True):
        assert one.means == pytest.approx(other.means, abs=1e-9)
    age, times = np.r_[np.ones(50), np.arange(50.0)], np.repeat([1.0, 2.0], 50)
    alike = pd.DataFrame({"age": age, "followup_years": times, "event": True})
    errors = [period.errors[0] for period in by_period(fit_cox(alike, COVARIATES[:1], quick=True), 2)]
    assert np.isnan(errors[0]) and errors[1] > 0


@pytest.mark.parametrize("digits", [0, 1, 9])
def test_pairs_are_those_one_by_one(digits: int) -> None:
    rng = np.random.default_rng(digits)
    durations, events = rng.integers(1, 12, 150).astype(float), rng.random(150) < 0.6
    risk = np.round(rng.normal(size=150), digits)
    timeline = Timeline.of(durations, events)
    pairs = pair_counts(timeline, risk)
    for place, time in enumerate(timeline.times):
        outlived = (durations > time) | ((durations == time) & ~events)
        deaths = risk[events & (durations == time)]
        assert pairs.comparable[place] == len(deaths) * outlived.sum()
        assert pairs.lower[place] == sum((risk[outlived] < own).sum() for own in deaths)
        assert pairs.tied[place] == sum((risk[outlived] == own).sum() for own in deaths)


@pytest.mark.parametrize("digits", [1, 9])
def test_pairs_of_very_many_are_those_a_sorted_list_finds(digits: int) -> None:
    rng = np.random.default_rng(digits)
    durations, events = rng.integers(1, 400, 40_000).astype(float), rng.random(40_000) < 0.5
    risk = np.round(rng.normal(size=40_000), digits)
    timeline = Timeline.of(durations, events)
    lower, known = np.zeros(len(timeline.times), dtype=np.int64), []
    order, waiting = np.argsort(risk, kind="stable"), []
    for row, next_row in pairwise([*order.tolist(), -1]):
        end = int(timeline.ends[row])
        if end % 2 == 0:
            lower[end // 2] += len(known) - bisect_right(known, end)
        waiting.append(end)
        if next_row < 0 or risk[next_row] != risk[row]:
            for each in waiting:
                insort(known, each)
            waiting = []
    assert pair_counts(timeline, risk).lower.tolist() == lower.tolist()


@pytest.mark.parametrize("continuous", [False, True])
def test_some_of_the_ranked_are_as_if_ranked_by_themselves(continuous: bool) -> None:
    """A resample of many persons names some again, and most times not at all."""
    rng = np.random.default_rng(3)
    durations = rng.exponential(size=5000) if continuous else rng.integers(1, 300, 5000).astype(float)
    events, risk = rng.random(5000) < 0.4, np.round(rng.normal(size=5000), 2)
    rows = rng.integers(5000, size=700)
    some = Ranking.of(Timeline.of(durations, events), risk).of_rows(rows)
    alone = Ranking.of(Timeline.of(durations[rows], events[rows]), risk[rows])
    present = some.timeline.ended > 0
    assert some.timeline.times[present].tolist() == alone.timeline.times.tolist()
    assert some.timeline.times[-1] == durations[rows].max()
    for ours, expected in (
        (some.timeline.deaths, alone.timeline.deaths),
        (some.timeline.ended, alone.timeline.ended),
        (some.timeline.censoring.probability, alone.timeline.censoring.probability),
        (some.pairs.comparable, alone.pairs.comparable),
        (some.pairs.lower, alone.pairs.lower),
        (some.pairs.tied, alone.pairs.tied),
    ):
        assert ours[present].tolist() == expected.tolist()
