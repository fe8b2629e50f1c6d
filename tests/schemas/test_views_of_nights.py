"""What nights that follow one another ask of the views: who is not scored and why, and how fast a face ages."""

from __future__ import annotations

from sqlalchemy import Engine, text

EVERY_PATIENT = """
    SELECT person_id,
           bool_or(status = 'scored') AS scored,
           string_agg(DISTINCT reason_code, ', ') AS reasons,
           min(since) FILTER (WHERE status <> 'scored') AS since,
           max(tries) AS tries
    FROM fahr.coverage
    WHERE person_id IS NOT NULL
    GROUP BY person_id
"""


def query(engine: Engine, statement: str) -> list[tuple]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(statement))]


def change(engine: Engine, statement: str) -> None:
    with engine.begin() as connection:
        connection.execute(text(statement))


def test_one_query_tells_of_every_patient_whether_scored_and_if_not_why_since_when_and_after_how_many_tries(
    small_warehouse: Engine,
):
    change(small_warehouse, "UPDATE fahr.photo_v1 SET person_id = 990 WHERE photo_id = 9005")
    patients = {row[0]: row[1:] for row in query(small_warehouse, EVERY_PATIENT)}
    assert patients[1][:2] == (True, None)
    scored, reasons, since, tries = patients[990]
    assert (scored, reasons, str(since), tries) == (False, "scorer_unavailable", "2026-02-25", 4)


def test_coverage_tells_the_last_try_and_whether_another_was_asked_for(small_warehouse: Engine):
    columns = "photo_id, last_tried_on::text, retry_asked"
    told = {row[0]: row[1:] for row in query(small_warehouse, f"SELECT {columns} FROM fahr.coverage")}
    assert told[11] == (None, False)
    assert all(told[photo][0] is not None for photo in (9001, 9003, 9004, 9005))
    change(small_warehouse, "UPDATE fahr.score_failure_v1 SET try_again = true WHERE reason_code = 'no_face'")
    assert query(small_warehouse, "SELECT photo_id FROM fahr.coverage WHERE retry_asked") == [(9004,)]


def test_a_photo_without_bytes_waits_for_no_model(small_warehouse: Engine):
    change(small_warehouse, "UPDATE fahr.photo_v1 SET bytes_purged_on = '2026-03-02' WHERE photo_id IN (11, 9007)")
    told = (
        "SELECT photo_id, status, reason_code, since::text FROM fahr.coverage WHERE photo_id IN (11, 9007) ORDER BY 1"
    )
    assert [row[:3] for row in query(small_warehouse, told)] == [
        (11, "scored", None),
        (9007, "quarantined", "bytes_purged"),
    ]
    assert query(small_warehouse, told)[1][3] == "2026-03-02"


def test_the_face_aging_rate_tells_the_published_interval_band(small_warehouse: Engine):
    # The later photo of persons 2, 4 … 14 is moved to the edges of the bands.
    days = {2: 9, 4: 10, 6: 365, 8: 366, 10: 730, 12: 1460, 14: 1461}
    for person, between in days.items():
        change(
            small_warehouse,
            "UPDATE fahr.photo_v1 SET captured_at = (SELECT captured_at FROM fahr.photo_v1"
            f" WHERE photo_id = {person * 10 + 1}) + interval '{between} days' WHERE photo_id = {person * 10 + 3}",
        )
    found = query(
        small_warehouse,
        "SELECT person_id, days_between, interval_band FROM fahr.face_aging_rate"
        " WHERE is_current_model AND person_id <= 14 ORDER BY 1",
    )
    assert found == [
        (4, 10, "short"),
        (6, 365, "short"),
        (8, 366, "mid"),
        (10, 730, "mid"),
        (12, 1460, "long"),
        (14, 1461, "beyond"),
    ]


def test_sessions_and_aging_rates_follow_a_merge_and_stand_apart_by_model(small_warehouse: Engine):
    before = query(small_warehouse, "SELECT count(*) FROM fahr.face_aging_rate WHERE person_id = 1")
    assert before == [(0,)], "person 1 has one session"
    change(small_warehouse, "UPDATE fahr.photo_v1 SET person_id = 1 WHERE person_id = 2")
    sessions = query(
        small_warehouse, "SELECT DISTINCT session_id FROM fahr.session_score WHERE person_id = 1 AND is_current_model"
    )
    assert len(sessions) >= 2
    assert query(small_warehouse, "SELECT count(*) FROM fahr.session_score WHERE person_id = 2") == [(0,)]
    rates = query(small_warehouse, "SELECT model_id, count(*) FROM fahr.face_aging_rate WHERE person_id = 1 GROUP BY 1")
    assert all(count == 1 for _, count in rates), "one rate for each model"
