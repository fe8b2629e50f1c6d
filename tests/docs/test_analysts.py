"""Every query of docs/analysts.md, run as an analyst on a small warehouse of known content."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy.exc
from sqlalchemy import Engine, Row, text

from jobs.settings import Settings
from jobs.warehouse.connection import open_warehouse

DOCUMENT = (Path(__file__).parents[2] / "docs" / "analysts.md").read_text()
QUERIES: dict[str, str] = {
    section.splitlines()[0]: block
    for section in re.split(r"^## ", DOCUMENT, flags=re.MULTILINE)[1:]
    for block in re.findall(r"```sql\n(.*?)```", section, flags=re.DOTALL)
}
NEEDS_A_GRANT = "With the hospital's own tables"


@pytest.fixture
def analyst(settings: Settings, small_warehouse: Engine) -> Iterator[Engine]:
    engine = open_warehouse(settings, role="fahr_analyst")
    yield engine
    engine.dispose()


def answer(engine: Engine, question: str) -> list[Row[tuple]]:
    """Rows of the query whose section's heading begins with `question`."""
    (query,) = (query for heading, query in QUERIES.items() if heading.startswith(question))
    with engine.connect() as connection:
        return list(connection.execute(text(query)))


def test_twelve_questions_are_answered_and_more() -> None:
    assert [heading.split(".")[0] for heading in QUERIES][:12] == [str(number) for number in range(1, 13)]
    assert DOCUMENT.count("```sql") == len(QUERIES)


@pytest.mark.parametrize("heading", [heading for heading in QUERIES if heading != NEEDS_A_GRANT])
def test_the_query_runs_as_an_analyst_and_finds_something(analyst: Engine, heading: str) -> None:
    assert answer(analyst, heading)


def test_the_counts_of_coverage_add_up_to_all_photos(analyst: Engine) -> None:
    rows = answer(analyst, "1.")
    assert sum(row.photos for row in rows) == 208
    assert (rows[0].status, rows[0].photos) == ("scored", 200)
    assert all(row.meaning for row in rows if row.reason_code)


def test_patients_without_a_score_are_those_without_one(analyst: Engine) -> None:
    assert [(row.person_id, row.reasons) for row in answer(analyst, "2.")] == [
        (81, ["no_face", "scorer_unavailable"]),
        (82, ["waiting to be scored"]),
        (83, ["file_missing", "opted_out", "outside_photo_root"]),
    ]


def test_half_the_patients_have_two_sessions_two_years_apart(analyst: Engine) -> None:
    assert [tuple(row) for row in answer(analyst, "3.")] == [(1, 40, Decimal("0.0")), (2, 40, Decimal("2.0"))]


def test_each_patient_has_one_last_session(analyst: Engine) -> None:
    rows = {row.person_id: row for row in answer(analyst, "4.")}
    assert len(rows) == 80
    assert (str(rows[2].session_on), rows[2].photos, rows[2].gap) == ("2026-01-03", 1, Decimal("-3.0"))
    assert (str(rows[7].session_on), rows[7].photos, rows[7].gap) == ("2024-01-08", 2, Decimal("2.5"))


def test_every_site_and_every_quarter_is_there(analyst: Engine) -> None:
    sites = answer(analyst, "5.")
    assert {row.site for row in sites} == {"breast", "lung", "prostate", "colorectal", "head_neck", "brain"}
    assert sum(row.patients for row in sites) == 80
    quarters = answer(analyst, "6.")
    assert [(row.quartile, row.patients) for row in quarters] == [(4, 20), (3, 20), (2, 20), (1, 20)]
    predicted = [row.predicted_alive_after_1_year for row in quarters]
    assert predicted == sorted(predicted)
    assert [(row.stratum, row.year, row.survival) for row in answer(analyst, "7.")][:2] == [
        ("Q1", 1, Decimal("0.950")),
        ("Q1", 3, Decimal("0.850")),
    ]


def test_only_the_last_week_and_the_latest_analysis_are_told(analyst: Engine) -> None:
    assert [row.stage for row in answer(analyst, "9.")] == ["pull", "validate", "score", "risk"]
    hazard_ratios = answer(analyst, "10.")
    assert len(hazard_ratios) == 6
    stage = hazard_ratios[-1]
    assert (stage.covariate, str(stage.hazard_ratio), stage.ci_95_percent) == (
        "Stage: IV against I",
        "3.00",
        "2.47 to 3.65",
    )


def test_what_is_added_and_in_whom(analyst: Engine) -> None:
    (added,) = answer(analyst, "11.")
    assert (added.chi_squared, added.p_holm, added.ci_95_percent) == (Decimal("10.8"), "0.001", "0.001 to 0.040")
    assert [(row.people, row.persons, row.interaction_p_holm) for row in answer(analyst, "12.")] == [
        ("all", 80, Decimal("0.800")),
        ("female", 45, Decimal("0.800")),
        ("male", 35, Decimal("0.800")),
        ("brain", 12, Decimal("0.800")),
    ]


def test_the_query_over_the_hospitals_tables_needs_the_hospitals_grant(
    analyst: Engine, small_warehouse: Engine
) -> None:
    with pytest.raises(sqlalchemy.exc.ProgrammingError, match="permission denied"):
        answer(analyst, NEEDS_A_GRANT)
    with small_warehouse.begin() as connection:
        connection.execute(text("GRANT USAGE ON SCHEMA cdm TO fahr_analyst"))
        connection.execute(text("GRANT SELECT ON cdm.person TO fahr_analyst"))
    rows = answer(analyst, NEEDS_A_GRANT)
    assert [(row.sex, row.sessions) for row in rows] == [("female", 40), ("male", 80)]
