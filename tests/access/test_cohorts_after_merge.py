"""Two person ids become one: cohorts, and what was granted with them, follow, as the readers' logins see it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

import pytest
import yaml
from asking import rows
from sqlalchemy import Engine, text

from jobs.access.pseudonyms import refresh_pseudonyms
from jobs.demo.population import DEMO_NIGHT
from jobs.follow import follow
from jobs.risk.job import risk
from jobs.settings import Settings
from schemas.cohort import COHORTS
from tests.jobs.scored_hospital import fill_hospital

EARLY, EVERYBODY = "early_photo", "cancer_photo"
"""A cohort of persons photographed by CUTOFF, and the shipped one."""

MOVED = ("condition_occurrence", "observation_period")
CUTOFF = date(2022, 1, 1)
Login = Callable[..., Engine]


def _cohort(folder: Path, name: str, *, photographed_by: date | None = None) -> str:
    """The shipped cohort's SQL with one small model."""
    folder = folder / name
    folder.mkdir(parents=True)
    shipped = COHORTS / EVERYBODY
    sql = (shipped / "cohort.sql").read_text()
    if photographed_by is not None:
        sql = sql.replace("session_on <= :night", f"session_on <= DATE '{photographed_by}'", 1)
    (folder / "cohort.sql").write_text(sql)
    declared = yaml.safe_load((shipped / "cohort.yaml").read_text())
    kept = {key: declared[key] for key in ("title", "reads", "endpoint", "exclusions")} | {
        "cohort": name,
        "covariates": {"age_years": declared["covariates"]["age_years"]},
        "models": {"age_univariable": declared["models"]["age_univariable"]},
        "prediction": {"model": "age_univariable", "folds": 2},
        "resampling": {"repeats": 0},
    }
    (folder / "cohort.yaml").write_text(yaml.safe_dump(kept, sort_keys=False))
    return str(folder)


@dataclass(frozen=True)
class Analysed:
    """A hospital whose two cohorts were analysed, and who reads them."""

    settings: Settings
    owner: Engine
    loader: Engine
    cohorts: tuple[str, str]
    analyst: Engine
    sees_early: Engine
    sees_everybody: Engine
    night: date = DEMO_NIGHT

    def analyse(self) -> None:
        """The night's analyses and pseudonyms, as the loader."""
        for folder in self.cohorts:
            risk(settings=self.settings, engine=self.loader, night=self.night, cohort=folder)
        refresh_pseudonyms(settings=self.settings, engine=self.loader)

    def next_night(self) -> Analysed:
        """The loader follows what the hospital decided, and judges again what is to be judged."""
        later = replace(self, night=self.night + timedelta(days=1))
        follow(settings=self.settings, engine=self.loader, night=later.night)
        with self.loader.begin() as connection:
            connection.execute(
                text("""
                    INSERT INTO fahr.validation_v1 (
                        photo_id, content_sha256, accepted, failed_rules, decided_on, run_id
                    )
                    SELECT photo_id, content_sha256, true, '{}', :night, run_id
                    FROM fahr.photo_v1
                    WHERE content_sha256 IS NOT NULL AND photo_id NOT IN (SELECT photo_id FROM fahr.validation_v1)
                """),
                {"night": later.night},
            )
        later.analyse()
        return later

    def members(self, cohort: str) -> dict[int, date]:
        """Index dates by person, as the analyst sees the latest analysis."""
        query = "SELECT person_id, index_date FROM fahr.cohort_member WHERE cohort = :cohort AND is_latest"
        return dict(rows(self.analyst, query, cohort=cohort))

    def pseudonym(self, person_id: int) -> str | None:
        found = rows(self.owner, "SELECT pseudonym FROM fahr.pseudonym_v1 WHERE person_id = :person", person=person_id)
        return found[0][0] if found else None


def pseudonyms(reader: Engine, view: str = "researcher_member") -> set[str]:
    return {name for (name,) in rows(reader, f"SELECT pseudonym FROM fahr.{view}")}


@pytest.fixture
def analysed(keyed: Settings, engine: Engine, owner_engine: Engine, login_here: Login, tmp_path: Path) -> Analysed:
    fill_hospital(owner_engine, patients=120)
    with owner_engine.begin() as connection:
        connection.execute(text("UPDATE fahr.photo_v1 SET listed_person_id = person_id, decision_due = false"))
    hospital = Analysed(
        settings=keyed,
        owner=owner_engine,
        loader=engine,
        cohorts=(_cohort(tmp_path, EARLY, photographed_by=CUTOFF), _cohort(tmp_path, EVERYBODY)),
        analyst=login_here("fahr_analyst", cohorts=(EARLY, EVERYBODY)),
        sees_early=login_here("fahr_researcher", cohorts=(EARLY,)),
        sees_everybody=login_here("fahr_researcher", cohorts=(EVERYBODY,)),
    )
    hospital.analyse()
    return hospital


def _pair(hospital: Analysed) -> tuple[int, int]:
    """Somebody whose photographs are all late, and somebody with an early one; both are alive."""
    alive = "SELECT person_id FROM fahr.cohort_member WHERE cohort = :cohort AND is_latest AND NOT event"
    early = {person for (person,) in rows(hospital.analyst, alive, cohort=EARLY)}
    late = {person for (person,) in rows(hospital.analyst, alive, cohort=EVERYBODY)} - hospital.members(EARLY).keys()
    return min(late), min(early)


def _merge(hospital: Analysed, kept: int, retired: int) -> dict[str, list[int]]:
    """The hospital says so, and moves what its own tables know of the retired id; which rows those were."""
    ids = {}
    with hospital.owner.begin() as connection:
        connection.execute(
            text("INSERT INTO hospital.person_merge VALUES (:retired, :kept, :night)"),
            {"retired": retired, "kept": kept, "night": hospital.night},
        )
        for table in MOVED:
            moved = text(f"UPDATE cdm.{table} SET person_id = :kept WHERE person_id = :retired RETURNING {table}_id")
            ids[table] = list(connection.execute(moved, {"retired": retired, "kept": kept}).scalars())
    return ids


def test_a_merged_person_is_one_member_and_is_seen_with_the_cohorts_of_both_ids(
    analysed: Analysed, login_here: Login
) -> None:
    kept, retired = _pair(analysed)
    everybody, early = analysed.members(EVERYBODY), analysed.members(EARLY)
    name, old_name = analysed.pseudonym(kept), analysed.pseudonym(retired)
    sessions = "SELECT count(*) FROM fahr.researcher_session WHERE cohort = :cohort AND pseudonym = ANY(:names)"
    of_both = rows(analysed.sees_everybody, sessions, cohort=EVERYBODY, names=[name, old_name])
    assert name not in pseudonyms(analysed.sees_early) and old_name in pseudonyms(analysed.sees_early)

    moved = _merge(analysed, kept, retired)
    after = analysed.next_night()

    assert after.members(EVERYBODY).keys() == everybody.keys() - {retired}
    # By the photograph that was the other id's: it is the person's now.
    assert after.members(EARLY).keys() == early.keys() - {retired} | {kept}
    assert after.members(EARLY)[kept] == early[retired]
    for view in ("researcher_member", "researcher_session", "researcher_patient_risk"):
        assert name in pseudonyms(after.sees_early, view) and old_name not in pseudonyms(after.sees_early, view), view
        assert len(pseudonyms(after.sees_everybody, view)) == len(everybody) - 1, view
    assert after.pseudonym(kept) == name, "who joins data of before and after by the pseudonym still can"
    assert after.pseudonym(retired) is None
    assert rows(after.sees_everybody, sessions, cohort=EVERYBODY, names=[name]) == of_both
    assert pseudonyms(login_here("fahr_researcher")) == set()

    with after.owner.begin() as connection:
        connection.execute(text("DELETE FROM hospital.person_merge"))
        for table, ids in moved.items():
            back = text(f"UPDATE cdm.{table} SET person_id = :retired WHERE {table}_id = ANY(:ids)")
            connection.execute(back, {"retired": retired, "ids": ids})
    again = after.next_night()
    assert again.members(EVERYBODY) == everybody
    assert again.members(EARLY) == early


def test_a_refusal_under_either_id_takes_the_person_out_of_researchers_views_at_once(analysed: Analysed) -> None:
    kept, retired = _pair(analysed)
    _merge(analysed, kept, retired)
    after = analysed.next_night()
    name = after.pseudonym(kept)
    assert name in pseudonyms(after.sees_early)
    with after.owner.begin() as connection:
        connection.execute(
            text("INSERT INTO hospital.opt_out VALUES (:person, :night)"), {"person": retired, "night": after.night}
        )
    assert name not in pseudonyms(after.sees_early)
    assert name not in pseudonyms(after.sees_everybody)
    gone = after.next_night()
    assert not {kept, retired} & (gone.members(EVERYBODY).keys() | gone.members(EARLY).keys())
    assert gone.pseudonym(kept) is None
