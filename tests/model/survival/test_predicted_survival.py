"""Predicted survival and its interval against R's `survfit` of a Cox model, and by resampling."""

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

from model.survival.cox import fit_cox
from model.survival.design import Covariate
from model.survival.errors import FitRefused
from model.survival.predicted_survival import SurvivalPredictor

REFERENCE = Path(__file__).parent / "reference"
DATA_SETS = Path(lifelines.__file__).parent / "datasets"
AGREEMENT = 1e-7


def covariates(*columns: str) -> tuple[Covariate, ...]:
    return tuple(Covariate(column, column, "continuous") for column in columns)


def rossi() -> pd.DataFrame:
    return pd.read_csv(DATA_SETS / "rossi.csv").rename(columns={"week": "followup_years", "arrest": "event"})


def heart() -> pd.DataFrame:
    return pd.read_csv(DATA_SETS / "stanford_heart.csv").rename(columns={"stop": "followup_years"})


CASES: dict[str, tuple[pd.DataFrame, tuple[Covariate, ...], tuple[int, ...], dict[str, Any]]] = {
    "rossi": (rossi(), covariates("fin", "age", "prio"), (5, 20, 50), {}),
    "rossi_strata": (rossi(), covariates("fin", "age", "prio"), (8, 20, 40), {"strata": ("race",)}),
    "heart": (heart(), covariates("age", "year", "transplant"), (30, 100, 400), {"entry": "start"}),
}


@cache
def stored() -> dict[str, Any]:
    return json.loads((REFERENCE / "predicted.json").read_text())


@pytest.mark.parametrize("case", CASES)
def test_survival_and_interval_are_those_of_r(case):
    frame, terms, times, options = CASES[case]
    fit = fit_cox(frame, terms, **options)
    found = [SurvivalPredictor(fit).at(fit.described(frame.iloc[:3]), time) for time in times]
    for name in ("survival", "lower", "upper"):
        ours = np.column_stack([getattr(one, name) for one in found]).ravel()
        assert ours.tolist() == pytest.approx(stored()[case][name], rel=AGREEMENT)


@pytest.mark.skipif(shutil.which("Rscript") is None, reason="R is not installed")
def test_r_still_gives_the_stored_values():
    told = subprocess.run(
        ["Rscript", str(REFERENCE / "predicted.R"), str(DATA_SETS)], check=True, capture_output=True, text=True
    )
    again = json.loads(told.stdout)
    for case in CASES:
        for name, values in stored()[case].items():
            assert again[case][name] == pytest.approx(values, rel=1e-10)


def test_the_interval_is_as_wide_as_resampling_says():
    """Of a person in the middle and one at the edge: the standard deviation of log(-log S) over refits."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=400)
    times = rng.exponential(3 * np.exp(-0.6 * x))
    frame = pd.DataFrame({"x": x, "followup_years": np.minimum(times, 5.0), "event": times < 5.0})
    people = pd.DataFrame({"x": [0.0, 2.0]})
    fit = fit_cox(frame, covariates("x"))
    found = SurvivalPredictor(fit).at(fit.described(people), 2.0)
    told = (np.log(-np.log(found.lower)) - np.log(-np.log(found.upper))) / (2 * 1.959964)
    drawn = []
    for _ in range(200):
        own = frame.iloc[rng.integers(len(frame), size=len(frame))]
        drawn.append(np.log(-np.log(fit_cox(own, covariates("x")).survival(people, 2.0))))
    assert told.tolist() == pytest.approx(np.std(drawn, axis=0).tolist(), rel=0.2)


def test_before_the_first_event_survival_is_certain_and_after_follow_up_there_is_none():
    frame = rossi()
    fit = fit_cox(frame, covariates("age"))
    predictor = SurvivalPredictor(fit)
    found = predictor.at(fit.described(frame.iloc[:2]), 0.5)
    assert found.survival.tolist() == found.lower.tolist() == found.upper.tolist() == [1.0, 1.0]
    with pytest.raises(FitRefused, match="nobody was followed for 60 years"):
        predictor.at(fit.described(frame), 60)


def test_the_error_of_a_log_risk_is_that_of_its_combination():
    frame = rossi()
    fit = fit_cox(frame, covariates("age", "prio"))
    found = SurvivalPredictor(fit).log_risk_error(fit.described(frame.iloc[:5]))
    apart = frame.iloc[:5][["age", "prio"]].to_numpy() - frame[["age", "prio"]].to_numpy().mean(axis=0)
    assert found.tolist() == pytest.approx([np.sqrt(row @ fit.covariance @ row) for row in apart])
