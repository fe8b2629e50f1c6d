"""Multiple imputation: values missing at random no longer bias hazard ratios, and Rubin's rules add up."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from lifelines import NelsonAalenFitter

from model.errors import NotComputable
from model.survival.cox import fit_cox
from model.survival.design import Covariate
from model.survival.imputation import Imputed, impute, missingness, nelson_aalen
from model.survival.pooling import pool, pool_fits

COLUMNS = (Imputed("age", "number"), Imputed("ecog", "number"), Imputed("stage", "level"))
COVARIATES = (
    Covariate("age", "age", "continuous", per=10, unit="years"),
    Covariate("ecog", "ecog", "continuous"),
    Covariate("stage", "stage", "categorical", levels=("I", "II", "III"), reference="I"),
)


def people(persons: int = 500, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    age = rng.normal(60, 10, persons)
    ecog = np.clip(np.round(rng.normal(1 + (age - 60) / 15, 0.8)), 0, 4)
    stage = np.array(["I", "II", "III"])[np.clip((rng.normal(1, 0.8, persons) + ecog / 3).astype(int), 0, 2)]
    rate = 0.3 * np.exp(0.03 * (age - 60) + 0.4 * ecog + 0.5 * (stage == "II") + 1.0 * (stage == "III"))
    death, censoring = rng.exponential(1 / rate), rng.uniform(0.5, 5, persons)
    return pd.DataFrame(
        {
            "followup_years": np.minimum(death, censoring),
            "event": death <= censoring,
            "age": age,
            "ecog": ecog,
            "stage": stage.astype(object),
        }
    )


def with_gaps(frame: pd.DataFrame, seed: int = 2) -> pd.DataFrame:
    """ECOG is missing more often of the old and of those who died, stage of those followed for long."""
    rng = np.random.default_rng(seed)
    holed = frame.copy()
    chance = 1 / (1 + np.exp(1.5 - (frame["age"] - 60) / 8 - 1.0 * frame["event"]))
    holed.loc[rng.random(len(frame)) < chance, "ecog"] = np.nan
    holed.loc[rng.random(len(frame)) < 0.15 + 0.1 * (frame["followup_years"] > 1), "stage"] = None
    return holed


def test_known_values_stay_and_imputed_ones_occur():
    holed = with_gaps(people())
    for completed in impute(holed, COLUMNS, repeats=3, cycles=4):
        assert completed[["age", "ecog", "stage"]].notna().all(axis=None)
        for column in ("age", "ecog", "stage"):
            known = holed[column].notna()
            assert (completed.loc[known, column] == holed.loc[known, column]).all()
            assert set(completed[column]) <= set(holed.loc[known, column])
        assert (completed["followup_years"] == holed["followup_years"]).all()


def test_the_same_seed_gives_the_same_values_whatever_the_number_of_frames():
    holed = with_gaps(people(200))
    few, more = impute(holed, COLUMNS, repeats=2, cycles=3), impute(holed, COLUMNS, repeats=4, cycles=3)
    for one, other in zip(few, more, strict=False):
        pd.testing.assert_frame_equal(one, other, check_exact=True)
    assert not few[0]["ecog"].equals(few[1]["ecog"])
    assert not few[0]["ecog"].equals(impute(holed, COLUMNS, repeats=1, cycles=3, seed=9)[0]["ecog"])


def test_without_gaps_nothing_changes():
    frame = people(100)
    for completed in impute(frame, COLUMNS, repeats=2):
        pd.testing.assert_frame_equal(completed, frame, check_exact=True)


def test_hazard_ratios_are_those_of_all_values_where_complete_cases_mislead():
    frame = people(3000)
    holed = with_gaps(frame)
    truth, complete = (fit_cox(each, COVARIATES, quick=True).coefficients for each in (frame, holed.dropna()))
    completed = impute(holed, COLUMNS, repeats=8)
    coefficients, pooled = pool_fits([fit_cox(each, COVARIATES, quick=True) for each in completed])
    for one, other, without in zip(coefficients, truth, complete, strict=True):
        assert one.term == other.term
        # ECOG, missing of most of the old, is imputed by extrapolation and comes out a little weak.
        assert one.log_hazard_ratio == pytest.approx(other.log_hazard_ratio, abs=0.12)
        assert other.standard_error < one.standard_error < without.standard_error
    assert abs(complete[0].log_hazard_ratio - truth[0].log_hazard_ratio) > 0.07, "age, which decides what is missing"
    assert abs(coefficients[0].log_hazard_ratio - truth[0].log_hazard_ratio) < 0.05
    assert 0.1 < pooled.missing_information.max() < 0.8
    # Who died is missing more often, so that the complete cases seem to die less: their predictions are too low.
    assert holed.dropna()["event"].mean() < frame["event"].mean() - 0.05


def test_the_outcome_is_among_the_predictors():
    """Half of the values of a strong covariate are missing: without the outcome its ratio would be halved."""
    rng = np.random.default_rng(3)
    frame = people(2000).assign(marker=rng.normal(size=2000))
    death, censoring = rng.exponential(np.exp(-1.0 * frame["marker"])), rng.uniform(0.2, 3, 2000)
    frame["followup_years"], frame["event"] = np.minimum(death, censoring), death <= censoring
    frame.loc[rng.random(2000) < 0.5, "marker"] = np.nan
    marker = (Covariate("marker", "marker", "continuous"),)
    completed = impute(frame, (Imputed("marker", "number"),), repeats=8)
    coefficients, _ = pool_fits([fit_cox(each, marker) for each in completed])
    assert coefficients[0].log_hazard_ratio == pytest.approx(1.0, abs=0.15)


def test_a_level_that_another_column_determines_is_no_trouble():
    frame = with_gaps(people(300)).assign(age=lambda f: np.where(f["stage"] == "III", 90.0, 50.0))
    completed = impute(frame, COLUMNS, repeats=1, cycles=3)[0]
    assert completed["stage"].notna().all()


def test_nelson_aalen_equals_lifelines():
    frame = people(200)
    durations = frame["followup_years"].round(1) + 0.1
    found = nelson_aalen(durations.to_numpy(), frame["event"].to_numpy())
    theirs = NelsonAalenFitter(nelson_aalen_smoothing=False).fit(durations, frame["event"])
    assert found == pytest.approx(theirs.predict(durations).to_numpy(), abs=1e-12)


def test_missingness_is_told():
    found = missingness(with_gaps(people()), ["age", "ecog"])
    assert found[0].missing == 0 and found[0].share == 0
    assert found[1].missing == with_gaps(people())["ecog"].isna().sum() == pytest.approx(500 * found[1].share)


def test_rubins_rules():
    """By hand: within 0.05, between 0.02, m = 4 and 60 degrees of freedom."""
    estimates = np.array([[1.0], [1.2], [0.9], [1.1]])
    variances = np.array([[0.04], [0.06], [0.05], [0.05]])
    between, within = np.var(estimates, ddof=1), 0.05
    total = within + 1.25 * between
    share = 1.25 * between / total
    old, observed = 3 / share**2, 61 / 63 * 60 * (1 - share)
    found = pool(estimates, variances, complete_degrees=60)
    assert found.estimate[0] == pytest.approx(1.05)
    assert found.standard_error[0] == pytest.approx(np.sqrt(total))
    assert found.degrees[0] == pytest.approx(old * observed / (old + observed))
    increase = 1.25 * between / within
    assert found.missing_information[0] == pytest.approx((increase + 2 / (found.degrees[0] + 3)) / (increase + 1))


def test_estimates_that_do_not_differ_lose_no_information():
    found = pool(np.ones((5, 1)), np.full((5, 1), 0.04), complete_degrees=1e9)
    assert found.standard_error[0] == pytest.approx(0.2)
    assert found.half_width[0] == pytest.approx(1.959964 * 0.2, rel=1e-5)
    assert found.p_value[0] == pytest.approx(5.733e-7, rel=1e-3)


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda: impute(people(50).assign(ecog=np.nan), COLUMNS), "ecog is known of 0 persons"),
        (lambda: impute(people(50).assign(followup_years=0.0), COLUMNS), "not positive"),
        (lambda: impute(with_gaps(people(100)), COLUMNS[:1], predictors=COLUMNS[1:]), "ecog has gaps"),
        (lambda: pool(np.ones((1, 1)), np.ones((1, 1)), complete_degrees=9), "fewer than two"),
        (lambda: pool(np.ones((3, 1)), np.ones((3, 1)), complete_degrees=0), "no more events than terms"),
    ],
)
def test_what_cannot_be_done_says_why(call, reason):
    with pytest.raises(NotComputable, match=reason):
        call()
