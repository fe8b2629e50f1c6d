"""The risk tables, on a warehouse filled through its tables: what a researcher finds, and what is refused."""

from __future__ import annotations

import itertools
import logging
import math
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest
from scored_hospital import MODEL_ID, fill_hospital, models_only
from sqlalchemy import Engine, make_url, text

import jobs.risk.job
from jobs.demo.population import DEMO_NIGHT, simulate_population
from jobs.demo.truth import TRUE_COEFFICIENTS
from jobs.errors import SettingsError, UsageError
from jobs.risk import model_covariates, risk
from jobs.risk.job import analyse
from jobs.risk.tables import RISK_TABLES
from jobs.settings import Settings
from jobs.warehouse.connection import connect
from model.survival.cox import fit_cox
from schemas.cohort import COHORTS, load_cohort

PATIENTS, SEED = 200, 7
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def filled(postgres_server: str) -> Iterator[str]:
    """Name of a database with the hospital in it, for tests to copy."""
    with database(postgres_server, "fahr_filled", "fahr_template") as url:
        owner = connect(url, role=None)
        fill_hospital(owner, patients=PATIENTS, seed=SEED)
        owner.dispose()
        yield "fahr_filled"


@pytest.fixture
def warehouse_url(postgres_server: str, filled: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """Replaces the empty warehouse by a copy of the filled one where a test asks for the hospital."""
    template = filled if "hospital" in request.fixturenames else "fahr_template"
    with database(postgres_server, f"fahr_risk_{next(_numbers)}", template) as url:
        yield url


@pytest.fixture
def hospital(owner_engine: Engine) -> Engine:
    """The hospital's warehouse, as its owner."""
    return owner_engine


@contextmanager
def database(server: str, name: str, template: str) -> Iterator[str]:
    """A database that lives as long as the block."""
    engine = connect(server, role=None)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
        yield make_url(server).set(database=name).render_as_string(hide_password=False)
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


def rows(engine: Engine, query: str) -> pd.DataFrame:
    with engine.connect() as connection:
        return pd.read_sql(text(query), connection)


def change(owner: Engine, statement: str) -> None:
    with owner.begin() as connection:
        connection.execute(text(statement))


def run_risk(settings: Settings, engine: Engine, night: date = DEMO_NIGHT, cohort: str | None = None) -> dict[str, int]:
    return risk(settings=settings, engine=engine, night=night, cohort=cohort or models_only())


def test_tables_hold_the_cohort_the_models_and_the_predictions(settings, engine, hospital):
    counts = run_risk(settings, engine)
    assert counts["persons"] == counts["analysed"] == counts["predicted"] == PATIENTS
    assert counts["models_fitted"] == len(load_cohort("cancer_photo").declared.models) and counts["models_refused"] == 0

    models = rows(engine, "SELECT * FROM fahr.risk_model WHERE is_latest").set_index("model_name")
    assert set(models["status"]) == {"fitted"}
    assert set(models["persons"]) == {PATIENTS}
    assert set(models["events"]) == {counts["events"]}
    assert set(models["model_id"]) == {MODEL_ID}
    assert models.loc["both_adjusted", "concordance"] > models.loc["age_sex_clinical", "concordance"]
    assert models["ph_test_p_value"].between(0, 1).all()

    coefficients = rows(engine, "SELECT * FROM fahr.risk_coefficient WHERE is_latest AND model_name = 'both_adjusted'")
    assert set(coefficients["covariate"]) == {
        "face_age_years", "face_survival_log_risk", "age_years", "sex", "site", "stage", "ecog",
    }  # fmt: skip
    units = coefficients.set_index("term")["unit"]
    assert units["face_age_years"] == "per 10 years" and units["face_survival_log_risk"] == "per SD"
    assert units["stage=IV"] == "against I"
    assert (coefficients["ci_lower"] < coefficients["hazard_ratio"]).all()

    predictions = rows(engine, "SELECT * FROM fahr.patient_risk WHERE is_latest")
    assert len(predictions) == PATIENTS
    assert sorted(predictions["fold"].unique()) == [0, 1, 2, 3, 4]
    assert (predictions["survival_1_year"] >= predictions["survival_3_year"]).all()


def test_who_refuses_while_models_are_fitted_is_in_no_table_of_persons(settings, engine, hospital, monkeypatch):
    """One under the id of the cohort, one under an id that was merged into it and that no night has followed yet."""

    def analysed_meanwhile(*arguments):
        today = date.today()
        change(hospital, f"INSERT INTO hospital.opt_out VALUES (5, '{today}'), (90007, '{today}')")
        return analyse(*arguments)

    change(hospital, f"INSERT INTO hospital.person_merge VALUES (90007, 7, '{DEMO_NIGHT}')")
    monkeypatch.setattr(jobs.risk.job, "analyse", analysed_meanwhile)
    counts = run_risk(settings, engine)
    assert (counts["analysed"], counts["refused_meanwhile"]) == (PATIENTS, 2)
    for table in ("cohort_member_v1", "patient_risk_v1", "patient_survival_v1"):
        persons = set(rows(engine, f"SELECT person_id FROM fahr.{table}")["person_id"])
        assert len(persons) == PATIENTS - 2 and not persons & {5, 7}, table


def test_members_are_the_simulated_patients(settings, engine, hospital):
    """Index, follow-up, event and covariates come back from OMOP as they were put in."""
    run_risk(settings, engine)
    members = rows(engine, "SELECT * FROM fahr.cohort_member WHERE is_latest ORDER BY person_id")
    truth = simulate_population(PATIENTS, SEED)
    assert members["event"].tolist() == truth["event"].tolist()
    a_day = 1.01 / 365.25
    assert (members["followup_years"] - truth["followup_years"]).abs().max() < a_day
    assert (members["age_years"] - truth["age_years"]).abs().max() < 0.06
    told = pd.DataFrame(members["covariates"].tolist())
    assert told["stage"].tolist() == truth["stage"].tolist()
    assert told["site"].tolist() == truth["site"].tolist()
    assert told["ecog"].tolist() == truth["ecog"].tolist()
    assert (told["sex"] == truth["sex"].map({"F": "female", "M": "male"})).all()


def test_intervals_cover_most_of_the_recorded_truth(settings, engine, hospital):
    """Of the clinical covariates: the biomarkers measure the truth with an error, so theirs are smaller."""
    run_risk(settings, engine)
    table = rows(engine, "SELECT * FROM fahr.risk_coefficient WHERE model_name = 'both_adjusted'").set_index("term")
    truth = {
        coefficient.term.replace("sex=M", "sex=male"): math.exp(coefficient.log_hazard_ratio)
        for coefficient in TRUE_COEFFICIENTS
        if coefficient.covariate in ("sex", "site", "stage", "ecog")
    }
    covered = [table.loc[term, "ci_lower"] <= ratio <= table.loc[term, "ci_upper"] for term, ratio in truth.items()]
    assert len(truth) == 10 and sum(covered) >= 8


def test_tables_equal_a_fit_of_the_published_members(settings, engine, hospital):
    """What the tables say can be had again from the tables alone."""
    run_risk(settings, engine)
    members = rows(engine, "SELECT * FROM fahr.cohort_member_v1 ORDER BY person_id")
    told = pd.DataFrame(members["covariates"].tolist())
    frame = told.assign(followup_years=members["followup_years"], event=members["event"])
    declaration = load_cohort("cancer_photo")
    covariates = model_covariates(declaration)
    for model_name, model in declaration.declared.models.items():
        fit = fit_cox(frame, tuple(covariates[name] for name in model.covariates), strata=model.strata)
        table = rows(engine, f"SELECT * FROM fahr.risk_coefficient_v1 WHERE model_name = '{model_name}'")
        table = table.set_index("term")
        for coefficient in fit.coefficients:
            assert table.loc[coefficient.term.name, "log_hazard_ratio"] == coefficient.log_hazard_ratio
            assert table.loc[coefficient.term.name, "standard_error"] == coefficient.standard_error


def test_rerun_changes_nothing_and_leaves_no_run(settings, engine, hospital):
    first = run_risk(settings, engine)
    before = everything(engine)
    assert first and run_risk(settings, engine) == {}
    assert run_risk(settings, engine, night=DEMO_NIGHT + timedelta(days=1)) == {}
    assert everything(engine) == before


def test_same_data_give_the_same_bits_in_another_order(settings, engine, hospital):
    run_risk(settings, engine, cohort="cancer_photo")
    before = everything(engine)
    with hospital.begin() as connection:
        for table in RISK_TABLES:
            connection.execute(text(f"DELETE FROM fahr.{table}"))
        connection.execute(text("DELETE FROM fahr.run_v1 WHERE stage = 'risk'"))
        connection.execute(text("CREATE TEMP TABLE shuffled AS SELECT * FROM cdm.death ORDER BY random()"))
        connection.execute(text("DELETE FROM cdm.death"))
        connection.execute(text("INSERT INTO cdm.death SELECT * FROM shuffled"))
    run_risk(settings, engine, cohort="cancer_photo")
    assert everything(engine) == before


def everything(engine: Engine) -> dict[str, list[str]]:
    """Every value of the risk tables but the run's id, floats to the last bit."""
    return {
        table: sorted(rows(engine, f"SELECT * FROM fahr.{table}").drop(columns="run_id").map(repr).sum(axis=1))
        for table in RISK_TABLES
    }


def test_changed_data_make_a_new_analysis_and_old_data_the_latest_again(settings, engine, hospital):
    run_risk(settings, engine)
    original = latest(engine)
    change(hospital, "UPDATE cdm.observation SET value_as_number = 4 WHERE person_id = 3")
    run_risk(settings, engine)
    assert latest(engine) != original
    assert set(rows(engine, "SELECT count(DISTINCT analysis_id) AS n FROM fahr.risk_model")["n"]) == {2}
    truth = simulate_population(PATIENTS, SEED)
    change(
        hospital,
        f"UPDATE cdm.observation SET value_as_number = {truth['ecog'][2]} WHERE person_id = 3 AND observation_date ="
        " (SELECT min(observation_date) FROM cdm.observation WHERE person_id = 3)",
    )
    assert run_risk(settings, engine)
    assert latest(engine) == original


def latest(engine: Engine) -> str:
    return rows(engine, "SELECT analysis_id FROM fahr.latest_analysis")["analysis_id"].item()


def test_censoring_caps_the_event_as_well_as_the_time(settings, engine, hospital):
    """A death after the observation period, or after the night, is no event."""
    night = DEMO_NIGHT - timedelta(days=2 * 365)
    change(hospital, "UPDATE cdm.observation_period SET observation_period_end_date = observation_period_end_date - 1")
    run_risk(settings, engine)
    members = rows(engine, "SELECT * FROM fahr.cohort_member WHERE is_latest")
    assert not members["event"].any()
    change(hospital, "UPDATE cdm.observation_period SET observation_period_end_date = observation_period_end_date + 1")
    run_risk(settings, engine, night=night)
    members = rows(
        engine, f"SELECT * FROM fahr.cohort_member JOIN fahr.run USING (run_id) WHERE logical_date = '{night}'"
    )
    ends = pd.to_datetime(members["index_date"]) + pd.to_timedelta(members["followup_years"] * 365.25, unit="D")
    assert ends.max().round("D") <= pd.Timestamp(night)
    assert 0 < members["event"].sum() < len(members) < PATIENTS


def test_index_is_the_session_near_radiotherapy_else_the_first(settings, engine, hospital):
    change(
        hospital,
        "UPDATE cdm.procedure_occurrence AS therapy SET procedure_date = later.session_on FROM"
        " (SELECT person_id, max(session_on) AS session_on FROM fahr.session_score GROUP BY person_id"
        "  HAVING max(session_on) - min(session_on) > 200) AS later WHERE later.person_id = therapy.person_id",
    )
    run_risk(settings, engine)
    found = rows(
        engine,
        "SELECT member.index_date, therapy.procedure_date, first_session, near_session"
        " FROM fahr.cohort_member AS member LEFT JOIN cdm.procedure_occurrence AS therapy USING (person_id)"
        " JOIN (SELECT person_id, min(session_on) AS first_session,"
        "  min(session_on) FILTER (WHERE abs(session_on - procedure_date) <= 90) AS near_session"
        "  FROM fahr.session_score LEFT JOIN cdm.procedure_occurrence USING (person_id) GROUP BY person_id) AS sessions"
        " USING (person_id)",
    )
    expected = found["near_session"].where(found["near_session"].notna(), found["first_session"])
    assert (found["index_date"] == expected).all()
    assert (found["index_date"] != found["first_session"]).any()
    assert found["procedure_date"].isna().any()


def test_persons_left_out_are_counted_once(settings, engine, hospital):
    change(hospital, "DELETE FROM cdm.observation_period WHERE person_id IN (1, 2, 3)")
    change(hospital, "DELETE FROM cdm.measurement WHERE person_id IN (3, 4, 5)")
    change(hospital, "UPDATE cdm.person SET gender_concept_id = 0 WHERE person_id IN (5, 6)")
    counts = run_risk(settings, engine)
    assert counts["without_followup"] == 3
    assert counts["missing_sex"] == 2
    assert counts["missing_stage"] == 1
    assert counts["analysed"] == PATIENTS - 6
    assert len(rows(engine, "SELECT * FROM fahr.cohort_member WHERE is_latest")) == PATIENTS - 6
    recorded = rows(engine, "SELECT counts FROM fahr.run WHERE stage = 'risk'")["counts"].item()
    assert recorded == counts


def test_no_deaths_refuses_every_model_and_keeps_the_rest(settings, engine, hospital):
    change(hospital, "DELETE FROM cdm.death")
    counts = run_risk(settings, engine)
    assert counts["models_fitted"] == 0 and counts["predicted"] == 0
    models = rows(engine, "SELECT * FROM fahr.risk_model WHERE is_latest")
    assert set(models["status"]) == {"refused"} and set(models["status_reason"]) == {"no events"}
    assert rows(engine, "SELECT * FROM fahr.risk_coefficient").empty
    assert rows(engine, "SELECT * FROM fahr.patient_risk").empty
    assert len(rows(engine, "SELECT * FROM fahr.cohort_member")) == PATIENTS
    curves = rows(engine, "SELECT * FROM fahr.survival_curve")
    assert set(curves["survival"]) == {1.0}


def test_nobody_left_is_an_empty_analysis(settings, engine, hospital):
    change(hospital, "DELETE FROM cdm.measurement")
    counts = run_risk(settings, engine)
    assert counts["analysed"] == 0 and counts["missing_stage"] == PATIENTS
    models = rows(engine, "SELECT * FROM fahr.risk_model WHERE is_latest")
    assert set(models["status_reason"]) == {"no persons"}


def test_a_level_without_deaths_refuses_only_the_models_that_use_it(settings, engine, hospital):
    change(
        hospital,
        "DELETE FROM cdm.death WHERE person_id IN"
        " (SELECT person_id FROM cdm.condition_occurrence WHERE condition_concept_id = 2000000106)",
    )
    run_risk(settings, engine)
    models = rows(engine, "SELECT * FROM fahr.risk_model WHERE is_latest").set_index("model_name")
    assert models.loc["face_age_univariable", "status"] == "fitted"
    assert models.loc["both_adjusted", "status"] == "refused"
    assert "site=brain" in models.loc["both_adjusted", "status_reason"]


def test_missing_cdm_says_what_is_missing(settings, engine, owner_engine):
    with owner_engine.begin() as connection:
        from uuid import uuid4

        from scored_hospital import register_model

        run_id = uuid4()
        connection.execute(
            text(
                "INSERT INTO fahr.run_v1 (run_id, stage, logical_date, status, code_version)"
                " VALUES (:run_id, 'score', :night, 'succeeded', '0')"
            ),
            {"run_id": run_id, "night": DEMO_NIGHT},
        )
        register_model(connection, run_id, DEMO_NIGHT)
    with pytest.raises(SettingsError, match=r"cdm\.person, cdm\.observation_period, cdm\.death"):
        run_risk(settings, engine)
    run = rows(engine, "SELECT status, error_type, exit_code FROM fahr.run WHERE stage = 'risk'").iloc[0]
    assert run.tolist() == ["failed", "SettingsError", 10]


def test_nothing_scored_yet_leaves_no_trace(settings, engine, caplog):
    with caplog.at_level(logging.WARNING, logger="fahr.risk"):
        assert run_risk(settings, engine) == {}
    assert rows(engine, "SELECT * FROM fahr.run").empty


def test_unknown_cohort_is_a_usage_error(settings, engine):
    with pytest.raises(UsageError, match="no cohort 'nobody'"):
        run_risk(settings, engine, cohort="nobody")


@pytest.fixture
def own_cohort(tmp_path: Path) -> Path:
    return Path(shutil.copytree(COHORTS / "cancer_photo", tmp_path / "cancer_photo"))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("    cancer.site,", "    cancer.sight,", r"cohort\.sql:11\d fails with UndefinedColumn: column cancer\.sight"),
        ("    cancer.site,", "", r"cohort\.sql gives no column site"),
        ("    sex.member AS sex", "    upper(sex.member) AS sex", r"levels of sex not declared"),
        ("    sex.member AS sex", "    1 / 0 AS wrong, sex.member AS sex", r"fails with DivisionByZero\.$"),
        ("SELECT DISTINCT ON (session.person_id) session", "SELECT session", r"rows too many"),
        (
            "WHEN index_session.withheld THEN 'taught_the_model'",
            "WHEN NOT index_session.withheld THEN 'too_young'",
            r"1 reasons in left_out not declared",
        ),
    ],
)
def test_wrong_sql_is_told_by_file_and_line(settings, engine, hospital, own_cohort, old, new, says):
    path = own_cohort / "cohort.sql"
    assert path.read_text().count(old) == 1
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(SettingsError, match=says):
        run_risk(settings, engine, cohort=str(own_cohort))
