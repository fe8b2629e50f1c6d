"""Cox models against R's `survival`, on data sets lifelines ships: ties, strata, weights, clusters and late entry.

`reference/cox.R` made `reference/cox.json`; where R is installed, a test runs the script again.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import lifelines
import numpy as np
import pandas as pd
import pytest

from model.survival.cox import CoxFit, fit_cox
from model.survival.design import Covariate
from model.survival.influence import influence
from model.survival.interactions import interaction
from model.survival.nested import likelihood_ratio, wald
from model.survival.proportional_hazards import proportional_hazards, scaled_schoenfeld

REFERENCE = Path(__file__).parent / "reference"
DATA_SETS = Path(lifelines.__file__).parent / "datasets"
AGREEMENT = 1e-7
"""Relative; the reference iterates to convergence, as we do."""


@dataclass(frozen=True)
class Case:
    """A model that R fitted too: which columns, when to predict survival, and which coefficients stand for one term."""

    data: str
    columns: dict[str, str]
    covariates: tuple[Covariate, ...]
    times: tuple[float, float, float]
    fit: dict[str, Any] = field(default_factory=dict)


def number(column: str, **options: Any) -> Covariate:
    return Covariate(column, column, "continuous", **options)


def levels(column: str, *names: str) -> Covariate:
    return Covariate(column, column, "categorical", levels=names, reference=names[0])


WEEKS = {"week": "followup_years", "arrest": "event"}
LUNG = {"time": "followup_years", "status": "event"}
GBSG2 = {"time": "followup_years", "cens": "event"}
DEATH = {"time": "followup_years", "death": "event"}
HEART = {"stop": "followup_years"}
GRADE = levels("tgrade", "I", "II", "III")
HORMONES = levels("horTh", "no", "yes")

CASES = {
    "rossi": Case(
        "rossi", WEEKS, tuple(map(number, ("fin", "age", "race", "wexp", "mar", "paro", "prio"))), (5, 20, 50)
    ),
    "rossi_strata": Case(
        "rossi", WEEKS, tuple(map(number, ("fin", "age", "prio"))), (8, 20, 40), {"strata": ("race", "wexp")}
    ),
    "rossi_copies": Case(
        "rossi", WEEKS, tuple(map(number, ("fin", "age", "prio"))), (5, 20, 50), {"weights": "copies"}
    ),
    "lung_clusters": Case(
        "lung",
        LUNG,
        tuple(map(number, ("age", "sex", "ph.ecog", "wt.loss"))),
        (100, 300, 500),
        {"cluster": "inst"},
    ),
    "lung_sampling": Case(
        "lung", LUNG, tuple(map(number, ("age", "sex", "ph.ecog"))), (100, 300, 500), {"weights": "sampling"}
    ),
    "lung_all": Case(
        "lung",
        LUNG,
        tuple(map(number, ("age", "wt.loss"))),
        (100, 300, 500),
        {"strata": ("sex",), "weights": "sampling", "cluster": "inst"},
    ),
    "gbsg2": Case(
        "gbsg2", GBSG2, (number("age"), GRADE, HORMONES, number("pnodes", transform="log")), (500, 1000, 2000)
    ),
    "gbsg2_cut": Case(
        "gbsg2",
        GBSG2,
        (Covariate("age", "age", "cut", cuts=(45, 60)), number("tsize", transform="sqrt")),
        (500, 1000, 2000),
    ),
    "larynx": Case("larynx", DEATH, tuple(map(number, ("age", "Stage_II", "Stage_III", "Stage_IV"))), (1, 3, 6)),
    "leukemia": Case(
        "leukemia", {"t": "followup_years", "status": "event"}, tuple(map(number, ("sex", "logWBC", "Rx"))), (2, 8, 20)
    ),
    "kidney": Case(
        "kidney", DEATH, tuple(map(number, ("age", "black_male", "white_male", "black_female"))), (100, 1000, 3000)
    ),
    "heart": Case(
        "heart", HEART, tuple(map(number, ("age", "year", "surgery", "transplant"))), (30, 100, 500), {"entry": "start"}
    ),
    "heart_all": Case(
        "heart",
        HEART,
        tuple(map(number, ("age", "year", "transplant"))),
        (30, 100, 400),
        {"entry": "start", "strata": ("surgery",), "cluster": "id"},
    ),
    "heart_weighted": Case(
        "heart",
        HEART,
        tuple(map(number, ("age", "year"))),
        (30, 100, 400),
        {"entry": "start", "weights": "halves", "cluster": "id"},
    ),
    "aids": Case("aids", {"T": "followup_years", "D": "event"}, (number("AIDSY"),), (3, 4, 6), {"entry": "W"}),
    "dd": Case(
        "dd",
        {"duration": "followup_years", "observed": "event"},
        (levels("democracy", "Democracy", "Non-democracy"), number("start_year")),
        (1, 4, 8),
        {"strata": ("un_continent_name",), "cluster": "ctryname"},
    ),
}


def data_set(name: str) -> pd.DataFrame:
    """As the R script makes it."""
    files = {"leukemia": "anderson", "kidney": "kidney_transplant", "heart": "stanford_heart"}
    if name == "aids":
        return pd.read_csv(DATA_SETS / "multicenter_aids_cohort.tsv", sep="\t")
    frame = pd.read_csv(DATA_SETS / f"{files.get(name, name)}.csv", sep=" " if name == "leukemia" else ",")
    if name == "lung":
        frame = frame.dropna(subset=["inst", "age", "sex", "ph.ecog", "wt.loss"])
        return frame.assign(sampling=0.5 + (frame["age"] % 5) / 4)
    if name == "rossi":
        return frame.assign(copies=1 + frame["age"] % 3)
    if name == "heart":
        return frame.assign(halves=1 + frame["id"] % 2 / 2)
    if name == "dd":
        return frame.dropna(subset=["un_continent_name", "ctryname", "democracy", "start_year"])
    return frame


@cache
def reference() -> dict[str, Any]:
    return json.loads((REFERENCE / "cox.json").read_text())


@cache
def fitted(name: str) -> tuple[pd.DataFrame, CoxFit]:
    case = CASES[name]
    frame = data_set(case.data).rename(columns=case.columns).reset_index(drop=True)
    return frame, fit_cox(frame, case.covariates, **case.fit)


def agree(ours: Any, theirs: list[float], rel: float = AGREEMENT) -> None:
    assert np.ravel(ours).tolist() == pytest.approx(theirs, rel=rel, abs=1e-13)


@pytest.mark.parametrize("name", CASES)
def test_estimates_equal_r(name):
    theirs, (_, fit) = reference()["cases"][name], fitted(name)
    agree(fit.beta, theirs["coefficients"])
    agree(fit.covariance, theirs["covariance"])
    agree(fit.naive_covariance, theirs["naive_covariance"])
    agree([c.standard_error for c in fit.coefficients], np.sqrt(np.diag(fit.covariance)).tolist())
    agree(fit.log_likelihood, theirs["log_likelihood"])
    agree(fit.null_log_likelihood, theirs["null_log_likelihood"])
    agree(fit.concordance, theirs["concordance"])


@pytest.mark.parametrize("name", CASES)
def test_proportional_hazards_equal_r(name):
    theirs, (_, fit) = reference()["cases"][name], fitted(name)
    for transform in ("km", "identity", "rank"):
        tests = proportional_hazards(fit, transform)
        chi_squared = [test.chi_squared for test in (*tests.by_term.values(), tests.overall)]
        agree(chi_squared, theirs[f"zph_{transform}"], rel=1e-6)
    tests = proportional_hazards(fit)
    agree([test.p_value for test in (*tests.by_term.values(), tests.overall)], theirs["zph_km_p"], rel=1e-6)
    of_covariates = [test.chi_squared for test in (*tests.by_covariate.values(), tests.overall)]
    agree(of_covariates, theirs["zph_covariates"], rel=1e-6)
    assert list(fit.ph_p_values.values()) == [test.p_value for test in tests.by_term.values()]


@pytest.mark.parametrize("name", CASES)
def test_residuals_equal_r(name):
    theirs, (_, fit) = reference()["cases"][name], fitted(name)
    found = influence(fit)
    agree((found.dfbetas**2).sum(axis=0), theirs["dfbetas_squares"], rel=1e-6)
    assert [abs(one.dfbetas) for one in found.largest()] == pytest.approx(np.abs(theirs["dfbetas_largest"]), rel=1e-6)
    scaled = scaled_schoenfeld(fit).residuals
    agree((scaled**2).sum(axis=0), theirs["scaled_schoenfeld_squares"], rel=1e-6)


@pytest.mark.parametrize("name", CASES)
def test_predicted_survival_equals_r(name):
    theirs, (frame, fit) = reference()["cases"][name], fitted(name)
    people = frame.iloc[:3]
    for baseline in ("breslow", "efron"):
        predicted = [fit.survival(people, time, baseline=baseline) for time in CASES[name].times]
        agree(np.transpose(predicted), theirs[f"survival_{baseline}"])


def test_a_spline_spans_the_natural_spline_of_r():
    theirs = reference()["tests"]
    frame = data_set("gbsg2").rename(columns=GBSG2)
    age = Covariate("age", "age", "spline", knots=4)
    linear, spline = (fit_cox(frame, (each, HORMONES)) for each in (number("age"), age))
    agree(spline.log_likelihood, theirs["spline_log_likelihood"])
    # R centres its columns on other values, so only differences between persons can be compared.
    ours, of_r = spline.log_risk(frame)[:5], np.array(theirs["spline_log_risk"])
    agree(ours[1:] - ours[0], (of_r[1:] - of_r[0]).tolist(), rel=1e-6)
    test = likelihood_ratio(linear, spline)
    agree([test.chi_squared, test.degrees, test.p_value], theirs["nonlinearity"], rel=1e-6)


def test_interactions_equal_r():
    theirs = reference()["tests"]
    frame = data_set("lung").rename(columns=LUNG)
    frame["sex"] = np.where(frame["sex"] == 1, "male", "female")
    covariates, sex = (number("ph.ecog"), number("age")), levels("sex", "male", "female")
    found = interaction(frame, covariates, "age", sex)
    test = found.likelihood_ratio
    agree([test.chi_squared, test.degrees, test.p_value], theirs["interaction"], rel=1e-6)
    agree(found.wald.chi_squared, theirs["interaction_wald"], rel=1e-6)
    women = found.effects[1]
    assert women.level == "female" and women.rows == (frame["sex"] == "female").sum()
    (age,) = women.coefficients
    agree([age.log_hazard_ratio, age.standard_error], theirs["age_in_women"])

    clustered = interaction(frame, covariates, "age", sex, cluster="inst")
    assert clustered.likelihood_ratio is None
    joint = wald(clustered.fit, ["age", "age:sex=female"])
    agree(joint.chi_squared, theirs["joint_robust_wald"], rel=1e-6)


@pytest.mark.skipif(shutil.which("Rscript") is None, reason="R is not installed")
def test_r_still_says_the_same(tmp_path):
    """The stored values are what the script writes; another version of R may round differently."""
    written = tmp_path / "cox.json"
    subprocess.run(["Rscript", REFERENCE / "cox.R", DATA_SETS, written], check=True, capture_output=True, timeout=300)
    fresh = json.loads(written.read_text())
    for stored, again in ((reference()["tests"], fresh["tests"]), *_pairs(reference()["cases"], fresh["cases"])):
        assert stored.keys() == again.keys()
        for key, numbers in stored.items():
            assert again[key] == pytest.approx(numbers, rel=AGREEMENT, abs=1e-12), key


def _pairs(stored: dict[str, Any], again: dict[str, Any]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    assert stored.keys() == again.keys()
    return [(numbers, again[name]) for name, numbers in stored.items()]
