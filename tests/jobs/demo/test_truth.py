from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from lifelines import CoxPHFitter

from jobs.demo.population import simulate_population
from jobs.demo.truth import TRUE_COEFFICIENTS, design_matrix, survival_years


def test_cox_regression_on_a_large_population_finds_the_recorded_coefficients() -> None:
    population = simulate_population(20_000, seed=11)
    covariates = design_matrix(population)
    fit = CoxPHFitter().fit(
        covariates.assign(years=population["followup_years"], died=population["event"]), "years", "died"
    )
    for coefficient in TRUE_COEFFICIENTS:
        error = fit.params_[coefficient.term] - coefficient.log_hazard_ratio
        assert abs(error) < 3 * fit.standard_errors_[coefficient.term], coefficient.term


def test_half_to_three_fifths_of_the_patients_die_in_eight_years_of_uniform_censoring() -> None:
    population = simulate_population(20_000, seed=12)
    assert 0.50 <= population["event"].mean() <= 0.60
    assert population["followup_years"].max() <= 8
    assert (population["followup_years"] > 0).all()


def test_population_is_the_same_for_the_same_seed_and_another_for_another() -> None:
    pd.testing.assert_frame_equal(simulate_population(50, seed=3), simulate_population(50, seed=3))
    assert not simulate_population(50, seed=3)["age_years"].equals(simulate_population(50, seed=4)["age_years"])


def test_population_is_plausible() -> None:
    population = simulate_population(5_000, seed=5)
    assert population["age_years"].between(25, 90).all()
    assert (population["age_years"] + population["biological_age_gap_years"]).between(20, 95).all()
    assert population["biological_age_gap_years"].std() == pytest.approx(6, abs=0.3)
    assert population["frailty"].std() == pytest.approx(1, abs=0.05)
    assert set(population.loc[population["site"] == "prostate", "sex"]) == {"M"}
    assert set(population["stage"]) == {"I", "II", "III", "IV"}
    assert set(population["ecog"]) == {0, 1, 2, 3, 4}


def test_twice_the_hazard_halves_the_cumulative_hazard_time() -> None:
    log_hazard = np.zeros(1_000)
    slow = survival_years(log_hazard, np.random.default_rng(0))
    fast = survival_years(log_hazard + np.log(2), np.random.default_rng(0))
    np.testing.assert_allclose(fast / slow, 0.5 ** (1 / 1.15))
