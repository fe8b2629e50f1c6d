"""Values that are missing: counted always, filled where the cohort declares it, and results pooled."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from opened_page import Opened
from pydantic import SecretStr
from scored_hospital import fill_hospital, shipped_cohort
from sqlalchemy import Engine
from test_risk import change, database, rows, run_risk

from jobs.errors import SettingsError
from jobs.risk import model_covariates
from jobs.risk.imputed_predictions import predict_imputed
from jobs.risk.page import risk_page
from jobs.settings import Settings
from jobs.warehouse.connection import connect
from model.survival.cox import fit_cox
from model.survival.imputation import Imputed, impute
from model.survival.pooled_tests import pooled_wald
from model.survival.pooling import pool_fits
from schemas.cohort import load_cohort

PATIENTS, IMPUTATIONS, SEED = 200, 4, 11

GAPS = (
    "DELETE FROM cdm.measurement WHERE person_id % 6 = 0",
    "DELETE FROM cdm.observation WHERE person_id % 5 = 1",
)
"""Stage of every sixth person, ECOG of every fifth: unrelated to anything, so complete cases are right, but fewer."""


def imputing(folder: str, **missing: object) -> str:
    """The shipped cohort, its gaps filled."""
    path = Path(folder) / "cohort.yaml"
    declared = yaml.safe_load(path.read_text()) | {"missing": missing}
    path.write_text(yaml.safe_dump(declared, sort_keys=False))
    return folder


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> str:
    own = tmp_path_factory.mktemp("imputing") / "cancer_photo"
    shutil.copytree(shipped_cohort(without=("adjusted_curves",)), own)
    return imputing(str(own), impute=IMPUTATIONS, seed=SEED)


@pytest.fixture(scope="module")
def analysed(postgres_server: str, cohort: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with database(postgres_server, "fahr_missing", "fahr_template") as url:
        owner, loader = connect(url, role=None), connect(url, role="fahr_loader")
        fill_hospital(owner, patients=PATIENTS, seed=7)
        for statement in GAPS:
            change(owner, statement)
        run_risk(Settings(home=tmp_path_factory.mktemp("home"), warehouse_url=SecretStr(url)), loader, cohort=cohort)
        yield loader
        loader.dispose()
        owner.dispose()


@pytest.fixture(scope="module")
def frames(analysed: Engine, cohort: str) -> list[pd.DataFrame]:
    """The published members with their gaps filled, as anybody can have them again."""
    members = rows(analysed, "SELECT * FROM fahr.cohort_member_v1 ORDER BY person_id")
    told = pd.DataFrame(members["covariates"].tolist())
    frame = told.assign(followup_years=members["followup_years"], event=members["event"])
    declaration = load_cohort(cohort)
    levels = {"sex", "race", "site", "stage"}
    columns = [Imputed(one, "level" if one in levels else "number") for one in declaration.covariate_columns]
    return impute(frame, columns, repeats=IMPUTATIONS, seed=SEED)


def fits(frames: list[pd.DataFrame], name: str, cohort: str):
    declaration = load_cohort(cohort)
    covariates = model_covariates(declaration)
    terms = tuple(covariates[one] for one in declaration.declared.models[name].covariates)
    return [fit_cox(frame, terms) for frame in frames]


def test_nobody_is_left_out_and_what_is_missing_is_told(analysed):
    missing = rows(analysed, "SELECT * FROM fahr.risk_missing WHERE is_latest").set_index("column_name")
    assert missing.loc["stage", "missing"] == PATIENTS // 6 and missing.loc["stage", "handling"] == "imputed"
    assert missing.loc["ecog", "missing"] == PATIENTS // 5 and missing.loc["age_years", "handling"] == "complete"
    assert set(missing["persons"]) == {PATIENTS}
    flow = rows(analysed, "SELECT reason, remaining FROM fahr.risk_flow ORDER BY step")
    assert flow["reason"].tolist() == ["persons", "taught_the_model", "without_followup"]
    assert flow["remaining"].iloc[-1] == PATIENTS
    counts = rows(analysed, "SELECT counts FROM fahr.run WHERE stage = 'risk'")["counts"].item()
    assert counts["analysed"] == counts["predicted"] == PATIENTS and counts["imputed_stage"] == PATIENTS // 6
    members = rows(analysed, "SELECT covariates ->> 'stage' AS stage FROM fahr.cohort_member")
    assert members["stage"].isna().sum() == PATIENTS // 6, "what is not known stays unknown in the warehouse"


def test_coefficients_are_pooled_by_rubins_rules(analysed, frames, cohort):
    coefficients, pooled = pool_fits(fits(frames, "both_adjusted", cohort))
    found = rows(analysed, "SELECT * FROM fahr.risk_coefficient WHERE model_name = 'both_adjusted'").set_index("term")
    for place, expected in enumerate(coefficients):
        row = found.loc[expected.term.name]
        assert row["log_hazard_ratio"] == pytest.approx(expected.log_hazard_ratio, rel=1e-9)
        assert row["standard_error"] == pytest.approx(expected.standard_error, rel=1e-9)
        assert row["p_value"] == pytest.approx(expected.p_value, rel=1e-6)
        assert row["degrees"] == pytest.approx(pooled.degrees[place], rel=1e-6)
    lost = found["missing_information"]
    assert lost[["stage=II", "stage=III", "stage=IV"]].max() > 0.1 > lost["sex=male"]
    model = rows(analysed, "SELECT * FROM fahr.risk_model WHERE model_name = 'both_adjusted'").iloc[0]
    assert model["imputations"] == IMPUTATIONS and pd.isna(model["log_likelihood"]) and pd.isna(model["aic"])
    assert 0.6 < model["concordance"] < 0.95


def test_tests_are_pooled(analysed, frames, cohort):
    found = rows(analysed, "SELECT * FROM fahr.risk_contrast").set_index("contrast")
    assert set(found["status"]) == {"computed"} and set(found["statistic"]) == {"pooled_wald"}
    stage = pooled_wald(fits(frames, "both_adjusted", cohort), ["stage=II", "stage=III", "stage=IV"])
    row = found.loc["both_adjusted:stage"]
    assert row["chi_squared"] == pytest.approx(stage.chi_squared, rel=1e-6) and row["degrees"] == 3
    assert row["denominator_degrees"] == pytest.approx(stage.denominator_degrees, rel=1e-6)
    assert row["p_value"] == pytest.approx(stage.p_value, rel=1e-6)
    added = found.loc["both_beyond_clinical"]
    assert added["degrees"] == 2 and added["p_value"] < 0.01 and added["p_value_holm"] >= added["p_value"]
    assert added["delta_concordance"] > 0 and pd.isna(added["delta_aic"])
    trend = found.loc["face_survival_quartile_adjusted:face_survival_quartile:trend"]
    assert trend["hazard_ratio_lower"] < trend["hazard_ratio"] < trend["hazard_ratio_upper"]
    hazards = rows(analysed, "SELECT * FROM fahr.risk_diagnostic WHERE diagnostic = 'proportional_hazards'")
    assert hazards["p_value"].between(0, 1).all() and hazards["note"].str.contains("pooled over 4").all()


def test_subgroups_count_those_known_to_belong(analysed):
    found = rows(analysed, "SELECT * FROM fahr.risk_subgroup WHERE exposure = 'face_survival_log_risk'")
    persons = found.groupby("group_name")["persons"].sum()
    assert persons["all"] == persons["sex"] == PATIENTS and persons["stage"] == PATIENTS - PATIENTS // 6
    sexes = found[found["group_name"] == "sex"]
    assert set(sexes["status"]) == {"computed"} and sexes["interaction_p_value"].nunique() == 1
    assert (sexes["ci_lower"] < sexes["hazard_ratio"]).all()


def test_no_survival_of_a_persons_own_helps_to_predict_it(analysed, cohort):
    """One person's death is moved: everybody of the fold is predicted as before, to the bit."""
    published = rows(analysed, "SELECT * FROM fahr.cohort_member_v1 ORDER BY person_id")
    told = pd.DataFrame(published["covariates"].tolist())
    members = told.assign(**{name: published[name] for name in ("person_id", "followup_years", "event")})
    declaration = load_cohort(cohort)
    models = {"both_adjusted": declaration.declared.models["both_adjusted"]}
    before = predict_imputed(members, declaration, models)["both_adjusted"].table()
    in_warehouse = rows(analysed, "SELECT * FROM fahr.patient_risk ORDER BY person_id")
    assert before["log_risk"].tolist() == pytest.approx(in_warehouse["log_risk"].tolist(), rel=1e-9)

    moved = members["person_id"] % 6 == 0
    place = int(np.flatnonzero(moved)[0])
    assert pd.isna(members.loc[place, "stage"]), "of whom something is imputed"
    members.loc[place, "followup_years"] *= 0.3
    members.loc[place, "event"] = not members.loc[place, "event"]
    after = predict_imputed(members, declaration, models)["both_adjusted"].table()
    same_fold = before["fold"] == before.loc[place, "fold"]
    pd.testing.assert_frame_equal(
        after.loc[same_fold].drop(columns=["percentile", "quartile"]),
        before.loc[same_fold].drop(columns=["percentile", "quartile"]),
        check_exact=True,
    )
    assert not np.allclose(after.loc[~same_fold, "log_risk"], before.loc[~same_fold, "log_risk"])


def test_predictions_tell_how_little_is_known(analysed):
    found = rows(analysed, "SELECT * FROM fahr.patient_risk ORDER BY person_id").set_index("person_id")
    errors = found["log_risk_standard_error"]
    unknown = (found.index % 6 == 0) | (found.index % 5 == 1)
    assert errors[unknown].mean() > errors[~unknown].mean() * 1.1
    survival = rows(analysed, "SELECT * FROM fahr.patient_survival")
    assert ((survival["ci_lower"] < survival["survival"]) & (survival["survival"] < survival["ci_upper"])).all()


def test_the_page_says_what_was_missing_and_that_results_are_pooled(analysed, cohort, tmp_path, browser):
    opened = Opened(browser, risk_page(settings=Settings(home=tmp_path), engine=analysed, cohort=cohort))
    assert opened.complaints == []
    assert f"Stage {PATIENTS // 6} (16 %) imputed" in opened.words("#missing")
    assert "not known" in opened.words("#characteristics table")
    words = opened.words("#methods")
    assert f"{IMPUTATIONS} completed data sets" in words and "Rubin" in words and "complete cases" not in words
    assert "nan" not in opened.words("body").lower().split()


def test_complete_cases_are_counted_by_covariate(settings, engine, owner_engine):
    fill_hospital(owner_engine, patients=60, seed=7)
    for statement in GAPS:
        change(owner_engine, statement)
    run_risk(settings, engine)
    missing = rows(engine, "SELECT * FROM fahr.risk_missing").set_index("column_name")
    assert missing.loc["stage", ["missing", "handling"]].tolist() == [10, "left_out"]
    assert missing.loc["ecog", ["missing", "handling"]].tolist() == [12, "left_out"]
    assert rows(engine, "SELECT imputations FROM fahr.risk_model")["imputations"].isna().all()


def test_what_cannot_be_filled_is_told(settings, engine, owner_engine, cohort):
    fill_hospital(owner_engine, patients=60, seed=7)
    change(owner_engine, "DELETE FROM cdm.measurement WHERE person_id > 5")
    with pytest.raises(SettingsError, match="gaps of cancer_photo cannot be filled: stage is known of 5 persons"):
        run_risk(settings, engine, cohort=cohort)
