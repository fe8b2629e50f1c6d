"""FaceAge against age: errors, calibration, agreement, each compared with an independent computation."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from lifelines.utils import concordance_index
from scipy import stats
from sksurv.metrics import concordance_index_ipcw, cumulative_dynamic_auc
from sksurv.util import Surv
from statsmodels.formula.api import mixedlm, ols

from model.evaluation.age import age_findings, error_measures
from model.survival.bootstrap import Resampling, bootstrap_intervals

FEW = Resampling(repeats=60, seed=3)


def clinic(people=120, *, seed=0, photos_each=(1, 2, 3, 4)):
    """Photos of people, some with several in a session, with age, sex and skin tone."""
    rng = np.random.default_rng(seed)
    rows = []
    for person in range(people):
        age, looks = rng.uniform(20, 90), rng.normal(1.5, 4)
        for _ in range(rng.choice(photos_each)):
            rows.append(
                {
                    "person": person,
                    "session": 1000 + person,
                    "age_years": age,
                    "face_age_years": 0.8 * age + 11 + looks + rng.normal(0, 2),
                    "sex": "female" if person % 2 else "male",
                    "skin_tone": ("I", "VI", None)[person % 3],
                }
            )
    return pd.DataFrame(rows)


def followed(people=300, seed=1):
    rng = np.random.default_rng(seed)
    age = rng.uniform(40, 90, people)
    gap = rng.normal(0, 5, people)
    death = rng.exponential(1 / (0.15 * np.exp(0.05 * (age + gap - 65))))
    censoring = rng.uniform(0.5, 8, people)
    return pd.DataFrame(
        {
            "person": np.arange(people),
            "age_years": age,
            "face_age_years": age + gap,
            "followup_years": np.minimum(death, censoring),
            "event": death <= censoring,
        }
    )


def by_name(findings, group="all", level="all"):
    return {f.metric: f for f in findings if (f.group_name, f.level) == (group, level)}


@pytest.fixture(scope="module")
def photos():
    return clinic()


@pytest.fixture(scope="module")
def found(photos):
    return age_findings(photos, resampling=FEW)


def test_errors_and_calibration(photos, found):
    error = photos["face_age_years"] - photos["age_years"]
    overall = by_name(found)
    assert overall["face_age_mae_years"].estimate == pytest.approx(error.abs().mean())
    assert overall["face_age_bias_years"].estimate == pytest.approx(error.mean())
    assert overall["face_age_error_sd_years"].estimate == pytest.approx(error.std())
    line = ols("age_years ~ face_age_years", photos).fit()
    assert overall["face_age_calibration_slope"].estimate == pytest.approx(line.params["face_age_years"])
    assert overall["face_age_calibration_intercept_years"].estimate == pytest.approx(line.params["Intercept"])
    r, _ = stats.pearsonr(photos["age_years"], photos["face_age_years"])
    assert overall["face_age_pearson_r"].estimate == pytest.approx(r)
    medians = photos.groupby("session").median(numeric_only=True)
    expected = (medians["face_age_years"] - medians["age_years"]).abs().mean()
    assert overall["session_face_age_mae_years"].estimate == pytest.approx(expected)
    assert (overall["face_age_mae_years"].photos, overall["face_age_mae_years"].people) == (len(photos), 120)


def test_every_group_adds_up(photos, found):
    for group, levels in {
        "sex": {"female", "male"},
        "skin_tone": {"I", "VI", "unknown"},
        "age_decade": {f"{d} to {d + 9}" for d in range(20, 90, 10)},
    }.items():
        of_group = [f for f in found if f.group_name == group and f.metric == "face_age_bias_years"]
        assert {f.level for f in of_group} == levels
        assert sum(f.photos for f in of_group) == len(photos)
        summed = sum(f.photos * f.estimate for f in of_group if f.estimate is not None)
        assert summed / len(photos) == pytest.approx(by_name(found)["face_age_bias_years"].estimate)
    women = photos[photos["sex"] == "female"]
    expected = (women["face_age_years"] - women["age_years"]).abs().mean()
    assert by_name(found, "sex", "female")["face_age_mae_years"].estimate == pytest.approx(expected)
    assert not [f for f in found if f.group_name == "photo_source"]


def test_agreement_of_sessions_of_unequal_size(photos, found):
    several = photos.groupby("session").filter(lambda session: len(session) > 1)
    sessions = [group["face_age_years"].to_numpy() for _, group in several.groupby("session")]
    overall = by_name(found)
    pairs = [abs(a - b) for values in sessions for a, b in itertools.combinations(values, 2)]
    assert overall["face_age_within_session_difference_years"].estimate == pytest.approx(np.mean(pairs))
    f_value, _ = stats.f_oneway(*sessions)
    total = sum(map(len, sessions))
    within = sum(((values - values.mean()) ** 2).sum() for values in sessions) / (total - len(sessions))
    assert overall["face_age_within_session_sd_years"].estimate == pytest.approx(np.sqrt(within))
    typical = (total - sum(len(values) ** 2 for values in sessions) / total) / (len(sessions) - 1)
    assert overall["face_age_within_session_icc"].estimate == pytest.approx((f_value - 1) / (f_value + typical - 1))


def test_agreement_of_balanced_sessions_is_the_mixed_models():
    balanced = clinic(80, photos_each=(3,))
    overall = by_name(age_findings(balanced, resampling=Resampling(0)))
    # With as many photos in each session, REML's variance components are the analysis of variance's.
    mixed = mixedlm("face_age_years ~ 1", balanced, groups=balanced["session"]).fit(reml=True)
    between, within = float(mixed.cov_re.iloc[0, 0]), float(mixed.scale)
    assert overall["face_age_within_session_icc"].estimate == pytest.approx(between / (between + within), rel=1e-4)
    assert overall["face_age_within_session_sd_years"].estimate == pytest.approx(np.sqrt(within), rel=1e-4)


def test_intervals_hold_the_estimate_and_are_the_same_each_time(photos, found):
    again = age_findings(photos, resampling=FEW)
    assert again == found
    assert age_findings(photos, resampling=Resampling(60, seed=4)) != found
    for finding in by_name(found).values():
        assert finding.lower_95 <= finding.estimate <= finding.upper_95, finding.metric


def test_intervals_resample_people_not_photos():
    # The same people with each photo ten times over: no more is known, so no interval may narrow.
    once = clinic(60, photos_each=(1,))
    tenfold = pd.concat([once] * 10, ignore_index=True)
    first, second = (
        by_name(age_findings(frame, resampling=Resampling(100, seed=1)))["face_age_mae_years"]
        for frame in (once, tenfold)
    )
    assert (first.lower_95, first.upper_95) == pytest.approx((second.lower_95, second.upper_95))


def test_intervals_cover_as_often_as_they_say():
    hits = []
    for seed in range(120):
        rng = np.random.default_rng(seed)
        frame = pd.DataFrame({"age_years": rng.uniform(30, 80, 80)})
        frame["face_age_years"] = frame["age_years"] + rng.normal(2, 5, 80)
        bias = {"bias": error_measures(frame)["face_age_bias_years"]}
        interval = bootstrap_intervals(bias, np.arange(80), Resampling(200, seed=seed))["bias"]
        hits.append(interval.lower <= 2 <= interval.upper)
    assert 0.88 <= np.mean(hits) <= 0.99


def test_prognostic_value_stands_beside_the_error(photos):
    people = followed()
    overall = by_name(age_findings(photos, resampling=FEW, followed=people))
    time, died = people["followup_years"], people["event"]
    survival = Surv.from_arrays(died, time)
    assert overall["face_age_c_index"].estimate == pytest.approx(
        concordance_index(time, -people["face_age_years"], died), abs=1e-9
    )
    c_of_age = concordance_index(time, -people["age_years"], died)
    assert overall["age_c_index"].estimate == pytest.approx(c_of_age, abs=1e-9)
    assert overall["face_age_c_index_beyond_age"].estimate == pytest.approx(
        overall["face_age_c_index"].estimate - c_of_age
    )
    assert overall["face_age_uno_c_index"].estimate == pytest.approx(
        concordance_index_ipcw(survival, survival, people["face_age_years"].to_numpy(), tau=5.0)[0], abs=1e-9
    )
    assert overall["face_age_auc_at_2_years"].estimate == pytest.approx(
        cumulative_dynamic_auc(survival, survival, people["face_age_years"].to_numpy(), [2.0])[0][0], abs=1e-9
    )
    assert overall["face_age_c_index"].events == died.sum()
    adjusted = overall["face_age_adjusted_hazard_ratio_per_10_years"]
    # The truth is 10 years of gap: exp(0.5) at equal age.
    assert adjusted.lower_95 < np.exp(0.5) < adjusted.upper_95


def test_what_has_no_number_says_why(photos):
    lone = by_name(age_findings(clinic(40, photos_each=(1,)), resampling=FEW))
    assert lone["face_age_within_session_icc"].estimate is None
    assert "people" in lone["face_age_within_session_icc"].note
    constant = by_name(age_findings(photos.assign(face_age_years=50.0), resampling=FEW))
    assert constant["face_age_calibration_slope"].note == "FaceAge is the same on every photo"
    assert constant["face_age_mae_years"].estimate > 0
    few = age_findings(photos.assign(sex=np.where(photos["person"] < 9, "female", "male")), resampling=FEW)
    assert by_name(few, "sex", "female")["face_age_mae_years"].note == "fewer than 10 people"
    alive = by_name(age_findings(photos, resampling=FEW, followed=followed().assign(event=False)))
    assert alive["face_age_c_index"].note == "no events"
    assert alive["face_age_hazard_ratio_per_10_years"].note == "no events"
