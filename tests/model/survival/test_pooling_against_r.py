"""Rubin's rules and D1 against R's `mice` and `mitml`, over completed data sets that both can make.

`reference/pooling.R` made `reference/pooling.json`; where R has the packages, a test runs the script again.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import lifelines
import numpy as np
import pandas as pd
import pytest

from model.errors import NotComputable
from model.survival.covariates import Covariate
from model.survival.cox import CoxFit, fit_cox
from model.survival.pooled_predictions import pooled_predictions
from model.survival.pooled_tests import Estimate, pooled_estimates, pooled_wald, wald_of
from model.survival.pooling import pooled_fit
from model.survival.proportional_hazards import proportional_hazards

REFERENCE = Path(__file__).parent / "reference"
DATA_SETS = Path(lifelines.__file__).parent / "datasets"
AGREEMENT = 1e-6
TERMS = ("age", "sex", "ph.ecog", "wt.loss")


@cache
def reference() -> dict[str, Any]:
    return json.loads((REFERENCE / "pooling.json").read_text())


def completed(number: int) -> pd.DataFrame:
    """As the R script makes it."""
    frame = pd.read_csv(DATA_SETS / "lung.csv").dropna(subset=["inst", *TERMS]).reset_index(drop=True)
    row = np.arange(len(frame))
    frame["ph.ecog"] = np.where(row % 4 == 0, (row // 4 + number) % 3, frame["ph.ecog"])
    frame["wt.loss"] = np.where(row % 3 == 0, (7 * row + 5 * number) % 30, frame["wt.loss"])
    return frame.rename(columns={"time": "followup_years", "status": "event"})


@cache
def fits(terms: int = len(TERMS)) -> tuple[CoxFit, ...]:
    covariates = tuple(Covariate(name, name, "continuous") for name in TERMS[:terms])
    return tuple(fit_cox(completed(number), covariates) for number in range(1, 6))


def test_pooled_coefficients_are_those_of_mice():
    found, theirs = pooled_fit(fits()), reference()
    for ours, key in (
        ([c.log_hazard_ratio for c in found.coefficients], "estimate"),
        ([c.standard_error for c in found.coefficients], "standard_error"),
        (found.pooled.degrees, "degrees"),
        ([c.p_value for c in found.coefficients], "p_value"),
        (np.log([c.ci_lower for c in found.coefficients]), "lower"),
        (np.log([c.ci_upper for c in found.coefficients]), "upper"),
        (found.pooled.missing_information, "missing_information"),
    ):
        assert list(ours) == pytest.approx(theirs[key], rel=AGREEMENT), key
    assert 0.5 < found.concordance < 0.8 and found.persons == len(completed(1))


def test_a_pooled_wald_test_is_d1_of_mitml():
    found, theirs = pooled_wald(fits(), ["ph.ecog", "wt.loss"]), reference()["d1"]
    told = [found.chi_squared / found.degrees, found.degrees, found.denominator_degrees, found.p_value]
    assert told == pytest.approx(theirs, rel=AGREEMENT)


def test_data_sets_that_do_not_differ_give_the_test_of_one():
    one = fits()[0]
    same = pooled_wald([one] * 4, ["age"])
    assert same.denominator_degrees is None and same.chi_squared == pytest.approx(one.coefficients[0].z ** 2)
    assert same.p_value == pytest.approx(one.coefficients[0].p_value)
    hazards = proportional_hazards(one).overall
    pooled = pooled_estimates([Estimate(TERMS, hazards.change, hazards.covariance)] * 4)
    assert (pooled.chi_squared, pooled.p_value) == pytest.approx((hazards.chi_squared, hazards.p_value))


def test_under_the_null_a_test_cries_out_as_often_as_it_says():
    """Estimates of three zeros, half of the information missing: D1 at 5 % rejects 5 % of 2,000 draws."""
    rng = np.random.default_rng(1)
    within = np.array([[1.0, 0.5, 0.2], [0.5, 1.0, 0.3], [0.2, 0.3, 1.0]])
    root = np.linalg.cholesky(within)
    rejected = 0
    for _ in range(2_000):
        # Between data sets a third of the variance within, so that the estimate's own is four thirds of it.
        centre = root @ rng.standard_normal(3) * np.sqrt(4 / 3)
        estimates = centre + (root @ rng.standard_normal((3, 10))).T * np.sqrt(1 / 3)
        rejected += wald_of(estimates, np.array([within] * 10)).p_value < 0.05
    assert 0.03 < rejected / 2_000 < 0.07


def test_predictions_are_pooled_on_the_scale_of_the_hazard():
    table = pd.DataFrame(
        {
            "log_risk": [0.0, 1.0],
            "log_risk_standard_error": [0.3, 0.3],
            "ranked_by": [0.0, 1.0],
            "survival_1_year": [0.9, 0.5],
            "survival_1_year_lower": [0.8, 0.3],
            "survival_1_year_upper": [0.95, 0.7],
            "survival_0.5_year": [0.95, 0.7],
            "percentile": [50.0, 100.0],
            "quartile": [2, 4],
        }
    )
    same = pooled_predictions([table, table], horizons_years=(1.0,), times_years=(0.5, 1.0))
    assert same["survival_1_year"].tolist() == pytest.approx([0.9, 0.5])
    assert same["log_risk_standard_error"].tolist() == pytest.approx([0.3, 0.3])
    other = table.assign(log_risk=[0.4, 0.6], ranked_by=[0.4, 0.6], survival_1_year=[0.8, 0.6])
    found = pooled_predictions([table, other], horizons_years=(1.0,))
    assert found["log_risk"].tolist() == pytest.approx([0.2, 0.8])
    assert found["log_risk_standard_error"].iloc[0] == pytest.approx(np.sqrt(0.09 + 1.5 * 0.08))
    assert 0.8 < found["survival_1_year"].iloc[0] < 0.9
    assert found["survival_1_year_lower"].iloc[0] < 0.8 and found["quartile"].tolist() == [2, 4]


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda: pooled_wald(fits(), ["stage"]), "lacks one of the terms"),
        (lambda: pooled_wald(fits()[:1], ["age"]), "fewer than two"),
        (
            lambda: pooled_estimates([Estimate((name,), np.ones(1), np.eye(1)) for name in "ab"]),
            "lacks one of the terms",
        ),
        (lambda: wald_of(np.ones((3, 2)), np.ones((3, 2, 2))), "singular"),
    ],
)
def test_what_cannot_be_pooled_says_why(call, reason):
    with pytest.raises(NotComputable, match=reason):
        call()


def has_packages() -> bool:
    if shutil.which("Rscript") is None:
        return False
    return subprocess.run(["Rscript", "-e", "library(mice); library(mitml)"], capture_output=True).returncode == 0


def test_r_still_says_the_same(tmp_path):
    """The stored values are what the script writes."""
    if not has_packages():
        pytest.skip("R's mice and mitml are not installed")
    written = tmp_path / "pooling.json"
    subprocess.run(
        ["Rscript", REFERENCE / "pooling.R", DATA_SETS, written], check=True, capture_output=True, timeout=120
    )
    fresh = json.loads(written.read_text())
    for key in reference().keys() - {"version"}:
        assert fresh[key] == pytest.approx(reference()[key], rel=1e-9), key
