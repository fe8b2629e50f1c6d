"""Two person ids become one: what registry and hospital tell of either is told of the person who is kept."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from jobs.follow import follow
from jobs.settings import Settings
from tests.registry.conftest import TODAY, Ask, Change, Load
from tests.registry.naaccr import of_patient, write_naaccr

NAMES_PERSONS = (
    "registry_tumour",
    "registry_follow_up",
    "registry_problem",
    "follow_up",
    "registry_conflict",
)


@pytest.fixture
def merged(load: Load, change: Change, settings: Settings, engine: Engine, tmp_path: Path) -> None:
    """Persons 1 and 3 are merged into 2 and 4. A registry has 1 dead and 2 alive; the hospital has the death of 3."""
    dead = {"vitalStatus": "0", "causeOfDeath": "C509"}
    write_naaccr(
        tmp_path / "file.xml",
        [
            of_patient(1, **dead, dateOfLastContact="20250801", dateOfDiagnosis="20230105", histologicTypeIcdO3="99"),
            of_patient(2, dateOfLastContact="20250601"),
            of_patient(3, dateOfLastContact="20251201"),
            of_patient(4, dateOfLastContact="20250601"),
        ],
    )
    load(tmp_path / "file.xml")
    change("INSERT INTO cdm.death VALUES (3, '2025-01-10', 'heart')")
    change(f"INSERT INTO hospital.person_merge VALUES (1, 2, '{TODAY}'), (3, 4, '{TODAY}')")
    follow(settings=settings, engine=engine, night=TODAY)


def test_a_death_told_of_the_retired_id_is_the_kept_persons(merged: None, ask: Ask) -> None:
    told = "SELECT person_id, vital_status, died_on::text, records FROM fahr.registry_follow_up ORDER BY person_id"
    assert ask(told) == [(2, "dead", "2025-08-01", 2), (4, "alive", None, 2)]
    known = "SELECT person_id, died_on::text, death_known_from FROM fahr.follow_up WHERE person_id < 5 ORDER BY 1"
    assert ask(known) == [(2, "2025-08-01", "registry"), (4, "2025-01-10", "cdm")]
    assert ask("SELECT person_id, conflict FROM fahr.registry_conflict ORDER BY 1") == [(4, "alive_after_cdm_death")]


def test_tumours_and_problems_of_both_ids_are_the_kept_persons(merged: None, ask: Ask) -> None:
    tumours = "SELECT person_id, tumour_of_person, diagnosed_on::text FROM fahr.registry_tumour ORDER BY 1, 2"
    assert ask(tumours) == [
        (2, 1, "2023-01-05"),
        (2, 2, "2024-01-05"),
        (4, 1, "2024-01-05"),
        (4, 2, "2024-01-05"),
    ]
    assert {row.person_id for row in ask("SELECT person_id FROM fahr.registry_problem")} == {2}


@pytest.mark.parametrize("refusing", [3, 4])
def test_a_refusal_under_either_id_hides_the_person(merged: None, ask: Ask, change: Change, refusing: int) -> None:
    change(f"INSERT INTO hospital.opt_out VALUES ({refusing}, '{TODAY + timedelta(days=1)}')")
    for view in NAMES_PERSONS:
        assert not {row.person_id for row in ask(f"SELECT person_id FROM fahr.{view}")} & {3, 4}, view
    assert {row.person_id for row in ask("SELECT person_id FROM fahr.registry_follow_up")} == {2}
