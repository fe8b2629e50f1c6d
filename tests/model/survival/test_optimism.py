"""Optimism: models of noise are seen through, and the draws can be made anywhere."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
import pytest

from model.errors import NotComputable
from model.survival.bootstrap import Resampling
from model.survival.cox import fit_cox
from model.survival.design import Covariate
from model.survival.fit_columns import FitColumns
from model.survival.optimism import draws, optimism, summary_of


def people(persons: int = 150, *, noise: int = 8, effect: float = 0.0, seed: int = 3) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    columns = {f"x{number}": rng.normal(size=persons) for number in range(noise)}
    death = rng.exponential(np.exp(-effect * columns["x0"]))
    censoring = rng.uniform(0, 3, persons)
    return pd.DataFrame(
        {
            "followup_years": np.minimum(death, censoring) + 1e-6,
            "event": death <= censoring,
            "site": rng.choice(["a", "b"], persons),
            **columns,
        }
    )


def covariates(count: int = 8) -> tuple[Covariate, ...]:
    return tuple(Covariate(f"x{number}", f"x{number}", "continuous") for number in range(count))


def test_a_model_of_noise_predicts_nothing():
    found = [optimism(people(seed=seed), covariates(), resampling=Resampling(40)) for seed in range(6)]
    assert np.mean([each.apparent_c for each in found]) > 0.56
    assert np.mean([each.corrected_c for each in found]) == pytest.approx(0.5, abs=0.03)
    assert np.mean([each.corrected_slope for each in found]) < 0.7
    assert {each.draws for each in found} == {40}


def test_a_true_effect_among_many_persons_stays():
    found = optimism(people(2000, noise=2, effect=1.0), covariates(2), resampling=Resampling(20))
    assert abs(found.c_optimism) < 0.003
    assert found.corrected_slope == pytest.approx(1, abs=0.03)
    assert found.apparent_c == pytest.approx(fit_cox(people(2000, noise=2, effect=1.0), covariates(2)).concordance)


def test_draws_depend_on_their_number_alone():
    frame, resampling = people(), Resampling(10, seed=4)
    fit = fit_cox(frame, covariates(), quick=True)
    drawn = partial(draws, frame, covariates(), resampling=resampling, near=fit.estimates)
    whole, parts = drawn(range(10)), [drawn(numbers) for numbers in (range(4), range(4, 10))]
    assert whole == [*parts[0], *parts[1]]
    pooled = summary_of(fit.concordance, whole, persons=len(frame), resampling=resampling)
    assert pooled == optimism(frame, covariates(), resampling=resampling)
    assert whole != draws(frame, covariates(), range(10), resampling=Resampling(10, seed=5))


def test_the_optimism_of_some_scales_to_that_of_all():
    """Of 1,200 persons 300 are drawn each time; their optimism is four times that of all, and scaled back."""
    frame = people(1200, effect=0.8)
    every, some = (optimism(frame, covariates(), resampling=Resampling(60, largest=size)) for size in (None, 300))
    assert some.c_optimism == pytest.approx(every.c_optimism, abs=0.0015)
    assert every.c_optimism > 0.001
    assert 1 - some.corrected_slope == pytest.approx(1 - every.corrected_slope, rel=0.5)


def test_strata_and_rows_of_one_person_are_kept_apart():
    frame = people(200, noise=2, effect=0.8).assign(person=np.arange(200) // 2)
    columns = FitColumns(strata=("site",))
    found = optimism(frame, covariates(2), columns=columns, person="person", resampling=Resampling(20))
    assert found.apparent_c == pytest.approx(fit_cox(frame, covariates(2), strata=("site",)).concordance)
    assert 0.55 < found.corrected_c < found.apparent_c + 0.02


def test_refits_that_are_refused_too_often_leave_no_number():
    frame = people(60, noise=1)
    frame["rare"] = np.where(frame.index == frame["event"].idxmax(), "yes", "no")
    rare = Covariate("rare", "rare", "categorical", levels=("no", "yes"), reference="no")
    with pytest.raises(NotComputable, match="refits were refused"):
        optimism(frame, (rare, *covariates(1)), resampling=Resampling(20))
