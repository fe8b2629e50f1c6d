"""A person's own outcome never reaches the model that predicts the person."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd
import pytest

from model.survival.cross_fitting import cross_fitted_risk, folds_of
from model.survival.design import Covariate
from model.survival.errors import FitRefused

COVARIATES = (
    Covariate("age", "age", "continuous", per=10, unit="years"),
    Covariate("score", "score", "continuous", per=None),
    Covariate("score_quartile", "score", "quartile"),
)


@pytest.fixture
def people() -> pd.DataFrame:
    rng = np.random.default_rng(11)
    age, score = rng.normal(60, 10, 240), rng.normal(0, 1, 240)
    time = 4 * rng.exponential(np.exp(-0.03 * (age - 60) - 0.6 * score))
    return pd.DataFrame(
        {
            "person_id": np.arange(1000, 1240),
            "followup_years": np.minimum(time, 6.0),
            "event": time < 6.0,
            "age": age,
            "score": score,
        }
    )


def predictions(people: pd.DataFrame) -> pd.DataFrame:
    return cross_fitted_risk(people, COVARIATES, folds=5, horizons_years=(1.0, 3.0)).set_index("person_id")


@pytest.mark.parametrize("position", [0, 17, 239])
def test_own_outcome_changes_only_other_folds(people, position):
    before = predictions(people)
    changed = people.copy()
    changed.loc[position, "event"] = not changed.loc[position, "event"]
    changed.loc[position, "followup_years"] = 0.01
    after = predictions(changed)
    person = people.loc[position, "person_id"]
    predicted = ["log_risk", "survival_1_year", "survival_3_year"]
    same_fold = before["fold"] == before.loc[person, "fold"]
    assert (after.loc[same_fold, predicted] == before.loc[same_fold, predicted]).all(axis=None)
    assert (after.loc[~same_fold, "log_risk"] != before.loc[~same_fold, "log_risk"]).all()


def test_own_covariates_do_not_shape_the_model(people):
    """Standard deviations and cut points come from the other folds, too."""
    before = predictions(people)
    changed = people.copy()
    changed.loc[5, "score"] = 40.0
    after = predictions(changed)
    person = people.loc[5, "person_id"]
    same_fold = (before["fold"] == before.loc[person, "fold"]) & (before.index != person)
    assert (after.loc[same_fold, "log_risk"] == before.loc[same_fold, "log_risk"]).all()


def test_predictions_are_ranked_and_make_sense(people):
    table = predictions(people)
    assert table["percentile"].max() == 100
    assert table["quartile"].value_counts().tolist() == [60] * 4
    assert (table["survival_1_year"] >= table["survival_3_year"]).all()
    died = people.set_index("person_id")["event"]
    assert died[table["quartile"] == 4].mean() > died[table["quartile"] == 1].mean()


def test_fold_depends_on_the_person_alone(people):
    shuffled = people.sample(frac=1, random_state=3)
    assert predictions(shuffled)["fold"].sort_index().equals(predictions(people)["fold"].sort_index())
    digests = [hashlib.sha256(str(person).encode()).digest() for person in range(100)]
    expected = [int.from_bytes(digest[:8], "big") % 5 for digest in digests]
    assert folds_of(np.arange(100), 5).tolist() == expected and set(expected) == {0, 1, 2, 3, 4}


def test_a_refused_refit_refuses_all_predictions(people):
    with pytest.raises(FitRefused, match=r"without fold .: no events"):
        cross_fitted_risk(people.assign(event=False), COVARIATES, folds=5, horizons_years=(1.0,))
    with pytest.raises(FitRefused, match="nobody was followed for 50 years"):
        cross_fitted_risk(people, COVARIATES, folds=5, horizons_years=(50.0,))
