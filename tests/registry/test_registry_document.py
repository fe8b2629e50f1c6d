"""Every join of docs/registry.md, run as the role it names, on a small warehouse of known content."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, Row, text

from jobs.demo.registry_file import MAPPING
from jobs.registry.load import load_registry
from jobs.settings import Settings
from jobs.warehouse.connection import open_warehouse
from jobs.warehouse.migrate import migrate
from tests.registry.conftest import TODAY
from tests.registry.naaccr import of_patient, write_naaccr

DOCUMENT = (Path(__file__).parents[2] / "docs" / "registry.md").read_text()
SECTIONS = {int(part.split(".")[0]): part for part in re.split(r"^### ", DOCUMENT, flags=re.MULTILINE)[1:]}
JOINS = {
    number: (re.findall(r"As `(fahr_\w+)`", part)[0], re.findall(r"```sql\n(.*?)```", part, flags=re.DOTALL)[0])
    for number, part in SECTIONS.items()
}
SITES = ("C504", "C341", "C619", "C187", "C109", "C711")
STAGES = ("1A", "2B", "3", "4")

Answer = Callable[[int], list[Row[Any]]]


def patient(number: int) -> dict[str, str]:
    """The registry's account: two in three died a year and a half after the first photographs."""
    dead = number % 3 > 0
    return of_patient(
        number,
        primarySite=SITES[number % 6],
        ajccTnmPathStageGroup=STAGES[number % 4],
        dateOfDiagnosis="20231220",
        vitalStatus="0" if dead else "1",
        dateOfLastContact="20250930" if dead else "20251231",
        causeOfDeath="C509" if dead and number % 2 else "I219" if dead else "0000",
    )


@pytest.fixture
def answer(settings: Settings, small_warehouse: Engine, tmp_path: Path) -> Iterator[Answer]:
    """Rows of a join, asked by its role. The registry knows 78 of the 80 scored persons."""
    with small_warehouse.begin() as connection:
        connection.execute(
            text("INSERT INTO hospital.patient_id_map SELECT 'MRN-' || n, n FROM generate_series(1, 83) AS n")
        )
        connection.execute(
            text(
                "CREATE TABLE cdm.death AS"
                " SELECT 1 AS person_id, date '2025-01-05' AS death_date, 'x' AS cause_source_value"
            )
        )
        connection.execute(
            text(
                "CREATE TABLE cdm.observation_period AS SELECT n AS person_id, date '2023-01-01' AS"
                " observation_period_start_date, date '2025-06-30' AS observation_period_end_date FROM"
                " generate_series(1, 80) AS n"
            )
        )
    migrate(small_warehouse)
    file = write_naaccr(tmp_path / "file.xml", [patient(number) for number in range(1, 80)])
    file.write_text(file.read_text().replace(">20231220</Item>", ">tomorrow</Item>", 1))
    loader = open_warehouse(settings)
    load_registry(engine=loader, file=file, today=TODAY)
    loader.dispose()
    engines = {role: open_warehouse(settings, role=role) for role in ("fahr_analyst", "fahr_loader")}

    def rows(number: int) -> list[Row[Any]]:
        role, query = JOINS[number]
        with engines[role].connect() as connection:
            return list(connection.execute(text(query)))

    yield rows
    for engine in engines.values():
        engine.dispose()


def test_there_are_ten_joins() -> None:
    assert sorted(JOINS) == list(range(1, 11))
    assert [role for role, _ in JOINS.values()] == ["fahr_analyst"] * 9 + ["fahr_loader"]
    assert all("registry" in query or "follow_up" in query for _, query in JOINS.values())


def test_each_join_answers_its_question(answer: Answer) -> None:
    by_site = answer(1)
    assert {row.site for row in by_site} == {"breast", "lung", "prostate", "colorectal", "head_neck", "brain"}
    # Person 1 has no date, person 79 was photographed more than 90 days later, person 80 is not in the file.
    assert sum(row.patients for row in by_site) == 77

    by_stage = answer(2)
    assert [(row.stage, row.stage_basis) for row in by_stage] == [(s, "pathological") for s in ("I", "II", "III", "IV")]
    assert sum(row.patients for row in by_stage) == 78

    bands = answer(3)
    assert sum(row.patients for row in bands) == 78
    assert min(row.from_days for row in bands) >= 0

    quarters = answer(4)
    assert [(row.quarter, row.patients) for row in quarters] == [(1, 20), (2, 20), (3, 20), (4, 20)]
    assert all(row.patients == row.died + row.alive + row.not_known for row in quarters)
    assert (sum(row.died for row in quarters), sum(row.not_known for row in quarters)) == (0, 1)

    causes = {row.cause: row.deaths for row in answer(5)}
    assert causes["cancer"] > 0 and causes["other"] > 0

    agreement = answer(6)
    assert sum(row.patients for row in agreement) == 78
    assert all(row.cohort_site == row.registry_site for row in agreement)

    assert [row.quartile for row in answer(7)] == [1, 2, 3, 4]

    (last_contacts,) = answer(8)
    assert (last_contacts.last_contact_in, last_contacts.photographed_later) == (2025, 13)

    conflicts = {row.conflict: row.patients for row in answer(9)}
    assert conflicts == {"death_dates_differ": 1}

    why = {row.why: row for row in answer(10)}
    assert {reason: row.patients for reason, row in why.items()} == {"diagnosis_date_invalid": 1, "no record at all": 1}
    assert why["diagnosis_date_invalid"].for_example == "tomorrow"


def test_the_mapping_in_the_document_is_the_demos() -> None:
    (shown,) = re.findall(r"```yaml\n(.*?)```", DOCUMENT, flags=re.DOTALL)
    assert MAPPING.split("\n", 1)[1] == shown
