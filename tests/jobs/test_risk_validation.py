"""A model of one cohort, frozen and judged on another in the same warehouse."""

from __future__ import annotations

import json
import shutil
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from opened_page import Opened
from scored_hospital import fill_hospital
from sqlalchemy import text

from jobs.errors import SettingsError, UsageError
from jobs.risk import model_covariates, risk
from jobs.risk.validation import validate
from jobs.risk.validation_page import validation_page
from model.survival.concordance import harrells_c
from model.survival.cox import fit_cox
from model.survival.frozen import FrozenModel
from schemas.cohort import COHORTS, load_cohort

NIGHT = date(2026, 3, 1)


def rows(engine, query: str) -> pd.DataFrame:
    with engine.connect() as connection:
        return pd.read_sql(text(query), connection)


@pytest.fixture
def halves(owner_engine, tmp_path) -> dict[str, str]:
    """Two cohorts: persons with an odd id, and with an even one."""
    fill_hospital(owner_engine, patients=300, seed=7)
    folders = {}
    for name, remainder in (("odd", 1), ("even", 0)):
        folder = Path(shutil.copytree(COHORTS / "cancer_photo", tmp_path / name))
        sql = (folder / "cohort.sql").read_text()
        (folder / "cohort.sql").write_text(f"SELECT * FROM (\n{sql}\n) AS person WHERE person_id % 2 = {remainder}")
        declaration = (folder / "cohort.yaml").read_text().replace("cohort: cancer_photo", f"cohort: {name}")
        (folder / "cohort.yaml").write_text(declaration.replace("repeats: 200", "repeats: 0"))
        folders[name] = str(folder)
    return folders


def test_a_model_of_the_odd_is_judged_on_the_even(settings, engine, halves):
    run = {"settings": settings, "engine": engine, "night": NIGHT}
    counts = validate(**run, cohort=halves["even"], frozen_from=halves["odd"])
    assert counts["fitted_on"] == counts["persons"] == 150

    found = rows(engine, "SELECT * FROM fahr.risk_validation")
    assert set(found["frozen_from"]) == {"odd"} and set(found["cohort"]) == {"even"}
    frozen = rows(engine, "SELECT * FROM fahr.risk_frozen_model").iloc[0]
    assert (frozen["cohort"], frozen["model_name"], frozen["persons"]) == ("odd", "both_adjusted", 150)
    assert rows(engine, "SELECT * FROM fahr.cohort_member").empty

    model = FrozenModel.from_json(json.dumps(frozen["content"]))
    assert model.horizons_years == (1.0, 3.0)
    c = found[found["metric"] == "harrells_c"].iloc[0]
    assert 0.6 < c["estimate"] < 0.95
    slope = found[found["metric"] == "calibration_slope"].iloc[0]
    assert slope["lower_95"] < slope["estimate"] < slope["upper_95"]
    groups = rows(engine, "SELECT * FROM fahr.risk_validation_group WHERE horizon_years = 3")
    assert groups.groupby("is_recalibrated")["persons"].sum().to_dict() == {False: 150, True: 150}

    flow = rows(engine, "SELECT * FROM fahr.risk_validation_flow ORDER BY step")
    assert flow["remaining"].tolist()[::2] == [150, 150] and flow["reason"].iloc[0] == "persons"
    hazards = found[found["metric"] == "baseline_hazard_ratio"].set_index("horizon_years")["estimate"]
    assert hazards.between(0.5, 2).all()

    assert validate(**run, cohort=halves["even"], frozen_from=halves["odd"]) == {}
    assert len(rows(engine, "SELECT * FROM fahr.risk_validation")) == len(found)
    # The other way round is another model and another validation.
    assert validate(**run, cohort=halves["odd"], frozen_from=halves["even"])["persons"] == 150
    assert len(rows(engine, "SELECT * FROM fahr.risk_frozen_model")) == 2


def test_the_page_of_a_validation(settings, engine, halves, browser):
    pair = {"cohort": halves["even"], "frozen_from": halves["odd"]}
    assert validation_page(settings=settings, engine=engine, **pair) is None
    validate(settings=settings, engine=engine, night=NIGHT, **pair)
    path = validation_page(settings=settings, engine=engine, **pair)
    assert path.name == "risk-validation-even-from-odd.html"
    opened = Opened(browser, path)
    assert opened.complaints == []
    assert [url for url in opened.requests if url != opened.url and not url.startswith("data:")] == []
    assert "not for clinical use" in opened.words("#banner") and "synthetic" in opened.words("#banner")
    assert "In the cohort 150" in opened.words("#flow")
    c = rows(engine, "SELECT estimate FROM fahr.risk_validation WHERE metric = 'harrells_c'")["estimate"].item()
    assert f"Harrell's C {c:.3f}" in opened.words("#performance")
    assert opened.page.locator("#calibration svg").count() == 4
    assert "Baseline hazard here / as frozen at 1 year" in opened.words("#performance")
    frozen = rows(engine, "SELECT content FROM fahr.risk_frozen_model")["content"].item()
    model = FrozenModel.from_json(json.dumps(frozen))
    assert opened.page.locator("#model tbody tr").count() == len(model.beta)
    assert f"{model.beta[0]:.3f}".replace("-", "\N{MINUS SIGN}") in opened.words("#model")
    assert "person_id" not in path.read_text() and "nan" not in opened.words("body").lower().split()
    before = path.read_bytes()
    assert validation_page(settings=settings, engine=engine, **pair).read_bytes() == before


def test_the_concordance_is_that_of_the_frozen_coefficients(settings, engine, halves):
    for folder in halves.values():
        risk(settings=settings, engine=engine, night=NIGHT, cohort=folder)
    validate(settings=settings, engine=engine, night=NIGHT, cohort=halves["even"], frozen_from=halves["odd"])
    declaration = load_cohort("cancer_photo")
    covariates = model_covariates(declaration)
    terms = tuple(covariates[name] for name in declaration.declared.models["both_adjusted"].covariates)
    frames = {}
    for name in ("odd", "even"):
        members = rows(engine, f"SELECT * FROM fahr.cohort_member_v1 WHERE cohort = '{name}' ORDER BY person_id")
        told = pd.DataFrame(members["covariates"].tolist())
        frames[name] = told.assign(followup_years=members["followup_years"], event=members["event"])
    even = frames["even"]
    risk_of_even = fit_cox(frames["odd"], terms).log_risk(even)
    expected = harrells_c(even["followup_years"].to_numpy(), even["event"].to_numpy(), risk_of_even).c_index
    found = rows(engine, "SELECT estimate FROM fahr.risk_validation WHERE metric = 'harrells_c'")["estimate"].item()
    assert found == pytest.approx(expected, abs=1e-9)


def test_what_cannot_be_validated_is_told(settings, engine, halves):
    run = {"settings": settings, "engine": engine, "night": NIGHT}
    with pytest.raises(UsageError, match="not validated on the cohort it was fitted on"):
        validate(**run, cohort=halves["odd"], frozen_from=halves["odd"])
    path = Path(halves["odd"]) / "cohort.yaml"
    path.write_text(path.read_text().replace("horizons_years: [1, 3]", "horizons_years: [1, 30]"))
    with pytest.raises(SettingsError, match="cannot be frozen: nobody was followed for 30 years"):
        validate(**run, cohort=halves["even"], frozen_from=halves["odd"])
