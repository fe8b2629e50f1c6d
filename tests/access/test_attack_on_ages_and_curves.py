"""The attack on what tells of the archive and of time: coverage, ages by decade, survival curves; and words."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from asking import rows
from linear_attack import SMALL_CELL, Attack
from sqlalchemy import Engine, text

REASONS = ("file_missing", "file_too_large", "unreadable_file", "opted_out", "outside_photo_root")
"""Reason codes of coverage, some of them of few photos."""


def _empty(owner: Engine) -> None:
    with owner.begin() as connection:
        connection.execute(text("DELETE FROM fahr.face_score_v1"))
        connection.execute(text("DELETE FROM fahr.score_failure_v1"))
        connection.execute(text("DELETE FROM fahr.validation_v1"))
        connection.execute(text("DELETE FROM fahr.photo_v1"))
        connection.execute(text("DELETE FROM cdm.person"))


def _photos(owner: Engine, first: int, persons: list[int], reason: str | None, *, year_of_birth: int = 1960) -> int:
    """Photos of persons, one each entry, scored or refused for a reason; the number of the next one."""
    facts = [
        {"photo": first + number, "person": person, "reason": reason, "born": year_of_birth}
        for number, person in enumerate(persons)
    ]
    with owner.begin() as connection:
        connection.execute(
            text("INSERT INTO cdm.person VALUES (:person, 8507, :born, 6, 15, NULL) ON CONFLICT DO NOTHING"), facts
        )
        connection.execute(
            text("""
                INSERT INTO fahr.photo_v1 (
                    photo_id, source, source_key, source_version, person_id, captured_at, content_sha256,
                    landing_run_id, reason_code, first_seen_on, last_tried_on, run_id
                )
                SELECT :photo, 'share', 'k' || :photo, '1', :person, '2024-01-01',
                    CASE WHEN CAST(:reason AS text) IS NULL THEN 's' || :photo END,
                    CASE WHEN CAST(:reason AS text) IS NULL THEN run_id END, :reason, '2026-03-01', '2026-03-01', run_id
                FROM fahr.run_v1 LIMIT 1
            """),
            facts,
        )
        if reason is None:
            connection.execute(
                text("""
                    INSERT INTO fahr.validation_v1 (
                        photo_id, content_sha256, accepted, failed_rules, decided_on, run_id
                    )
                    SELECT :photo, 's' || :photo, true, '{}', '2026-03-01', run_id FROM fahr.run_v1 LIMIT 1
                """),
                facts,
            )
            connection.execute(
                text("""
                    INSERT INTO fahr.face_score_v1 (
                        content_sha256, model_id, preprocessing_id, face_age_years, face_survival_log_risk,
                        detection_probability, face_width_px, sharpness, weights_sha256, code_version, scored_on, run_id
                    )
                    SELECT 's' || :photo, 'new-2', 'p1', 60, 0.1, 0.99, 300, 120, 'w', '1', '2026-03-01', run_id
                    FROM fahr.run_v1 LIMIT 1
                """),
                facts,
            )
    return first + len(persons)


@pytest.mark.parametrize("seed", range(8))
def test_no_small_decade_and_no_small_cell_of_coverage_follows_from_the_two_together(
    small_warehouse: Engine, login, seed: int
) -> None:
    """Everybody has one photo: scored photos are the persons of all decades."""
    chance = random.Random(seed)
    _empty(small_warehouse)
    decades = {
        decade: chance.choice([chance.randint(1, 9), chance.randint(10, 60)])
        for decade in chance.sample(range(20, 90, 10), chance.randint(1, 4))
    }
    refused = {reason: chance.choice([0, chance.randint(1, 9), chance.randint(10, 40)]) for reason in REASONS}
    photo = person = 1
    for decade, persons in decades.items():
        photo = _photos(
            small_warehouse, photo, list(range(person, person + persons)), None, year_of_birth=2024 - decade - 5
        )
        person += persons
    for reason, photos in refused.items():
        if photos:
            photo = _photos(small_warehouse, photo, list(range(person, person + photos)), reason)
            person += photos
    researcher = login("fahr_researcher")
    attack = Attack()
    attack.adds_up("scored", [("decade", decade) for decade in decades])
    attack.adds_up("all", ["scored", *(("reason", reason) for reason in refused)])
    shown = set()
    for status, reason, photos in rows(researcher, "SELECT status, reason_code, photos FROM fahr.researcher_coverage"):
        attack.is_shown("scored" if status == "scored" else ("reason", reason), photos)
        shown.add(reason)
    for decade, persons in rows(researcher, "SELECT age_from_years, persons FROM fahr.researcher_face_age"):
        attack.is_shown(("decade", decade), persons)
        shown.add(decade)
    true = {("decade", decade): persons for decade, persons in decades.items()}
    true |= {("reason", reason): photos for reason, photos in refused.items()}
    assert shown
    assert [count for count, number in true.items() if attack.finds_out(count, number)] == []


def test_many_photos_of_few_persons_are_a_small_cell(small_warehouse: Engine, login) -> None:
    _empty(small_warehouse)
    photo = _photos(small_warehouse, 1, [1] * 40, "file_missing")
    photo = _photos(small_warehouse, photo, [*range(1, 10)] * 3, "opted_out")
    _photos(small_warehouse, photo, [*range(1, 11)] * 2, "file_too_large")
    query = "SELECT reason_code, photos FROM fahr.researcher_coverage"
    assert rows(login("fahr_researcher"), query) == [("file_too_large", 20)]


@pytest.mark.parametrize("persons", [40, 90, 300])
def test_no_few_deaths_follow_from_a_survival_curve_of_known_size(small_warehouse: Engine, login, persons: int) -> None:
    """Without censoring, deaths between two points are the persons times the difference; two decimals hide little.

    How many died in all, the level's row among the subgroups tells.
    """
    chance = random.Random(persons)
    deaths: dict[str, list[int]] = {}
    with small_warehouse.begin() as connection:
        for number in range(20):
            stratum, rate, left = f"s{number}", chance.choice([0.02, 0.1, 0.4]), persons
            deaths[stratum] = []
            for half_year in range(1, 11):
                died = sum(chance.random() < rate for _ in range(left))
                deaths[stratum].append(died)
                connection.execute(
                    text("""
                        INSERT INTO fahr.survival_curve_v1 (
                            analysis_id, stratifier, stratum, time_years, survival, ci_lower, ci_upper, at_risk, events,
                            run_id
                        )
                        SELECT 'second', 'by_site', :stratum, :years, :survival, 0, 1, :left, :died, run_id
                        FROM fahr.run_v1 LIMIT 1
                    """),
                    {"stratum": stratum, "years": half_year / 2, "survival": (left - died) / persons}
                    | {"left": left, "died": died},
                )
                left -= died
    told = rows(
        login("fahr_researcher"),
        "SELECT stratum, grid_years, survival FROM fahr.researcher_survival_curve WHERE stratifier = 'by_site'"
        " ORDER BY 1, 2",
    )
    found = []
    for stratum, died in deaths.items():
        points = [(0.0, 1.0), *((years, survival) for name, years, survival in told if name == stratum)]
        attack = Attack()
        attack.adds_up("all deaths", list(range(len(died))))
        if sum(died) >= SMALL_CELL:
            attack.is_shown("all deaths", 5 * round(sum(died) / 5))
        for before, after in pairwise(points):
            between = range(round(before[0] * 2), round(after[0] * 2))
            attack.adds_up((before[0], after[0]), list(between))
            fell = persons * (before[1] - after[1])
            # The start is exact.
            slack = persons * (0.005 if before[0] == 0 else 0.01)
            attack.lies_between((before[0], after[0]), max(SMALL_CELL, fell - slack), fell + slack)
        last = round(points[-1][0] * 2)
        attack.adds_up("after the last point", list(range(last, len(died))))
        true = {**dict(enumerate(died)), "after the last point": sum(died[last:])}
        found += [(stratum, count) for count, number in true.items() if attack.finds_out(count, number)]
    assert len(told) > 10
    assert found == []


def test_no_reason_and_no_note_tells_how_few_there_were(small_warehouse: Engine, login) -> None:
    words = "only 3 persons with stage=IV; 47 events for 6 terms: fewer than 10 events a term"
    large = (
        "observed 0.0375, predicted 0.041; separation: no events among the 4 persons with stage=IV; 6 people have two"
    )
    with small_warehouse.begin() as connection:
        for table in ("risk_model_v1", "risk_subgroup_v1", "risk_contrast_v1"):
            connection.execute(text(f"UPDATE fahr.{table} SET status_reason = :words"), {"words": words})
        connection.execute(text("UPDATE fahr.risk_performance_v1 SET note = :words"), {"words": large})
    researcher = login("fahr_researcher")
    for view in (
        "researcher_risk_model",
        "researcher_risk_latest",
        "researcher_risk_subgroup",
        "risk_contrast",
        "risk_latest_contrast",
    ):
        assert set(rows(researcher, f"SELECT status_reason FROM fahr.{view}")) == {
            ("only … persons with stage=IV; … events for 6 terms: fewer than 10 events a term",)
        }, view
    assert set(rows(researcher, "SELECT note FROM fahr.researcher_risk_performance")) == {
        ("observed …, predicted …; separation: no events among the … persons with stage=IV; … people have two",)
    }
    assert rows(small_warehouse, "SELECT DISTINCT status_reason FROM fahr.risk_model") == [(words,)]
