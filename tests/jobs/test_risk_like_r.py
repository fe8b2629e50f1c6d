"""Cohorts over data sets lifelines ships, loaded into PostgreSQL and declared: the tables hold R's numbers.

The reference is that of tests/model/survival (reference/cox.json, by R's survival); here everything between a table of
the hospital's and a view for analysts is in between: SQL, declaration, job, tables, views.
"""

from __future__ import annotations

import io
import json
import shutil
import subprocess
from datetime import date
from pathlib import Path
from typing import Any

import lifelines
import numpy as np
import pandas as pd
import pytest
from sqlalchemy import Engine, text

from jobs.risk import risk
from jobs.warehouse.connection import copy_rows

NIGHT = date(2026, 3, 1)
DATA_SETS = Path(lifelines.__file__).parent / "datasets"
REFERENCE = Path(__file__).parents[1] / "model" / "survival" / "reference" / "cox.json"
AGREEMENT = 1e-6

GBSG2 = {
    "cohort.sql": """
        SELECT person_id, CAST('2000-01-01' AS date) AS index_date, time / 365.25 AS followup_years, cens = 1 AS event,
            age, tgrade, "horTh" AS hormones, pnodes AS nodes
        FROM registry.gbsg2
    """,
    "cohort.yaml": """
        cohort: gbsg2
        title: German Breast Cancer Study Group 2
        reads: [registry.gbsg2]
        endpoint: {name: recurrence or death, origin: day of surgery, horizons_years: [2, 5]}
        covariates:
          age: {label: Age, type: continuous, per: 1, unit: years}
          tgrade: {label: Grade, type: categorical, levels: [I, II, III], reference: I}
          hormones: {label: Hormones, type: categorical, levels: ["no", "yes"], reference: "no"}
          nodes: {label: Positive nodes, type: continuous, per: 1, transform: log}
        models:
          clinical: {description: Age and grade, covariates: [age, tgrade]}
          all: {description: All, covariates: [age, tgrade, hormones, nodes]}
        comparisons:
          treatment_and_nodes: {label: Hormones and nodes added, smaller: clinical, larger: all}
        subgroups: {model: all, by: [hormones], exposures: [age]}
        prediction: {model: all, folds: 5}
        curves: [tgrade]
        resampling: {repeats: 20}
    """,
}

ROSSI = {
    "cohort.sql": """
        SELECT person_id, CAST('2000-01-01' AS date) AS index_date, week / 52.0 AS followup_years, arrest = 1 AS event,
            fin, age, prio, race, wexp
        FROM registry.rossi
    """,
    "cohort.yaml": """
        cohort: rossi
        title: Recidivism
        reads: [registry.rossi]
        endpoint: {name: arrest, origin: day of release, horizons_years: [0.5]}
        covariates:
          fin: {label: Financial aid, type: continuous, per: 1}
          age: {label: Age, type: continuous, per: 1, unit: years}
          prio: {label: Prior convictions, type: continuous, per: 1}
          race: {label: Race, type: categorical, levels: ["0", "1"], reference: "0"}
          wexp: {label: Work experience, type: categorical, levels: ["0", "1"], reference: "0"}
        models:
          stratified: {description: Stratified, covariates: [fin, age, prio], strata: [race, wexp]}
        prediction: {model: stratified, folds: 5}
        resampling: {repeats: 0}
    """,
}

HEART = {
    "cohort.sql": """
        SELECT id AS person_id, CAST('1967-01-01' AS date) + CAST(start AS integer) AS index_date,
            stop / 365.25 AS followup_years, start / 365.25 AS entry_years, event = 1 AS event,
            age, year, transplant, surgery
        FROM registry.stanford_heart
    """,
    "cohort.yaml": """
        cohort: stanford_heart
        title: Stanford heart transplants
        reads: [registry.stanford_heart]
        endpoint: {name: death, origin: day of acceptance, horizons_years: [0.25]}
        entry: entry_years
        cluster: person_id
        covariates:
          age: {label: Age, type: continuous, per: 1, unit: years}
          year: {label: Year of acceptance, type: continuous, per: 1, unit: years}
          transplant: {label: Transplanted, type: continuous, per: 1}
          surgery: {label: Earlier surgery, type: categorical, levels: ["0", "1"], reference: "0"}
        models:
          stratified: {description: A baseline by surgery, covariates: [age, year, transplant], strata: [surgery]}
        prediction: {model: stratified, folds: 5}
        curves: [surgery]
        resampling: {repeats: 0}
    """,
}


LUNG = {
    "cohort.sql": """
        SELECT person_id, CAST('2000-01-01' AS date) AS index_date, time / 365.25 AS followup_years,
            status = 1 AS event, age, sex, ph_ecog, sampling,
            CASE WHEN ph_ecog < 1 THEN 'low' ELSE 'high' END AS fitness
        FROM registry.lung
    """,
    "cohort.yaml": """
        cohort: lung_sampling
        title: Lung cancer, sampled
        reads: [registry.lung]
        endpoint: {name: death, origin: day of entry, horizons_years: [1]}
        weights: sampling
        covariates:
          age: {label: Age, type: continuous, per: 1, unit: years}
          sex: {label: Sex, type: continuous, per: 1}
          ph_ecog: {label: ECOG, type: continuous, per: 1}
          fitness: {label: Fitness, type: categorical, levels: [low, high], reference: low}
        models:
          demographic: {description: Age and sex, covariates: [age, sex]}
          all: {description: All, covariates: [age, sex, ph_ecog]}
        comparisons:
          ecog: {label: ECOG added, smaller: demographic, larger: all}
        prediction: {model: all, folds: 5}
        curves: [fitness]
        resampling: {repeats: 40}
    """,
}


def reference(case: str) -> dict[str, Any]:
    return json.loads(REFERENCE.read_text())["cases"][case]


def declared(folder: Path, name: str, files: dict[str, str]) -> str:
    """The folder of a cohort that somebody wrote."""
    own = folder / name
    own.mkdir()
    for file, content in files.items():
        (own / file).write_text(content)
    return str(own)


def load(owner: Engine, table: str, frame: pd.DataFrame) -> None:
    """A data set as a table of the registry's."""
    types = {"i": "bigint", "f": "double precision", "O": "text", "b": "boolean"}
    columns = ", ".join(f'"{name}" {types[frame[name].dtype.kind]}' for name in frame)
    with owner.begin() as connection:
        connection.execute(text(f"CREATE TABLE registry.{table} ({columns})"))
        copy_rows(connection, f"registry.{table}", list(frame), frame.astype(object).itertuples(index=False, name=None))


def read(name: str, **options: Any) -> pd.DataFrame:
    frame = pd.read_csv(DATA_SETS / name, **options)
    return frame.assign(person_id=np.arange(1, len(frame) + 1))


def rows(engine: Engine, query: str) -> pd.DataFrame:
    with engine.connect() as connection:
        return pd.read_sql(text(query), connection)


def assert_as_in_r(engine: Engine, model: str, case: str, terms: list[str], *, robust: bool = False) -> None:
    """Coefficients, errors, likelihood, concordance and tests of proportional hazards, read from the views.

    R tests proportional hazards of dependent and weighted rows as if they were neither; we do not.
    """
    r = reference(case)
    found = (
        rows(engine, f"SELECT * FROM fahr.risk_coefficient WHERE model_name = '{model}'").set_index("term").loc[terms]
    )
    assert found["log_hazard_ratio"].tolist() == pytest.approx(r["coefficients"], rel=AGREEMENT)
    errors = np.sqrt(np.diag(np.reshape(r["covariance"], (len(terms), len(terms)))))
    assert found["standard_error"].tolist() == pytest.approx(errors.tolist(), rel=AGREEMENT)
    row = rows(engine, f"SELECT * FROM fahr.risk_model WHERE model_name = '{model}'").iloc[0]
    assert row["log_likelihood"] == pytest.approx(r["log_likelihood"][0], rel=AGREEMENT)
    assert row["null_log_likelihood"] == pytest.approx(r["null_log_likelihood"][0], rel=AGREEMENT)
    assert row["concordance"] == pytest.approx(r["concordance"][0], rel=AGREEMENT)
    if robust:
        assert pd.isna(row["ph_global_p_value"]) and pd.isna(row["aic"])
        return
    tests = (
        rows(
            engine,
            f"SELECT term, chi_squared, p_value FROM fahr.risk_diagnostic WHERE model_name = '{model}'"
            " AND diagnostic = 'proportional_hazards'",
        )
        .set_index("term")
        .loc[[*terms, "all"]]
    )
    assert tests["chi_squared"].tolist() == pytest.approx(r["zph_km"], rel=AGREEMENT)
    assert tests["p_value"].tolist() == pytest.approx(r["zph_km_p"], rel=AGREEMENT)
    assert row["ph_global_p_value"] == pytest.approx(r["zph_km_p"][-1], rel=AGREEMENT)


def test_levels_and_a_logarithm(settings, engine, owner_engine, tmp_path):
    load(owner_engine, "gbsg2", read("gbsg2.csv"))
    counts = risk(settings=settings, engine=engine, night=NIGHT, cohort=declared(tmp_path, "gbsg2", GBSG2))
    assert (counts["analysed"], counts["events"], counts["models_refused"]) == (686, 299, 0)
    assert_as_in_r(engine, "all", "gbsg2", ["age", "tgrade=II", "tgrade=III", "hormones=yes", "nodes"])
    nested = rows(engine, "SELECT * FROM fahr.risk_latest_contrast WHERE kind = 'nested'").iloc[0]
    models = rows(engine, "SELECT * FROM fahr.risk_model").set_index("model_name")["log_likelihood"]
    assert nested["chi_squared"] == pytest.approx(2 * (models["all"] - models["clinical"]))
    assert nested["degrees"] == 2 and nested["p_value"] == nested["p_value_holm"] < 1e-6
    assert nested["delta_concordance_lower"] < nested["delta_concordance"] < nested["delta_concordance_upper"]
    members = rows(engine, "SELECT * FROM fahr.cohort_member")
    assert members["model_id"].isna().all() and members["age_years"].isna().all()
    horizons = rows(engine, "SELECT DISTINCT horizon_years FROM fahr.patient_survival ORDER BY 1")["horizon_years"]
    assert horizons.tolist() == [2, 5]
    assert rows(engine, "SELECT survival_1_year FROM fahr.patient_risk")["survival_1_year"].isna().all()


def test_strata(settings, engine, owner_engine, tmp_path):
    load(owner_engine, "rossi", read("rossi.csv"))
    risk(settings=settings, engine=engine, night=NIGHT, cohort=declared(tmp_path, "rossi", ROSSI))
    assert_as_in_r(engine, "stratified", "rossi_strata", ["fin", "age", "prio"])
    assert rows(engine, "SELECT strata FROM fahr.risk_model")["strata"].item() == ["race", "wexp"]


def test_late_entry_strata_and_several_rows_a_person(settings, engine, owner_engine, tmp_path):
    heart = pd.read_csv(DATA_SETS / "stanford_heart.csv")
    load(owner_engine, "stanford_heart", heart)
    counts = risk(settings=settings, engine=engine, night=NIGHT, cohort=declared(tmp_path, "stanford_heart", HEART))
    assert counts["analysed"] == len(heart)
    assert_as_in_r(engine, "stratified", "heart_all", ["age", "year", "transplant"], robust=True)
    model = rows(engine, "SELECT is_robust, persons FROM fahr.risk_model").iloc[0]
    assert model["is_robust"] and model["persons"] == heart["id"].nunique()
    members = rows(engine, "SELECT * FROM fahr.cohort_member ORDER BY person_id, episode")
    assert members["episode"].max() == heart.groupby("id").size().max()
    assert members["entry_years"].tolist() == pytest.approx(
        (heart.sort_values(["id", "start"])["start"] / 365.25).tolist()
    )
    performance = rows(engine, "SELECT * FROM fahr.risk_performance").set_index("metric")
    assert performance.loc[["unos_c", "auc", "brier"], "note"].str.contains("not made for late entry").all()
    measured = ["harrells_c", "calibration_slope", "calibration_in_the_large", "integrated_calibration_index"]
    assert performance.loc[measured, "estimate"].notna().all()
    groups = rows(engine, "SELECT * FROM fahr.risk_calibration")
    assert groups["persons"].sum() == len(heart) and groups["observed"].notna().all()

    # The model is stratified: people are ranked by the survival it predicts at the last horizon.
    predicted = rows(
        engine,
        "SELECT * FROM fahr.patient_survival"
        " WHERE horizon_years = (SELECT max(horizon_years) FROM fahr.patient_survival) ORDER BY person_id, episode",
    )
    c = r_concordance(
        tmp_path, members.assign(risk=1 - predicted["survival"]), "Surv(entry_years, followup_years, event)"
    )
    assert performance.loc["harrells_c", "estimate"] == pytest.approx(c, rel=AGREEMENT)


def test_weights_count_in_coefficients_curves_and_concordance(settings, engine, owner_engine, tmp_path):
    lung = read("lung.csv").dropna(subset=["inst", "age", "sex", "ph.ecog", "wt.loss"])
    lung = lung.rename(columns={"ph.ecog": "ph_ecog"})[["person_id", "time", "status", "age", "sex", "ph_ecog"]]
    lung = lung.assign(sampling=0.5 + (lung["age"] % 5) / 4)
    load(owner_engine, "lung", lung)
    counts = risk(settings=settings, engine=engine, night=NIGHT, cohort=declared(tmp_path, "lung_sampling", LUNG))
    assert counts["analysed"] == len(lung) and counts["models_refused"] == 0
    assert_as_in_r(engine, "all", "lung_sampling", ["age", "sex", "ph_ecog"], robust=True)
    model = rows(engine, "SELECT * FROM fahr.risk_model WHERE model_name = 'all'").iloc[0]
    assert model["is_robust"]
    nested = rows(engine, "SELECT * FROM fahr.risk_contrast WHERE kind = 'nested'").iloc[0]
    assert nested["statistic"] == "wald"
    assert nested["delta_concordance_lower"] < nested["delta_concordance"] < nested["delta_concordance_upper"]

    members = rows(engine, "SELECT * FROM fahr.cohort_member ORDER BY person_id")
    assert members["weight"].tolist() == pytest.approx(lung["sampling"].tolist())
    predicted = rows(engine, "SELECT * FROM fahr.patient_risk ORDER BY person_id")
    performance = rows(engine, "SELECT * FROM fahr.risk_performance WHERE model_name = 'all'").set_index("metric")
    c = r_concordance(tmp_path, members.assign(risk=predicted["log_risk"]), "Surv(followup_years, event)")
    assert performance.loc["harrells_c", "estimate"] == pytest.approx(c, rel=AGREEMENT)
    assert performance.loc["unos_c", "note"] == "not made for weights"

    curve = rows(engine, "SELECT * FROM fahr.survival_curve WHERE stratum = 'low' AND events > 0 ORDER BY time_years")
    low = members[members["covariates"].map(lambda known: known["ph_ecog"] < 1)]
    expected = r_curve(tmp_path, low)
    found = curve.set_index("time_years").loc[lambda frame: frame["survival"] > 0]
    expected = expected.set_index(expected["time"].round(9)).loc[np.round(found.index, 9)]
    for ours, theirs in (("survival", "surv"), ("ci_lower", "lower"), ("ci_upper", "upper")):
        assert found[ours].tolist() == pytest.approx(expected[theirs].tolist(), rel=AGREEMENT)
    assert found["events"].dtype.kind == "i" and found["at_risk"].iloc[0] == len(low)


def r_concordance(folder: Path, members: pd.DataFrame, outcome: str) -> float:
    """What R's `concordance` says of the published members and their predictions."""
    weights = "data$weight" if members["weight"].notna().all() else "NULL"
    call = f"concordance({outcome} ~ risk, data, weights = {weights}, reverse = TRUE)"
    script = f"cat(format({call}$concordance, digits = 17))"
    return float(r_says(folder, members[["entry_years", "followup_years", "event", "weight", "risk"]], script))


def r_curve(folder: Path, members: pd.DataFrame) -> pd.DataFrame:
    """What R's `survfit` says of weighted persons."""
    script = (
        'found <- survfit(Surv(followup_years, event) ~ 1, data, weights = data$weight, conf.type = "log-log",'
        " timefix = FALSE)\n"
        'columns <- data.frame(unclass(found)[c("time", "surv", "lower", "upper")])\n'
        "write.csv(format(columns, digits = 17), row.names = FALSE)"
    )
    return pd.read_csv(io.StringIO(r_says(folder, members[["followup_years", "event", "weight"]], script)))


def r_says(folder: Path, data: pd.DataFrame, script: str) -> str:
    if shutil.which("Rscript") is None:
        pytest.skip("R is not installed")
    data.assign(event=data["event"].astype(int)).to_csv(folder / "data.csv", index=False, float_format="%.17g")
    (folder / "script.R").write_text(f'library(survival)\ndata <- read.csv("{folder / "data.csv"}")\n{script}\n')
    done = subprocess.run(["Rscript", folder / "script.R"], check=True, capture_output=True, text=True, timeout=120)
    return done.stdout
