"""Every query of docs/researcher-queries.md, run by a login that is a member of fahr_researcher and nothing else."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, Row, make_url, text

from jobs.access.grants import grant_cohort
from jobs.access.pseudonyms import refresh_pseudonyms
from jobs.settings import Settings
from jobs.warehouse.connection import connect

DOCUMENT = (Path(__file__).parents[2] / "docs" / "researcher-queries.md").read_text()
QUERIES: dict[str, str] = {
    section.splitlines()[0]: block
    for section in re.split(r"^## ", DOCUMENT, flags=re.MULTILINE)[1:]
    for block in re.findall(r"```sql\n(.*?)```", section, flags=re.DOTALL)
}
LOGIN = f"test_researcher_{os.getpid()}"


@pytest.fixture
def researcher(settings: Settings, engine: Engine, small_warehouse: Engine, warehouse_url: str) -> Iterator[Engine]:
    key = SecretStr("a key of the tests, which no hospital has")
    refresh_pseudonyms(settings=settings.model_copy(update={"pseudonym_key": key}), engine=engine)
    with small_warehouse.begin() as connection:
        connection.execute(text(f"CREATE ROLE {LOGIN} LOGIN PASSWORD 'of-the-test'"))
        connection.execute(text(f"GRANT fahr_researcher TO {LOGIN}"))
        grant_cohort(connection, grantee=LOGIN, cohort="cancer_photo")
    url = make_url(warehouse_url).set(username=LOGIN, password="of-the-test")
    login = connect(url.render_as_string(hide_password=False), role=None)
    yield login
    login.dispose()
    with small_warehouse.begin() as connection:
        connection.execute(text(f"DROP ROLE {LOGIN}"))


def answer(login: Engine, question: str) -> list[Row[tuple]]:
    """Rows of the query whose section's heading begins with `question`."""
    (query,) = (query for heading, query in QUERIES.items() if heading.startswith(question))
    with login.connect() as connection:
        return list(connection.execute(text(query)))


def test_ten_questions_are_answered_and_more() -> None:
    assert [heading.split(".")[0] for heading in QUERIES][:10] == [str(number) for number in range(1, 11)]
    assert DOCUMENT.count("```sql") == len(QUERIES) == 11


def test_every_query_runs_as_a_researchers_login_and_finds_something(researcher: Engine) -> None:
    for heading in QUERIES:
        assert answer(researcher, heading), heading


def test_the_answers_are_those_of_the_warehouse(researcher: Engine) -> None:
    assert [(row.cohort, row.analysis_id) for row in answer(researcher, "1.")] == [("cancer_photo", "second")]
    assert [(row.sex, row.persons) for row in answer(researcher, "2.")] == [("female", 40), ("male", 40)]
    sessions = [tuple(row) for row in answer(researcher, "3.")]
    assert sessions == [(1, 40, Decimal("0.0")), (2, 40, Decimal("2.0"))]
    rates = answer(researcher, "4.")
    assert len(rates) == 20 and {row.days for row in rates} == {731}
    assert sum(row.persons for row in answer(researcher, "5.")) == 80
    assert [(row.quartile, row.persons) for row in answer(researcher, "6.")] == [(4, 20), (3, 20), (2, 20), (1, 20)]
    assert [(row.site, row.persons) for row in answer(researcher, "7.")] == [("no registry tumour", 80)]
    hazard_ratios = answer(researcher, "8.")
    assert len(hazard_ratios) == 6 and {(row.persons, row.events) for row in hazard_ratios} == {(80, 55)}
    curve = answer(researcher, "9.")
    assert {row.stratum for row in curve} == {"Q1", "Q2", "Q3", "Q4"} and max(row.grid_years for row in curve) == 2
    told = {row.what: row.persons for row in answer(researcher, "10.")}
    assert told["face_age_years in female"] == 45 and told["2: missing_stage"] is None
    assert "face_age_years in prostate" not in told


def test_without_a_grant_the_same_login_sees_no_person(researcher: Engine, small_warehouse: Engine) -> None:
    with small_warehouse.begin() as connection:
        connection.execute(text("DELETE FROM fahr.cohort_grant_v1"))
    assert [len(answer(researcher, f"{number}.")) for number in range(1, 8)] == [0] * 7
    assert all(answer(researcher, f"{number}.") for number in range(8, 11))
