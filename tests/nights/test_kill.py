"""kill -9 in mid-work, then a rerun: the tables are those of an undisturbed night."""

from __future__ import annotations

import pytest

from tests.nights.hospital import NIGHT, SmallHospital

pytestmark = pytest.mark.fault


def test_score_and_publish_killed_in_mid_work_leave_what_a_clean_night_writes(fresh: SmallHospital, clean_outcomes):
    fresh.fahr("pull", "--date", NIGHT)
    fresh.fahr("validate", "--date", NIGHT)

    scoring = fresh.start("score", "--date", NIGHT)
    staged = fresh.home / "staged"
    fresh.kill_when(scoring, lambda: any(staged.glob("run=*/_temporary/0/*/*")))
    assert fresh.query("SELECT status FROM fahr.run WHERE stage = 'score'") == [("running",)]
    assert fresh.query("SELECT count(*) FROM fahr.face_score_v1") == [(0,)]
    fresh.fahr("score", "--date", NIGHT)
    assert fresh.query(
        "SELECT status, count(*) FROM fahr.run WHERE stage = 'score' GROUP BY status ORDER BY status"
    ) == [
        ("abandoned", 1),
        ("succeeded", 1),
    ]

    # A slow table holds the publishing transaction open long enough to be killed inside it.
    fresh.query(
        "CREATE FUNCTION public.dawdle() RETURNS trigger LANGUAGE plpgsql"
        " AS $$ BEGIN PERFORM pg_sleep(0.5); RETURN NEW; END $$"
    )
    fresh.query(
        "CREATE TRIGGER dawdle BEFORE INSERT ON fahr.face_score_v1 FOR EACH ROW EXECUTE FUNCTION public.dawdle()"
    )
    publishing = fresh.start("publish", "--date", NIGHT)
    fresh.kill_when(
        publishing,
        lambda: bool(fresh.query("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'")),
    )
    fresh.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
    fresh.query("DROP TRIGGER dawdle ON fahr.face_score_v1")
    assert fresh.query("SELECT count(*) FROM fahr.face_score_v1") == [(0,)]
    fresh.fahr("publish", "--date", NIGHT)

    assert fresh.outcomes(NIGHT) == clean_outcomes
