"""What is known of life and death when hospital and registry are put together, and by whose word."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine

from jobs.errors import SettingsError
from jobs.settings import Settings
from jobs.warehouse.commands import migrate_command
from jobs.warehouse.connection import open_warehouse
from tests.registry.conftest import Ask, Change, Load
from tests.registry.naaccr import of_patient, write_naaccr

KNOWN = "SELECT person_id, died_on::text, death_known_from, conflict, registry_followed_until::text FROM fahr.follow_up"


@pytest.fixture
def told(load: Load, change: Change, tmp_path: Path) -> None:
    """Nine patients, each told in another way. The hospital observed everybody until 2025-01-31."""
    cdm = {1: "2025-01-10", 2: "2025-01-10", 3: "2025-01-10", 4: "2025-01-10", 5: "2025-01-10", 9: "2025-01-10"}
    for person, day in cdm.items():
        change(f"INSERT INTO cdm.death VALUES ({person}, '{day}', 'heart')")
    dead = {"vitalStatus": "0", "causeOfDeath": "C509"}
    write_naaccr(
        tmp_path / "file.xml",
        [
            of_patient(1, **dead, dateOfLastContact="20250110"),  # the same day
            of_patient(2, **dead, dateOfLastContact="20241225"),  # another day
            of_patient(3, **dead, dateOfLastContact="202501"),  # the month alone
            of_patient(4, dateOfLastContact="20250601"),  # alive after the hospital's death
            of_patient(5, dateOfLastContact="20241201"),  # has not heard of it yet
            of_patient(6, **dead, dateOfLastContact="20250801"),  # a death the hospital does not know
            of_patient(7, **dead, dateOfLastContact="20241001"),  # dead, and observed four months later
            of_patient(8, dateOfLastContact="20260115"),  # alive, longer than the hospital observed
            of_patient(9, **dead, dateOfLastContact="20250111"),  # a day apart: no conflict
        ],
    )
    load(tmp_path / "file.xml")


def test_the_union_and_its_conflicts(told: None, ask: Ask) -> None:
    rows = {row.person_id: tuple(row)[1:] for row in ask(KNOWN)}
    assert {person: rows[person] for person in range(1, 11)} == {
        1: ("2025-01-10", "both", None, "2025-01-10"),
        2: ("2024-12-25", "registry", "death_dates_differ", "2024-12-25"),
        3: ("2025-01-10", "both", None, "2025-01-15"),
        4: ("2025-01-10", "cdm", "alive_after_cdm_death", "2025-06-01"),
        5: ("2025-01-10", "cdm", None, "2024-12-01"),
        6: ("2025-08-01", "registry", None, "2025-08-01"),
        7: ("2024-10-01", "registry", "observed_after_registry_death", "2024-10-01"),
        8: (None, None, None, "2026-01-15"),
        9: ("2025-01-11", "registry", None, "2025-01-11"),
        10: (None, None, None, None),
    }
    causes = dict(map(tuple, ask("SELECT person_id, cause_of_death FROM fahr.follow_up WHERE person_id IN (1, 5)")))
    assert causes == {1: "C50.9", 5: "heart"}


def test_conflicts_are_a_table_and_counted_by_the_load(told: None, ask: Ask) -> None:
    assert ask(
        "SELECT person_id, conflict, believed, days_apart, died_on::text FROM fahr.registry_conflict ORDER BY 1"
    ) == [
        (2, "death_dates_differ", "registry", 16, "2024-12-25"),
        (4, "alive_after_cdm_death", "cdm", 142, "2025-01-10"),
        (7, "observed_after_registry_death", "registry", 122, "2024-10-01"),
    ]
    ((counts,),) = ask("SELECT counts FROM fahr.registry_load")
    assert counts["death_dates_differ"] == counts["alive_after_cdm_death"] == 1


def test_a_hospital_declares_other_rules(told: None, ask: Ask, settings: Settings, tmp_path: Path) -> None:
    rules = tmp_path / "deaths.yaml"
    rules.write_text(
        "death_dates_differ: {meaning: Days differ., believed: latest, tolerance_days: 0}\n"
        "alive_after_cdm_death: {meaning: Alive., believed: registry, tolerance_days: 0}\n"
        "observed_after_registry_death: {meaning: Observed., believed: cdm, tolerance_days: 0}\n"
        "registry_contradicts_itself: {meaning: Both., believed: latest, tolerance_days: 0}\n"
    )
    own = settings.model_copy(update={"death_rules": rules})
    with pytest.raises(SettingsError, match="not that of this version"):
        open_warehouse(own)
    assert migrate_command(own) == "The warehouse is migrated."
    open_warehouse(own).dispose()
    rows = {row.person_id: tuple(row)[1:] for row in ask(KNOWN)}
    assert rows[2][:3] == ("2025-01-10", "cdm", "death_dates_differ")
    assert rows[4] == (None, None, "alive_after_cdm_death", "2025-06-01")
    assert rows[7] == (None, None, "observed_after_registry_death", None)
    assert rows[9][:3] == ("2025-01-11", "registry", "death_dates_differ")


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("death_dates_differ: {meaning: x, believed: cdm, tolerance_days: 0}\n", "a rule for each of"),
        ("death_dates_differ: 1\ndeath_dates_differ: 2\n", "stands twice"),
        ("- x\n", "valid dictionary"),
    ],
)
def test_wrong_rules_are_told_by_file_and_key(settings: Settings, tmp_path: Path, written: str, says: str) -> None:
    (tmp_path / "deaths.yaml").write_text(written)
    with pytest.raises(SettingsError, match=says):
        open_warehouse(settings.model_copy(update={"death_rules": tmp_path / "deaths.yaml"}))


def test_a_registry_that_contradicts_itself(load: Load, ask: Ask, tmp_path: Path) -> None:
    """Two registries: one has the death, the other saw the patient alive a year later."""
    load(
        write_naaccr(tmp_path / "a.xml", [of_patient(10, vitalStatus="0", dateOfLastContact="20250101")]), registry="a"
    )
    load(write_naaccr(tmp_path / "b.xml", [of_patient(10, dateOfLastContact="20260101")]), registry="b")
    assert ask(
        "SELECT conflict, registry_died_on::text, registry_alive_on::text, died_on::text FROM fahr.registry_conflict"
        " WHERE conflict = 'registry_contradicts_itself'"
    ) == [("registry_contradicts_itself", "2025-01-01", "2026-01-01", "2025-01-01")]


def test_without_a_cdm_the_registry_speaks_alone(told: None, ask: Ask, change: Change, owner_engine: Engine) -> None:
    change("DROP SCHEMA cdm CASCADE")
    rows = {row.person_id: tuple(row)[1:] for row in ask(KNOWN)}
    assert rows[2] == ("2024-12-25", "registry", None, "2024-12-25")
    assert rows[4] == (None, None, None, "2025-06-01")
    assert ask("SELECT count(*) FROM fahr.registry_conflict") == [(0,)]
