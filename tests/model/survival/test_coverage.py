"""95 % intervals cover the truth: repeated draws of the demo hospital's population, whose hazard ratios are known.

The fitted model is the one the survival times come from: true biological-age gap and true frailty, not their estimates
from a photograph, which would be attenuated (docs/statistics.md).
"""

from __future__ import annotations

import math

import pytest

from jobs.demo.population import simulate_population
from jobs.demo.truth import SITES, STAGES, TRUE_COEFFICIENTS
from model.survival.cox import fit_cox
from model.survival.design import Covariate

DRAWS = 600
PERSONS = 800

COVARIATES = (
    Covariate("age", "age_years", "continuous", per=10, unit="years"),
    Covariate("biological_age_gap", "biological_age_gap_years", "continuous", per=10, unit="years"),
    Covariate("frailty", "frailty", "continuous"),
    Covariate("sex", "sex", "categorical", levels=("F", "M"), reference="F"),
    Covariate("site", "site", "categorical", levels=SITES, reference="breast"),
    Covariate("stage", "stage", "categorical", levels=STAGES, reference="I"),
    Covariate("ecog", "ecog", "continuous", unit="point"),
)
TRUTH = {coefficient.term: coefficient.log_hazard_ratio for coefficient in TRUE_COEFFICIENTS}


@pytest.mark.slow
def test_intervals_cover_the_truth():
    covered = dict.fromkeys(TRUTH, 0)
    for seed in range(DRAWS):
        for coefficient in fit_cox(simulate_population(PERSONS, seed), COVARIATES).coefficients:
            name = coefficient.term.name
            covered[name] += coefficient.ci_lower <= math.exp(TRUTH[name]) <= coefficient.ci_upper
    coverage = {name: count / DRAWS for name, count in covered.items()}
    assert {name: share for name, share in coverage.items() if not 0.92 <= share <= 0.98} == {}, coverage
