"""Follow-up and events of the shipped cohort come from hospital and registry together."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import Engine

from jobs.registry.load import load_registry
from jobs.risk.people import read_people
from schemas.cohort import load_cohort
from tests.omop.conftest import Ask
from tests.registry.naaccr import record, write_naaccr

NIGHT = date(2026, 3, 1)


@pytest.fixture
def people(engine: Engine) -> Callable[[], pd.DataFrame]:
    """The cohort's persons as the job reads them, by person."""

    def read() -> pd.DataFrame:
        with engine.connect() as connection:
            return read_people(connection, load_cohort("cancer_photo"), NIGHT).set_index("person_id")

    return read


def test_a_registry_adds_deaths_and_lengthens_follow_up(
    people, engine: Engine, ask: Ask, change: Callable[[str], None], tmp_path: Path
) -> None:
    """The hospital lost sight of two living patients; the registry knows how they fared."""
    living = [
        row.person_id
        for row in ask(
            "SELECT person_id FROM cdm.person WHERE person_id NOT IN (SELECT person_id FROM cdm.death)"
            " AND person_id IN (SELECT person_id FROM fahr.session_score WHERE is_current_model AND person_id <> 1)"
            " ORDER BY person_id"
        )
    ]
    died, lived, unknown = living[:3]
    for person in (died, lived, unknown):
        change(f"INSERT INTO hospital.patient_id_map VALUES ('MRN-{person}', {person})")
        change(
            "UPDATE cdm.observation_period SET observation_period_end_date = (SELECT min(session_on) + 30"
            f" FROM fahr.session_score WHERE person_id = {person}) WHERE person_id = {person}"
        )
    before = people()
    assert not before.loc[[died, lived, unknown], "event"].any()
    file = write_naaccr(
        tmp_path / "file.xml",
        [
            record(
                medicalRecordNumber=f"MRN-{died}", vitalStatus="0", dateOfLastContact="20260110", dateOfDiagnosis=""
            ),
            record(medicalRecordNumber=f"MRN-{lived}", dateOfLastContact="20260201", dateOfDiagnosis=""),
        ],
    )
    load_registry(engine=engine, file=file, today=NIGHT)
    after = people()
    expected = (pd.Timestamp("2026-01-10") - pd.to_datetime(after.loc[died, "index_date"])).days / 365.25
    assert bool(after.loc[died, "event"]) and after.loc[died, "followup_years"] == pytest.approx(expected)
    expected = (pd.Timestamp("2026-02-01") - pd.to_datetime(after.loc[lived, "index_date"])).days / 365.25
    assert not after.loc[lived, "event"] and after.loc[lived, "followup_years"] == pytest.approx(expected)
    others = before.index.difference([died, lived])
    pd.testing.assert_frame_equal(before.loc[others], after.loc[others])


def test_what_the_registry_learnt_after_the_night_is_not_known_on_it(
    people, engine: Engine, ask: Ask, change: Callable[[str], None], tmp_path: Path
) -> None:
    ((person,),) = ask("SELECT max(person_id) FROM fahr.session_score WHERE is_current_model")
    change(f"INSERT INTO hospital.patient_id_map VALUES ('MRN-9', {person})")
    change(f"DELETE FROM cdm.death WHERE person_id = {person}")
    late = record(medicalRecordNumber="MRN-9", vitalStatus="0", dateOfLastContact="20260401", dateOfDiagnosis="")
    file = write_naaccr(tmp_path / "file.xml", [late], made="2026-05-01T00:00:00Z")
    load_registry(engine=engine, file=file, today=date(2026, 5, 1))
    member = people().loc[person]
    assert not member["event"]
    followed = (pd.Timestamp(NIGHT) - pd.to_datetime(member["index_date"])).days / 365.25
    assert member["followup_years"] == pytest.approx(followed)


def test_whoever_opted_out_is_in_no_cohort_from_that_moment(people, change: Callable[[str], None]) -> None:
    """Their scores go with the next night; nobody is analysed until then with a death that is not shown any more."""
    before = people()
    assert 1 not in before.index
    change(f"INSERT INTO hospital.opt_out VALUES ({before.index[0]}, '2026-03-02')")
    assert list(people().index) == list(before.index[1:])
