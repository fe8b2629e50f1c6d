"""The risk tables beyond coefficients, on a hospital whose truth is known: tests, subgroups, performance, curves."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pydantic import SecretStr
from scored_hospital import fill_hospital
from sqlalchemy import Engine
from test_risk import change, database, rows, run_risk

from jobs.risk import model_covariates
from jobs.settings import Settings
from jobs.warehouse.connection import connect
from model.survival.concordance import harrells_c
from model.survival.cox import fit_cox
from model.survival.multiplicity import holm
from model.survival.proportional_hazards import proportional_hazards
from schemas.cohort import COHORTS, load_cohort

PATIENTS = 200


@pytest.fixture(scope="module")
def analysed(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A warehouse with one analysis of the shipped cohort in it, read-only to the tests of this module."""
    with database(postgres_server, "fahr_risk_tables", "fahr_template") as url:
        owner = connect(url, role=None)
        fill_hospital(owner, patients=PATIENTS, seed=7)
        loader = connect(url, role="fahr_loader")
        settings = Settings(home=tmp_path_factory.mktemp("home"), warehouse_url=SecretStr(url))
        run_risk(settings, loader, cohort="cancer_photo")
        yield loader
        loader.dispose()
        owner.dispose()


@pytest.fixture(scope="module")
def frame(analysed: Engine) -> pd.DataFrame:
    """The published members, as the models saw them."""
    members = rows(analysed, "SELECT * FROM fahr.cohort_member_v1 ORDER BY person_id")
    told = pd.DataFrame(members["covariates"].tolist())
    return told.assign(person_id=members["person_id"], followup_years=members["followup_years"], event=members["event"])


def fitted(frame: pd.DataFrame, name: str):
    declaration = load_cohort("cancer_photo")
    model = declaration.declared.models[name]
    covariates = model_covariates(declaration)
    return fit_cox(frame, tuple(covariates[one] for one in model.covariates), strata=model.strata)


def test_nested_tests_are_of_the_published_likelihoods(analysed):
    nested = rows(analysed, "SELECT * FROM fahr.risk_latest_contrast WHERE kind = 'nested'").set_index("contrast")
    declared = load_cohort("cancer_photo").declared
    assert set(nested.index) == set(declared.comparisons) and set(nested["status"]) == {"computed"}
    models = rows(analysed, "SELECT * FROM fahr.risk_model").set_index("model_name")
    for name, comparison in declared.comparisons.items():
        smaller, larger = models.loc[comparison.smaller], models.loc[comparison.larger]
        assert nested.loc[name, "chi_squared"] == pytest.approx(
            2 * (larger["log_likelihood"] - smaller["log_likelihood"])
        )
        assert nested.loc[name, "degrees"] == larger["terms"] - smaller["terms"]
        assert nested.loc[name, "delta_aic"] == pytest.approx(larger["aic"] - smaller["aic"])
    assert nested["p_value_holm"].tolist() == pytest.approx(holm(nested["p_value"].tolist()).tolist())
    gain = nested.loc["both_beyond_clinical"]
    assert gain["delta_concordance_lower"] < gain["delta_concordance"] < gain["delta_concordance_upper"]
    assert gain["p_value"] < 0.001, "the drawn faces tell biological age and frailty"


def test_trends_splines_and_whole_covariates_are_tested(analysed):
    found = rows(analysed, "SELECT * FROM fahr.risk_contrast").set_index("contrast")
    trend = found.loc["face_survival_quartile_adjusted:face_survival_quartile:trend"]
    assert trend["hazard_ratio_lower"] < trend["hazard_ratio"] < trend["hazard_ratio_upper"] and trend["degrees"] == 1
    assert found.loc["face_age_spline_adjusted:face_age_spline:nonlinearity", "degrees"] == 2
    assert found.loc["face_age_spline_adjusted:face_age_spline", "degrees"] == 3
    assert found.loc["both_adjusted:stage", "degrees"] == 3
    curve = rows(analysed, "SELECT * FROM fahr.risk_effect WHERE covariate = 'face_survival_spline' ORDER BY value")
    at_median = curve[curve["value"] == curve["reference_value"]]
    assert at_median[["hazard_ratio", "ci_lower", "ci_upper"]].to_numpy().tolist() == [[1, 1, 1]]
    assert curve["hazard_ratio"].iloc[-1] > 1 > curve["hazard_ratio"].iloc[0]


def test_diagnostics_are_those_of_the_published_members(analysed, frame):
    fit = fitted(frame, "both_adjusted")
    tests = proportional_hazards(fit)
    found = rows(analysed, "SELECT * FROM fahr.risk_diagnostic WHERE model_name = 'both_adjusted'")
    by_term = found[found["diagnostic"] == "proportional_hazards"].set_index("term")
    assert by_term.loc["all", "chi_squared"] == tests.overall.chi_squared
    for term, test in tests.by_term.items():
        assert by_term.loc[term, "p_value"] == test.p_value
    whole = found[found["diagnostic"] == "proportional_hazards_covariate"].set_index("term")
    assert set(whole.index) == {"site", "stage"} and whole.loc["site", "degrees"] == 5
    assert found[found["diagnostic"] == "events_per_term"]["value"].item() == fit.events / len(fit.coefficients)
    assert (found[found["diagnostic"] == "largest_dfbetas"]["value"] > 0).all()
    model = rows(analysed, "SELECT * FROM fahr.risk_model WHERE model_name = 'both_adjusted'").iloc[0]
    assert model["ph_test_p_value"] == by_term.drop(index="all")["p_value"].min()
    assert model["ph_global_p_value"] == tests.overall.p_value
    periods = rows(analysed, "SELECT * FROM fahr.risk_over_time WHERE model_name = 'both_adjusted'")
    assert periods.groupby("term")["events"].sum().unique().tolist() == [fit.events]


def test_subgroups_hold_everybody_once_and_small_ones_are_told_apart(analysed, frame):
    found = rows(analysed, "SELECT * FROM fahr.risk_subgroup")
    assert set(found["exposure"]) == {"face_age_years", "face_survival_log_risk"}
    for _, of_group in found.groupby(["exposure", "group_name"]):
        assert of_group["persons"].sum() == PATIENTS and of_group["events"].sum() == frame["event"].sum()
    whole = found[(found["exposure"] == "face_age_years") & (found["level"] == "all")].iloc[0]
    coefficient = next(c for c in fitted(frame, "both_adjusted").coefficients if c.term.name == "face_age_years")
    assert whole["hazard_ratio"] == coefficient.hazard_ratio
    sexes = found[(found["exposure"] == "face_age_years") & (found["group_name"] == "sex")]
    assert sexes["interaction_p_value"].nunique() == 1 and set(sexes["status"]) == {"computed"}
    race = found[found["group_name"] == "race"]
    assert set(race["level"]) == {"other_or_unknown"} and set(race["status_reason"]) == {
        "no other level to compare with"
    }
    few = found[found["events"] < 5]
    assert len(few) == 0 or set(few["status"]) == {"refused"}
    tests = found.dropna(subset=["interaction_p_value"]).drop_duplicates(["exposure", "group_name"])
    assert tests["interaction_p_value_holm"].tolist() == pytest.approx(
        holm(tests["interaction_p_value"].tolist()).tolist()
    )


def test_performance_is_of_predictions_by_models_of_others(analysed, frame):
    found = rows(analysed, "SELECT * FROM fahr.risk_performance")
    whole = found[(found["model_name"] == "both_adjusted") & (found["group_name"] == "all")].set_index("metric")
    assert {"harrells_c", "unos_c", "auc", "brier", "integrated_brier", "calibration_slope", "corrected_c"} <= set(
        whole.index
    )
    assert whole["estimate"].notna().all()
    predicted = rows(analysed, "SELECT * FROM fahr.patient_risk ORDER BY person_id")
    c = harrells_c(
        frame["followup_years"].to_numpy(), frame["event"].to_numpy(), predicted["log_risk"].to_numpy()
    ).c_index
    assert whole.loc["harrells_c", "estimate"] == c
    assert whole.loc["harrells_c", "lower_95"] < c < whole.loc["harrells_c", "upper_95"]
    assert whole.loc["corrected_c", "estimate"] < whole.loc["apparent_c", "estimate"]
    assert found[(found["group_name"] == "sex") & (found["metric"] == "harrells_c")]["persons"].sum() == PATIENTS
    groups = rows(analysed, "SELECT * FROM fahr.risk_calibration WHERE model_name = 'both_adjusted'")
    assert groups.groupby("horizon_years")["persons"].sum().to_dict() == {1: PATIENTS, 3: PATIENTS}
    decisions = rows(analysed, "SELECT * FROM fahr.risk_decision WHERE horizon_years = 3 AND threshold = 0.6")
    assert len(decisions) == 1 and decisions["net_benefit"].item() >= decisions["of_everybody"].item()


def test_every_prediction_has_an_interval_at_every_horizon(analysed):
    found = rows(
        analysed,
        "SELECT person_id, horizon_years, survival.survival, ci_lower, ci_upper, survival_1_year, survival_3_year,"
        " log_risk_standard_error FROM fahr.patient_survival AS survival JOIN fahr.patient_risk USING (person_id)",
    )
    assert len(found) == 2 * PATIENTS
    assert ((found["ci_lower"] < found["survival"]) & (found["survival"] < found["ci_upper"])).all()
    at_one = found[found["horizon_years"] == 1]
    assert (at_one["survival"] == at_one["survival_1_year"]).all()
    assert (found["log_risk_standard_error"] > 0).all()


def test_adjusted_curves_stand_beside_those_observed(analysed):
    found = rows(analysed, "SELECT * FROM fahr.survival_curve WHERE stratifier = 'face_survival_quartile'")
    assert set(found["method"]) == {"kaplan_meier", "adjusted"}
    adjusted = found[found["method"] == "adjusted"]
    assert set(adjusted["model_name"]) == {"face_survival_quartile_adjusted"} and set(adjusted["stratum"]) == {
        "Q1",
        "Q2",
        "Q3",
        "Q4",
    }
    start = adjusted[adjusted["time_years"] == 0].set_index("stratum")
    assert set(start["survival"]) == {1.0} and start["at_risk"].sum() == PATIENTS
    later = adjusted[adjusted["time_years"] == 3].set_index("stratum")["survival"]
    observed = found[(found["method"] == "kaplan_meier") & (found["time_years"] == 3)].set_index("stratum")["survival"]
    # Stage and site lie behind a part of what quarters differ in.
    assert 0 < later["Q1"] - later["Q4"] < observed["Q1"] - observed["Q4"] + 0.1
    assert (adjusted["ci_lower"] <= adjusted["ci_upper"]).all()


def test_flow_adds_up(settings, engine, owner_engine):
    fill_hospital(owner_engine, patients=60, seed=7)
    change(owner_engine, "DELETE FROM cdm.observation_period WHERE person_id IN (1, 2, 3)")
    change(owner_engine, "DELETE FROM cdm.measurement WHERE person_id IN (3, 4, 5)")
    counts = run_risk(settings, engine)
    flow = rows(engine, "SELECT * FROM fahr.risk_flow ORDER BY step").set_index("reason")
    assert flow.index.tolist() == ["persons", "taught_the_model", "without_followup", "missing_stage"]
    assert flow["left_out"].tolist() == [0, 0, 3, 2]
    assert flow["remaining"].tolist() == [60, 60, 57, 55] and counts["analysed"] == 55
    assert flow.loc["missing_stage", "label"] == "Stage not known"


def test_competing_events_have_models_and_curves_of_their_own(settings, engine, owner_engine, tmp_path):
    """Every second death is given another cause: a hazard of the one is not the hazard of both."""
    fill_hospital(owner_engine, patients=PATIENTS, seed=7)
    folder = Path(shutil.copytree(COHORTS / "cancer_photo", tmp_path / "competing"))
    sql = (folder / "cohort.sql").read_text()
    (folder / "cohort.sql").write_text(
        f"SELECT *, CASE WHEN event THEN CASE WHEN person_id % 2 = 0 THEN 'cancer' ELSE 'other' END END AS cause"
        f" FROM (\n{sql}\n) AS person"
    )
    (folder / "cohort.yaml").write_text("""
cohort: competing
title: Cancer deaths
endpoint: {name: death from any cause, origin: day of the photographs}
competing: {column: cause, of_interest: cancer, others: [other]}
covariates:
  age_years: {label: Age, type: continuous, per: 10, unit: years}
  face_survival_log_risk: {label: FaceSurvival, type: continuous, per: SD}
  face_survival_quartile: {label: FaceSurvival, type: quartile, column: face_survival_log_risk}
models:
  all_causes: {description: All causes, covariates: [age_years, face_survival_log_risk]}
  cause: {description: Cancer, covariates: [age_years, face_survival_log_risk], method: cause_specific}
  incidence: {description: Incidence, covariates: [age_years, face_survival_log_risk], method: fine_gray}
prediction: {model: all_causes, folds: 5}
curves: [face_survival_quartile]
resampling: {repeats: 0}
""")
    run_risk(settings, engine, cohort=str(folder))
    models = rows(engine, "SELECT * FROM fahr.risk_model").set_index("model_name")
    assert set(models["status"]) == {"fitted"}
    assert models.loc["cause", "events"] == models.loc["incidence", "events"] < models.loc["all_causes", "events"]
    assert models.loc["cause", "endpoint"] == "cancer (other competing)" and models.loc["incidence", "is_robust"]
    members = rows(engine, "SELECT * FROM fahr.cohort_member")
    assert set(members["ending"].dropna()) == {"cancer", "other"}
    assert (members["ending"].notna() == members["event"]).all()
    curves = rows(engine, "SELECT * FROM fahr.survival_curve WHERE stratum = 'Q4'").groupby("method")["survival"].min()
    assert curves["cumulative_incidence"] > curves["kaplan_meier"]


def test_no_resamples_no_intervals(settings, engine, owner_engine, tmp_path):
    fill_hospital(owner_engine, patients=PATIENTS, seed=7)
    folder = Path(shutil.copytree(COHORTS / "cancer_photo", tmp_path / "cancer_photo"))
    path = folder / "cohort.yaml"
    path.write_text(path.read_text().replace("repeats: 200", "repeats: 0"))
    run_risk(settings, engine, cohort=str(folder))
    curves = rows(engine, "SELECT ci_lower FROM fahr.survival_curve WHERE method = 'adjusted'")
    assert len(curves) and curves["ci_lower"].isna().all()
    gains = rows(
        engine, "SELECT delta_concordance AS gain, delta_concordance_lower AS lower FROM fahr.risk_latest_contrast"
    )
    assert gains["gain"].notna().any() and gains["lower"].isna().all()
    assert np.isfinite(
        rows(engine, "SELECT estimate FROM fahr.risk_performance WHERE metric = 'harrells_c'")["estimate"]
    ).all()
