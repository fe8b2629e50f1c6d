"""The page of a cohort opens in a browser, fetches nothing, says what the warehouse says, and names nobody."""

from __future__ import annotations

import csv
import re

import pandas as pd
import pytest
from docx import Document
from opened_page import Opened
from scored_hospital import MODEL_ID, fill_hospital, shipped_cohort
from sqlalchemy import text
from test_risk import rows, run_risk
from typer.testing import CliRunner

from jobs.cli import app
from jobs.demo.population import CANARY
from jobs.risk.formats import FORMATS, risk_files
from jobs.risk.methods import equation
from jobs.risk.page import risk_page

COHORT = shipped_cohort(repeats=10)


@pytest.fixture
def analysed(settings, engine, owner_engine):
    fill_hospital(owner_engine, patients=200, seed=7)
    run_risk(settings, engine, cohort=COHORT)
    return engine


def test_page_of_an_analysis(settings, analysed, browser):
    path = risk_page(settings=settings, engine=analysed, cohort=COHORT)
    assert path.name == "risk-cancer_photo.html"
    opened = Opened(browser, path)
    assert opened.complaints == []
    assert [url for url in opened.requests if url != opened.url and not url.startswith("data:")] == []
    page = path.read_text()
    assert not re.search(r"(?:src|href)=[\"'](?!#|data:)|@import|url\(|<script", page)
    assert "nan" not in re.sub(r"<[^>]+>", " ", page).lower().split()

    assert "Research only, not for clinical use" in opened.words("#banner") and "synthetic" in opened.words("#banner")
    assert "In the cohort 200" in opened.words("#flow table")
    table_1 = opened.words("#characteristics table")
    assert "Age at index, years, mean (SD)" in table_1 and "Q4" in table_1 and "< 10" in table_1

    row = rows(
        analysed, "SELECT * FROM fahr.risk_latest WHERE model_name = 'both_adjusted' AND term = 'face_age_years'"
    )
    told = f"{row['hazard_ratio'].item():.2f} {row['ci_lower'].item():.2f} – {row['ci_upper'].item():.2f}"
    assert told in opened.words("#ratios")
    models = rows(analysed, "SELECT count(*) AS n FROM fahr.risk_model")["n"].item()
    assert opened.page.locator("#models tbody tr").count() == models
    nested = rows(analysed, "SELECT * FROM fahr.risk_latest_contrast WHERE contrast = 'both_beyond_clinical'").iloc[0]
    assert f"{nested['chi_squared']:.1f}" in opened.words("#added table")
    assert opened.page.locator("#curves svg").count() == 4
    assert "interaction p" in opened.words("#subgroups")
    assert "Harrell's C, corrected for optimism" in opened.words("#performance")
    assert opened.page.locator("#performance svg").count() == 4
    assert "All terms together" in opened.words("#checks") and opened.page.locator("#checks svg").count() == 13
    assert "likelihood-ratio tests" in opened.words("#methods") and "lifelines" in opened.words("#methods")
    assert MODEL_ID in opened.words("#methods")


def test_page_names_nobody_and_is_the_same_again(settings, analysed):
    path = risk_page(settings=settings, engine=analysed, cohort=COHORT)
    before = path.read_bytes()
    assert risk_page(settings=settings, engine=analysed, cohort=COHORT) == path and path.read_bytes() == before
    page = path.read_text()
    assert CANARY not in page and str(settings.home) not in page
    assert not re.search(r"SYN-\d|key-\d|session_id|person_id|\d+/\d{4}-\d\d-\d\d", page)


def test_page_when_every_model_was_refused_and_before_any_analysis(settings, engine, owner_engine, browser):
    assert risk_page(settings=settings, engine=engine, cohort=COHORT) is None
    fill_hospital(owner_engine, patients=20, seed=7)
    run_risk(settings, engine, cohort=COHORT)
    opened = Opened(browser, risk_page(settings=settings, engine=engine, cohort=COHORT))
    assert opened.complaints == []
    assert "No model could be fitted" in opened.words("#ratios") or "fitted" in opened.words("#models")
    assert "refused" in opened.words("#models")


def test_page_of_an_empty_analysis(settings, engine, owner_engine, browser):
    fill_hospital(owner_engine, patients=20, seed=7)
    with owner_engine.begin() as connection:
        connection.execute(text("DELETE FROM cdm.measurement"))
    run_risk(settings, engine, cohort=COHORT)
    opened = Opened(browser, risk_page(settings=settings, engine=engine, cohort=COHORT))
    assert opened.complaints == []
    assert "Nobody was left to analyse" in opened.words("#characteristics")


def test_tables_as_files(settings, analysed):
    csvs = {
        path.name: path for path in risk_files(settings=settings, engine=analysed, cohort=COHORT, file_format="csv")
    }
    with csvs["risk-cancer_photo-hazard-ratios.csv"].open() as file:
        told = list(csv.DictReader(file))
    published = rows(analysed, "SELECT * FROM fahr.risk_coefficient ORDER BY model_name, term")
    assert [float(row["hazard_ratio"]) for row in told] == published["hazard_ratio"].tolist()
    (tex,) = risk_files(settings=settings, engine=analysed, cohort=COHORT, file_format="latex")
    content = tex.read_text()
    assert content.count("\\begin{table}") == content.count("\\end{table}") == 6
    assert "against I" in content and not re.search(
        r"(?<!\\)[&%_#](?!.*\\\\)", content.split("\\midrule")[1].split("\\bottomrule")[0]
    )
    assert content.isascii() or not set(content) & set("−–≈")


def test_the_word_document_holds_the_numbers_of_the_csv(settings, analysed):
    wanted = {"settings": settings, "engine": analysed, "cohort": COHORT}
    csvs = {path.name: path for path in risk_files(**wanted, file_format="csv")}
    (path,) = risk_files(**wanted, file_format="docx")
    assert path.name == "risk-cancer_photo.docx"
    document = Document(str(path))
    words = "\n".join(paragraph.text for paragraph in document.paragraphs)
    assert "not for clinical use" in words and "synthetic, drawn faces" in words
    assert "Table 3. " in words and "Wald intervals" in words
    by_head = {
        tuple(cell.text for cell in table.rows[0].cells): [[cell.text for cell in row.cells] for row in table.rows[1:]]
        for table in document.tables
    }
    assert len(by_head) == 6
    ratios = next(rows for head, rows in by_head.items() if "Unit or level" in head)
    told = {(row[0], row[1], row[2]): row[3] for row in ratios}
    descriptions = rows(analysed, "SELECT model_name, description FROM fahr.risk_model").set_index("model_name")
    with csvs["risk-cancer_photo-hazard-ratios.csv"].open() as file:
        published = [row for row in csv.DictReader(file) if not row["unit"].startswith("spline")]
    straight = [row for row in published if "spline" not in row["covariate"]]
    assert len(told) == len(straight) > 50
    for row in straight:
        level = f"{row['level']} against {row['reference_level']}" if row["level"] else row["unit"]
        key = (descriptions.loc[row["model_name"], "description"], row["label"], level)
        ratio, lower, upper = (float(row[name]) for name in ("hazard_ratio", "ci_lower", "ci_upper"))
        assert told[key] == f"{ratio:.2f} ({lower:.2f} to {upper:.2f})"
    before = path.read_bytes()
    risk_files(**wanted, file_format="docx")
    assert path.read_bytes() == before


def test_the_command_writes_tables_page_and_files(settings, owner_engine, monkeypatch):
    fill_hospital(owner_engine, patients=60, seed=7)
    monkeypatch.setenv("FAHR_HOME", str(settings.home))
    monkeypatch.setenv("FAHR_WAREHOUSE_URL", settings.warehouse_url.get_secret_value())
    arguments = ["risk", "--date", "2026-03-01", *(part for name in FORMATS for part in ("--format", name))]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "analysed 60" in result.output and "risk-cancer_photo.html" in result.output
    again = CliRunner().invoke(app, ["risk", "--date", "2026-03-01"])
    assert "nothing to do" in again.output and "risk-cancer_photo.html" in again.output


def test_an_equation_has_a_sign_a_number_and_a_unit_for_each_term():
    row = {
        "label": "FaceAge",
        "level": None,
        "unit": "per 10 years",
        "one_unit": 10.0,
        "term": "face_age",
        "log_hazard_ratio": 0.25,
    }
    level = {**row, "label": "Stage", "level": "IV", "one_unit": None, "log_hazard_ratio": -1.0}
    assert (
        equation(pd.DataFrame([row, level]), ("site",))
        == "h(t) = h₀(t, site) × exp(0.250 × FaceAge / 10 − 1.000 × [Stage IV])"
    )
