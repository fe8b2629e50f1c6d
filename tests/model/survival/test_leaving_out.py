"""Refits without a fold: leaving rows out of what is ready gives what making the others ready by themselves gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from model.survival.covariates import Covariate
from model.survival.cox import prepare
from model.survival.cross_fitting import cross_fitted_risk, folds_of
from model.survival.errors import FitRefused
from model.survival.leaving_out import learns_of_rows
from model.survival.sharing import FEWEST_ROWS, sharing

AGE = Covariate("age", "age", "continuous")
SITE = Covariate("site", "site", "categorical", levels=("breast", "lung", "brain", "rare"), reference="breast")
BAND = Covariate("band", "age", "cut", cuts=(-0.5, 0.5))
FOLDS = 4


def people(rows: int = FEWEST_ROWS + 500, rows_each: int = 1) -> pd.DataFrame:
    """Some enter late; so many rows are of one person."""
    rng = np.random.default_rng(6)
    age, site = rng.normal(0, 1, rows), rng.choice(np.array(["breast", "lung", "brain"], dtype=object), rows)
    death = rng.exponential(3 * np.exp(-0.5 * age - 0.7 * (site == "lung")))
    censored = rng.uniform(0.5, 5, rows)
    ends = np.ceil(np.minimum(death, censored) * 365.25) / 365.25
    return pd.DataFrame(
        {
            "person_id": np.arange(rows) // rows_each,
            "age": age,
            "site": site,
            "followup_years": ends,
            "event": death <= censored,
            "entry_years": np.where(rng.random(rows) < 0.3, ends * rng.uniform(0, 0.9, rows), 0.0),
            "weight": rng.integers(1, 3, rows).astype(float),
        }
    )


@pytest.mark.parametrize(
    ("covariates", "columns", "rows_each"),
    [
        ((AGE, SITE), {}, 1),
        ((AGE, BAND), {"strata": ("site",)}, 1),
        ((AGE, SITE), {"entry": "entry_years", "weights": "weight"}, 1),
        ((AGE, SITE), {"cluster": "person_id"}, 2),
    ],
    ids=["plain", "strata", "late and weighted", "clusters"],
)
def test_predictions_are_those_of_fits_to_the_others(
    covariates: tuple[Covariate, ...], columns: dict[str, Any], rows_each: int
) -> None:
    frame = people(rows_each=rows_each)
    fold = folds_of(frame["person_id"].to_numpy(), FOLDS)
    asked = {"folds": FOLDS, "horizons_years": (1.0, 2.0), "times_years": (0.5,), **columns}
    with sharing():
        found = cross_fitted_risk(frame, covariates, **asked)
    alone = cross_fitted_risk(frame, covariates, others_of=lambda number: frame[fold != number], **asked)
    assert list(found) == list(alone)
    for name in found:
        assert found[name].to_numpy() == pytest.approx(alone[name].to_numpy(), rel=1e-9, abs=1e-9), name


def test_a_level_that_only_one_fold_has_is_refused_by_its_name() -> None:
    frame = people()
    fold = folds_of(frame["person_id"].to_numpy(), FOLDS)
    frame.loc[np.flatnonzero(fold == 2)[:200], "site"] = "rare"
    with pytest.raises(FitRefused, match="without fold 2: no person of the fit has site=rare"):
        cross_fitted_risk(frame, (AGE, SITE), folds=FOLDS, horizons_years=(1.0,))


def test_cut_points_and_knots_are_learnt_of_rows() -> None:
    frame = people(2000)
    quarters, bent = Covariate("quarter", "age", "quartile"), Covariate("bent", "age", "spline", knots=3)
    learning = [learns_of_rows(prepare(frame, (one,)).design) for one in (AGE, SITE, BAND, quarters, bent)]
    assert learning == [False, False, False, True, True]
