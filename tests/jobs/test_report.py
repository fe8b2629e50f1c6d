"""The report opens in a browser, fetches nothing, says what the warehouse says, and names nobody."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

from opened_page import Opened
from scored_hospital import MODEL_ID, REFUSED, fill_hospital, models_only
from sqlalchemy import Engine, text

from jobs.demo.population import CANARY, DEMO_NIGHT
from jobs.report import report
from jobs.risk import risk
from jobs.settings import Settings


def write(settings: Settings, engine: Engine, night=DEMO_NIGHT) -> Path:
    return report(settings=settings, engine=engine, night=night)


def test_page_of_a_full_night(settings, engine, owner_engine, browser):
    photos = fill_hospital(owner_engine, patients=150, seed=7)
    counts = risk(settings=settings, engine=engine, night=DEMO_NIGHT, cohort=models_only())
    path = write(settings, engine)
    assert path.name == "night-2026-03-01.html"
    opened = Opened(browser, path)

    assert [url for url in opened.requests if url != opened.url and not url.startswith("data:")] == []
    assert opened.complaints == []
    assert not re.search(r"(?:src|href)=[\"'](?!#|data:)|@import|url\(", path.read_text())
    assert "<script" not in path.read_text()

    assert "Research only, not for clinical use" in opened.words("#banner")
    assert "synthetic" in opened.words("#banner")

    refused = sum(REFUSED.values())
    table = opened.words("#flow table")
    assert f"Listed by the sources {photos} {photos}" in table
    assert f"Scored and published {photos - refused} {photos - refused} 3 2 0" in table
    reasons = opened.words("#reasons")
    assert "no_face" in reasons and "scorer_unavailable" in reasons and "retried" in reasons

    assert opened.page.locator("#scores svg").count() == 3
    with engine.connect() as connection:
        sessions = connection.execute(text("SELECT count(*) FROM fahr.session_score")).scalar_one()
    assert f"{sessions} sessions of 150 persons" in opened.words("#scores")
    drawn = sum(int(title.split(": ")[-1]) for title in titles(opened, "#scores rect.cell"))
    assert drawn == sessions

    section = opened.words("#risk")
    assert f"150 analysed, {counts['events']} events" in section
    with engine.connect() as connection:
        coefficient = connection.execute(
            text("SELECT * FROM fahr.risk_coefficient WHERE model_name = 'both_adjusted' AND term = 'face_age_years'")
        ).one()
    row = f"{coefficient.hazard_ratio:.2f} {coefficient.ci_lower:.2f} – {coefficient.ci_upper:.2f}"
    assert row in section
    biomarker_terms = 2 + 1 + 2 + 2 + 3 + 3 + 2
    assert opened.page.locator("#risk table.forest").first.locator(".point").count() == biomarker_terms
    assert opened.page.locator("#risk figure.curves svg").count() == 2
    assert "at risk" in opened.page.locator("#risk figure.curves svg").first.text_content()
    assert "Q4 (highest)" in section

    assert MODEL_ID in opened.words("#provenance")
    assert opened.page.locator("#provenance tbody tr").count() == 5


def titles(opened: Opened, selector: str) -> list[str]:
    return [element.text_content() or "" for element in opened.page.locator(f"{selector} title").all()]


def test_page_names_nobody(settings, engine, owner_engine):
    fill_hospital(owner_engine, patients=150, seed=7)
    risk(settings=settings, engine=engine, night=DEMO_NIGHT, cohort=models_only())
    page = write(settings, engine).read_text()
    assert CANARY not in page
    assert not re.search(r"SYN-\d|key-\d|session_id|person_id|\d+/\d{4}-\d\d-\d\d", page)
    assert str(settings.home) not in page


def test_page_before_any_risk_table_and_of_an_empty_warehouse(settings, engine, owner_engine, browser):
    empty = Opened(browser, write(settings, engine))
    assert empty.complaints == []
    assert "No photo has been scored" in empty.words("#scores")
    assert "No stage found anything to do" in empty.words("#provenance")
    fill_hospital(owner_engine, patients=20, seed=7)
    unanalysed = Opened(browser, write(settings, engine))
    assert "No cohort has been analysed yet" in unanalysed.words("#risk")
    assert unanalysed.page.locator("#scores svg").count() == 3


def test_page_when_every_model_was_refused(settings, engine, owner_engine, browser):
    fill_hospital(owner_engine, patients=20, seed=7)
    risk(settings=settings, engine=engine, night=DEMO_NIGHT, cohort=models_only())
    opened = Opened(browser, write(settings, engine))
    assert opened.complaints == []
    assert "refused" in opened.words("#risk") and "fewer than 2 events a term" in opened.words("#risk")


def test_next_night_has_its_own_page_and_nothing_new(settings, engine, owner_engine, browser):
    photos = fill_hospital(owner_engine, patients=20, seed=7)
    first = write(settings, engine)
    before = first.read_bytes()
    second = Opened(browser, write(settings, engine, DEMO_NIGHT + timedelta(days=1)))
    assert f"Listed by the sources 0 {photos}" in second.words("#flow table")
    assert write(settings, engine) == first and first.read_bytes() == before
