"""Scores against survival: each number compared with an independent package, and what has none says why."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from lifelines import CoxPHFitter, KaplanMeierFitter
from scipy import stats
from sksurv.metrics import concordance_index_censored, concordance_index_ipcw, cumulative_dynamic_auc
from sksurv.metrics import integrated_brier_score as sksurv_integrated_brier_score
from sksurv.util import Surv
from statsmodels.duration.hazard_regression import PHReg

from model.evaluation.nested_models import nested_model_findings
from model.evaluation.survival import SCORES, survival_findings
from model.survival.bootstrap import Resampling
from model.survival.cross_fitting import folds_of
from model.survival.design import Covariate

FEW, NONE = Resampling(repeats=40, seed=5), Resampling(0)
CLINICAL = (
    Covariate("age_years", "age_years", "continuous", per=10, unit="years"),
    Covariate("sex", "sex", "categorical", levels=("female", "male"), reference="female"),
    Covariate("stage", "stage", "categorical", levels=("I", "IV"), reference="I"),
)


def cohort(people=600, seed=0, *, frailty_effect=0.6, followup=8.0):
    """People with a looks-old gap and a frailty that both kill; each score sees one of them, with noise."""
    rng = np.random.default_rng(seed)
    age, gap, frailty = rng.uniform(40, 90, people), rng.normal(0, 6, people), rng.normal(size=people)
    male, late = rng.random(people) < 0.5, rng.random(people) < 0.4
    log_risk = 0.03 * (age - 65) + 0.05 * gap + frailty_effect * frailty + 0.3 * male + 0.8 * late
    death = rng.exponential(1 / (0.12 * np.exp(log_risk)))
    censoring = rng.uniform(0.2, followup, people)
    return pd.DataFrame(
        {
            "person": np.arange(people),
            "followup_years": np.ceil(np.minimum(death, censoring) * 365.25) / 365.25,
            "event": death <= censoring,
            "age_years": age,
            "sex": np.where(male, "male", "female"),
            "stage": np.where(late, "IV", "I"),
            "face_age_years": age + gap + rng.normal(0, 2, people),
            "face_survival_log_risk": frailty + rng.normal(0, 0.4, people),
            "true_log_risk": log_risk,
        }
    )


@pytest.fixture(scope="module")
def people():
    return cohort()


@pytest.fixture(scope="module")
def found(people):
    return survival_findings(people, clinical=CLINICAL, resampling=FEW)


def pick(findings, metric, group="all", level="all"):
    (finding,) = [f for f in findings if (f.metric, f.group_name, f.level) == (metric, group, level)]
    return finding


def phreg(frame, columns):
    model = PHReg(
        frame["followup_years"], frame[columns].astype(float), status=frame["event"].astype(float), ties="efron"
    )
    return model.fit(disp=False, method="newton", tol=1e-14, maxiter=200)


def test_no_finding_stands_twice(found):
    keys = [(f.metric, f.group_name, f.level) for f in found]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(("column", "name"), SCORES.items())
def test_discrimination(people, found, column, name):
    survival = Surv.from_arrays(people["event"], people["followup_years"])
    risk = people[column].to_numpy()
    harrell = concordance_index_censored(people["event"], people["followup_years"], risk)[0]
    assert pick(found, f"{name}_c_index").estimate == pytest.approx(harrell, abs=1e-9)
    uno = concordance_index_ipcw(survival, survival, risk, tau=5.0)[0]
    assert pick(found, f"{name}_uno_c_index").estimate == pytest.approx(uno, abs=1e-9)
    assert pick(found, f"{name}_uno_c_index").note == "deaths within 5 years"
    for years, expected in zip((1, 2, 5), cumulative_dynamic_auc(survival, survival, risk, [1, 2, 5])[0], strict=True):
        assert pick(found, f"{name}_auc_at_{years}_year{'s' if years > 1 else ''}").estimate == pytest.approx(
            expected, abs=1e-9
        )
    harrells = pick(found, f"{name}_c_index")
    assert (harrells.people, harrells.events) == (600, people["event"].sum())
    assert harrells.lower_95 < harrells.estimate < harrells.upper_95


def test_integrated_brier_score_is_of_predictions_by_other_folds(people, found):
    survival = Surv.from_arrays(people["event"], people["followup_years"])
    times = np.linspace(0.1, 5, 50)
    predicted = np.empty((len(people), len(times)))
    folds = folds_of(people["person"].to_numpy(), 5)
    kept = people[["followup_years", "event", "face_survival_log_risk"]]
    for fold in range(5):
        fitter = CoxPHFitter().fit(kept[folds != fold], "followup_years", "event")
        predicted[folds == fold] = fitter.predict_survival_function(kept[folds == fold], times=times).T
    expected = sksurv_integrated_brier_score(survival, survival, predicted, times)
    score = pick(found, "face_survival_integrated_brier_score")
    assert score.estimate == pytest.approx(expected, rel=1e-4)
    everybody = KaplanMeierFitter().fit(people["followup_years"], people["event"]).predict(times).to_numpy()
    reference = pick(found, "face_survival_integrated_brier_score_of_no_score")
    expected = sksurv_integrated_brier_score(survival, survival, np.tile(everybody, (len(people), 1)), times)
    assert reference.estimate == pytest.approx(expected, rel=1e-9)
    assert score.estimate < reference.estimate


def test_hazard_ratios(people, found):
    frame = people.assign(
        score=people["face_survival_log_risk"] / people["face_survival_log_risk"].std(),
        age=people["age_years"] / 10,
        male=people["sex"] == "male",
        late=people["stage"] == "IV",
    )
    alone = phreg(frame, ["score"])
    ratio = pick(found, "face_survival_hazard_ratio_per_sd")
    assert ratio.estimate == pytest.approx(np.exp(alone.params[0]), rel=1e-6)
    assert (ratio.lower_95, ratio.upper_95) == pytest.approx(np.exp(alone.conf_int()[0]), rel=1e-6)
    adjusted = phreg(frame, ["score", "age", "male", "late"])
    assert pick(found, "face_survival_adjusted_hazard_ratio_per_sd").estimate == pytest.approx(
        np.exp(adjusted.params[0]), rel=1e-6
    )


def test_quarters(people, found):
    quarter = pd.qcut(people["face_survival_log_risk"], 4, labels=["Q1", "Q2", "Q3", "Q4"])
    frame = pd.concat([people, pd.get_dummies(quarter)], axis=1).assign(
        age=people["age_years"] / 10, male=people["sex"] == "male", late=people["stage"] == "IV"
    )
    group = "face_survival_quartile"
    alone = phreg(frame, ["Q2", "Q3", "Q4"])
    for place, level in enumerate(("Q2", "Q3", "Q4")):
        ratio = pick(found, "hazard_ratio", group, level)
        assert ratio.estimate == pytest.approx(np.exp(alone.params[place]), rel=1e-6)
        assert ratio.people == (quarter == level).sum() and ratio.events == people["event"][quarter == level].sum()
    adjusted = phreg(frame, ["Q2", "Q3", "Q4", "age", "male", "late"])
    highest = pick(found, "adjusted_hazard_ratio", group, "Q4")
    assert highest.estimate == pytest.approx(np.exp(adjusted.params[2]), rel=1e-6)
    assert highest.estimate > 2 and highest.lower_95 > 1
    assert (pick(found, "hazard_ratio", group, "Q1").estimate, pick(found, "hazard_ratio", group, "Q1").note) == (
        1.0,
        "reference",
    )
    curve = KaplanMeierFitter().fit(people["followup_years"][quarter == "Q4"], people["event"][quarter == "Q4"])
    assert pick(found, "survival_at_2_years", group, "Q4").estimate == pytest.approx(curve.predict(2.0))


def test_subgroups(people, found):
    for group, levels in {
        "sex": ("female", "male"),
        "stage": ("I", "IV"),
        "age_band": ("below 50", "50 to 59", "60 to 69", "70 to 79", "80 and over"),
    }.items():
        of_group = [f for f in found if f.group_name == group and f.metric == "face_age_c_index"]
        assert tuple(f.level for f in of_group) == levels
        assert sum(f.people for f in of_group) == len(people)
    women = people[people["sex"] == "female"]
    expected = concordance_index_censored(women["event"], women["followup_years"], women["face_age_years"])[0]
    assert pick(found, "face_age_c_index", "sex", "female").estimate == pytest.approx(expected, abs=1e-9)
    scaled = women.assign(score=women["face_age_years"] / people["face_age_years"].std())
    assert pick(found, "face_age_hazard_ratio_per_sd", "sex", "female").estimate == pytest.approx(
        np.exp(phreg(scaled, ["score"]).params[0]), rel=1e-6
    )


def test_nested_models_are_tested_on_the_same_people(people, found):
    frame = people.assign(male=people["sex"] == "male", late=people["stage"] == "IV")
    clinical = ["age_years", "male", "late"]
    likelihood = {
        name: phreg(frame, [*clinical, *columns]).llf
        for name, columns in {
            "clinical": [],
            "clinical + FaceAge": ["face_age_years"],
            "clinical + FaceSurvival": ["face_survival_log_risk"],
            "clinical + FaceSurvival + FaceAge": ["face_survival_log_risk", "face_age_years"],
        }.items()
    }
    for level, smaller, larger, freedom in (
        ("FaceAge added to clinical", "clinical", "clinical + FaceAge", 1),
        ("FaceSurvival added to clinical", "clinical", "clinical + FaceSurvival", 1),
        ("FaceSurvival and FaceAge added to clinical", "clinical", "clinical + FaceSurvival + FaceAge", 2),
        ("FaceAge added to clinical + FaceSurvival", "clinical + FaceSurvival", "clinical + FaceSurvival + FaceAge", 1),
        ("FaceSurvival added to clinical + FaceAge", "clinical + FaceAge", "clinical + FaceSurvival + FaceAge", 1),
    ):
        expected = 2 * (likelihood[larger] - likelihood[smaller])
        ratio = pick(found, "likelihood_ratio_chi_squared", "nested_cox_models", level)
        assert ratio.estimate == pytest.approx(expected, rel=1e-5)
        assert ratio.note.startswith(f"{freedom} degree")
        p_value = pick(found, "likelihood_ratio_p_value", "nested_cox_models", level).estimate
        assert p_value == pytest.approx(stats.chi2.sf(expected, freedom), rel=1e-3)
        gain = pick(found, "c_index_gain", "nested_cox_models", level)
        before, after = (pick(found, "c_index_cross_fitted", "cox_model", name) for name in (smaller, larger))
        assert gain.estimate == pytest.approx(after.estimate - before.estimate)
        # Both scores see something of their own here, so each step must help.
        assert p_value < 0.01 and gain.estimate > 0


def test_a_score_of_pure_noise_adds_as_much_as_chance_says():
    ratios = []
    for seed in range(16):
        frame = cohort(150, seed).assign(face_survival_log_risk=np.random.default_rng(seed + 999).normal(size=150))
        findings = nested_model_findings(
            frame, {"face_survival_log_risk": "face_survival"}, clinical=CLINICAL[:1], resampling=NONE
        )
        level = "FaceSurvival added to clinical"
        ratios.append(pick(findings, "likelihood_ratio_chi_squared", "nested_cox_models", level).estimate)
    # Sixteen draws of chi-squared with one degree of freedom add up to one with sixteen.
    assert 0.005 < stats.chi2.cdf(sum(ratios), 16) < 0.995


def test_cross_fitted_concordance_is_not_flattered_by_noise():
    rng = np.random.default_rng(3)
    noise = {f"noise_{n}": rng.normal(size=150) for n in range(12)}
    frame = cohort(150, 7).assign(**noise)
    many = tuple(Covariate(name, name, "continuous") for name in noise)
    findings = nested_model_findings(frame, {"face_age_years": "face_age"}, clinical=many, resampling=Resampling(0))
    apparent = pick(findings, "c_index_apparent", "cox_model", "clinical").estimate
    honest = pick(findings, "c_index_cross_fitted", "cox_model", "clinical").estimate
    assert apparent > 0.6 and honest < apparent - 0.05


def test_how_far_the_scores_stay_behind_the_truth(people, found):
    truth = pick(found, "true_risk_c_index").estimate
    for name in ("face_age", "face_survival"):
        short = pick(found, f"{name}_c_index_short_of_true_risk")
        assert short.estimate == pytest.approx(truth - pick(found, f"{name}_c_index").estimate)
        assert short.estimate > 0


def test_what_has_no_number_says_why(people):
    alive = survival_findings(people.assign(event=False), clinical=CLINICAL, resampling=NONE)
    assert {f.note for f in alive if f.metric.endswith("c_index")} == {"no events"}
    assert all(f.estimate is None for f in alive if "hazard_ratio" in f.metric or "likelihood" in f.metric)
    short = survival_findings(cohort(followup=0.9), clinical=(), resampling=NONE)
    assert "followed beyond 1 year" in pick(short, "face_age_uno_c_index").note
    assert pick(short, "face_age_auc_at_1_year").note == "nobody was followed beyond 1"
    assert pick(short, "face_age_integrated_brier_score").estimate is None
    constant = survival_findings(people.assign(face_survival_log_risk=1.0), clinical=(), resampling=NONE)
    assert pick(constant, "face_survival_c_index").estimate == 0.5
    assert "same for everyone" in pick(constant, "face_survival_hazard_ratio_per_sd").note
    few = survival_findings(people[:7], clinical=CLINICAL, resampling=NONE)
    assert pick(few, "face_survival_c_index").note == "fewer than 10 people"
    with pytest.raises(ValueError, match="same rows"):
        survival_findings(people.assign(age_years=np.nan), clinical=CLINICAL, resampling=Resampling(0))


def test_a_release_without_survival_network(people):
    without = survival_findings(people.drop(columns="face_survival_log_risk"), clinical=CLINICAL, resampling=NONE)
    assert not [f for f in without if f.metric.startswith("face_survival")]
    assert {f.level for f in without if f.group_name == "nested_cox_models"} == {"FaceAge added to clinical"}
