"""The views over a small warehouse of known content (tests/small_warehouse.sql)."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, text

from schemas.migrations import FOLDER
from schemas.views import VIEWS


def query(engine: Engine, statement: str) -> list[tuple]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(statement))]


def test_the_list_of_views_names_every_file() -> None:
    assert sorted(VIEWS) == sorted(file.stem for file in (FOLDER.parent / "views").glob("*.sql"))


def test_coverage_has_one_row_for_every_photo_and_tells_its_fate(small_warehouse: Engine) -> None:
    ((photos, rows, distinct),) = query(
        small_warehouse,
        "SELECT (SELECT count(*) FROM fahr.photo_v1), count(*), count(DISTINCT photo_id) FROM fahr.coverage",
    )
    assert photos == rows == distinct == 208
    fates = query(
        small_warehouse,
        "SELECT photo_id, status, stage, reason_code, permanent, since::text, tries FROM fahr.coverage"
        " WHERE photo_id > 9000 ORDER BY photo_id",
    )
    assert fates == [
        (9001, "failed", "pull", "file_missing", False, "2026-02-20", 9),
        (9002, "quarantined", "pull", "outside_photo_root", True, "2026-02-20", 1),
        (9003, "quarantined", "validate", "not_an_image", True, "2026-03-01", None),
        (9004, "quarantined", "score", "no_face", True, "2026-02-25", 1),
        (9005, "failed", "score", "scorer_unavailable", False, "2026-02-25", 4),
        (9006, "waiting", "validate", None, None, "2026-03-01", None),
        (9007, "waiting", "score", None, None, "2026-03-01", None),
        (9008, "quarantined", "pull", "opted_out", True, "2026-02-20", 1),
    ]
    assert query(
        small_warehouse, "SELECT DISTINCT status, stage, model_id FROM fahr.coverage WHERE photo_id < 9000"
    ) == [("scored", "score", "new-2")]


def test_coverage_before_any_model_has_scored(small_warehouse: Engine) -> None:
    with small_warehouse.begin() as connection:
        connection.execute(text("UPDATE fahr.model_version_v1 SET is_current = false"))
    statuses = query(small_warehouse, "SELECT status, count(*) FROM fahr.coverage GROUP BY status ORDER BY status")
    assert statuses == [("failed", 1), ("quarantined", 3), ("waiting", 204)]


def test_quarantine_explains_every_photo_with_a_reason_and_no_other(small_warehouse: Engine) -> None:
    rows = query(
        small_warehouse, "SELECT photo_id, meaning, coalesce(failed_rules, '{}') FROM fahr.quarantine ORDER BY photo_id"
    )
    assert [row[0] for row in rows] == [9001, 9002, 9003, 9004, 9005, 9008]
    assert all(row[1] for row in rows)
    assert [row[2] for row in rows if row[2]] == [["is_an_image"]]


def test_face_score_has_a_row_for_each_photo_and_model(small_warehouse: Engine) -> None:
    assert query(
        small_warehouse,
        "SELECT model_id, is_current_model, count(*), count(DISTINCT photo_id) FROM fahr.face_score"
        " GROUP BY model_id, is_current_model ORDER BY model_id",
    ) == [("new-2", True, 200, 200), ("old-1", False, 100, 100)]
    ((session, age, face_age, gap),) = query(
        small_warehouse,
        "SELECT session_id, age_at_photo_years, face_age_years, face_age_gap_years FROM fahr.face_score"
        " WHERE photo_id = 71 AND is_current_model",
    )
    # Person 7: born 15 June 1947, photographed on 8 January 2024.
    assert (session, age) == ("7/2024-01-08", 76.6)
    assert face_age == pytest.approx(76.6 + 7 - 5)
    assert gap == pytest.approx(2)


def test_a_session_is_scored_by_the_median_of_its_photos(small_warehouse: Engine) -> None:
    ((photos, gap, spread, log_risk),) = query(
        small_warehouse,
        "SELECT photos, face_age_gap_years, face_age_spread_years, face_survival_log_risk FROM fahr.session_score"
        " WHERE session_id = '7/2024-01-08' AND is_current_model",
    )
    assert photos == 2
    assert gap == pytest.approx(2.5)
    assert spread == pytest.approx(1)
    assert log_risk == pytest.approx(7 / 4)


def test_face_aging_rate_is_told_for_sessions_half_a_year_apart(small_warehouse: Engine) -> None:
    rows = query(
        small_warehouse,
        "SELECT person_id, years_between, face_aging_rate FROM fahr.face_aging_rate WHERE is_current_model",
    )
    assert sorted(row[0] for row in rows) == list(range(2, 81, 2))
    # Two years pass, and the first session's median is half a year higher through its second photo.
    assert all(years == pytest.approx(2, abs=0.01) for _, years, _ in rows)
    assert all(rate == pytest.approx(0.75, abs=0.06) for _, _, rate in rows)


def test_only_the_last_analysis_is_the_latest(small_warehouse: Engine) -> None:
    for view in ("cohort_member", "risk_model", "risk_coefficient", "survival_curve", "patient_risk"):
        analyses = query(small_warehouse, f"SELECT DISTINCT analysis_id, is_latest FROM fahr.{view} ORDER BY 1")
        assert analyses == [("first", False), ("second", True)], view


def test_no_view_lets_a_birthday_be_computed(small_warehouse: Engine) -> None:
    ((finest,),) = query(
        small_warehouse, "SELECT max(abs(age_years * 10 - round(age_years * 10))) FROM fahr.cohort_member"
    )
    assert finest < 1e-6
    ((keys,),) = query(small_warehouse, "SELECT count(*) FROM fahr.cohort_member WHERE covariates ? 'age_years'")
    assert keys == 0


def test_a_hospital_may_drop_and_reload_its_persons(small_warehouse: Engine) -> None:
    ages = "SELECT count(age_at_photo_years) FROM fahr.face_score WHERE is_current_model"
    assert query(small_warehouse, ages) == [(200,)]
    with small_warehouse.begin() as connection:
        connection.execute(text("ALTER TABLE cdm.person RENAME TO person_old"))
        connection.execute(text("CREATE TABLE cdm.person AS SELECT * FROM cdm.person_old"))
        connection.execute(text("DROP TABLE cdm.person_old"))
    assert query(small_warehouse, ages) == [(200,)]
    with small_warehouse.begin() as connection:
        connection.execute(text("DROP SCHEMA cdm CASCADE"))
    assert query(small_warehouse, ages) == [(0,)]
    assert query(small_warehouse, "SELECT count(*) FROM fahr.coverage") == [(208,)]


@pytest.mark.parametrize(
    ("person", "age"),
    [
        ("NULL, 1950, 2, 28", 76.0),
        ("NULL, 1950, 2, 31", 76.0),
        ("NULL, 1950, 2, NULL", 76.0),
        ("NULL, 1950, NULL, NULL", 75.7),
        ("NULL, 1950, 0, NULL", 75.7),
        ("NULL, 1950, 4, 31", 75.9),
        ("NULL, 0, 4, 30", None),
        ("'1960-03-01 04:05', 1950, 2, 28", 66.0),
    ],
)
def test_age_from_what_is_known_of_the_birth(small_warehouse: Engine, person: str, age: float | None) -> None:
    with small_warehouse.begin() as connection:
        connection.execute(
            text(
                "UPDATE cdm.person SET (birth_datetime, year_of_birth, month_of_birth, day_of_birth)"
                f" = (SELECT v.a::timestamp, v.b, v.c::int, v.d::int FROM (VALUES ({person})) AS v (a, b, c, d))"
                " WHERE person_id = 1"
            )
        )
        connection.execute(text("UPDATE fahr.photo_v1 SET captured_at = '2026-03-01' WHERE photo_id = 11"))
    assert query(small_warehouse, "SELECT fahr.age_at_photo(11)") == [(age,)]
