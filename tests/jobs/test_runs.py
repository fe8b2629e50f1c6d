"""The ledger of runs: locks, fences, and traces."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import text

from jobs.errors import DatasetRejected, LockHeld, RunFenced
from jobs.runs import recorded_run

NIGHT = date(2026, 3, 1)


def _runs(engine):
    with engine.connect() as connection:
        return connection.execute(text("SELECT * FROM fahr.run_v1 ORDER BY started_at")).all()


def test_a_run_that_publishes_is_recorded_with_its_counts(engine):
    with recorded_run(engine, stage="pull", logical_date=NIGHT) as run:
        run.counts["landed"] = 3
        with run.publish():
            pass
    (row,) = _runs(engine)
    assert (row.status, row.counts, row.exit_code, row.run_id) == ("succeeded", {"landed": 3}, 0, run.run_id)
    assert row.finished_at is not None


def test_a_run_with_nothing_to_do_leaves_no_trace(engine):
    with recorded_run(engine, stage="pull", logical_date=NIGHT) as run:
        run.nothing_to_do()
    assert _runs(engine) == []


def test_a_second_run_is_refused_while_the_first_holds_the_lock(engine):
    with recorded_run(engine, stage="score", logical_date=NIGHT) as run:
        with pytest.raises(LockHeld) as refusal, recorded_run(engine, stage="score", logical_date=NIGHT):
            pass
        assert refusal.value.exit_code == 13
        run.nothing_to_do()


def test_locks_of_other_names_do_not_hinder_each_other(engine):
    with recorded_run(engine, stage="score", logical_date=NIGHT) as night:
        with recorded_run(engine, stage="risk", logical_date=NIGHT, lock="risk") as risk:
            risk.nothing_to_do()
        night.nothing_to_do()


def test_the_lock_is_free_after_a_failure(engine):
    with pytest.raises(ValueError), recorded_run(engine, stage="pull", logical_date=NIGHT):
        raise ValueError("a message that must not be stored")
    with recorded_run(engine, stage="pull", logical_date=NIGHT) as run:
        run.nothing_to_do()
    (row,) = _runs(engine)
    assert (row.status, row.error_type, row.exit_code) == ("failed", "ValueError", 1)
    assert "message" not in str(row)


def test_a_rejected_dataset_is_recorded_as_such(engine):
    with pytest.raises(DatasetRejected), recorded_run(engine, stage="validate", logical_date=NIGHT):
        raise DatasetRejected("most rows are bad", next_step="look")
    assert [(row.status, row.exit_code) for row in _runs(engine)] == [("rejected", 11)]


def test_a_run_that_was_declared_dead_writes_nothing(engine):
    with pytest.raises(RunFenced), recorded_run(engine, stage="pull", logical_date=NIGHT) as zombie:
        with engine.begin() as connection:
            connection.execute(text("UPDATE fahr.run_v1 SET status = 'abandoned'"))
        with zombie.publish() as connection:
            connection.execute(text("INSERT INTO hospital.opt_out VALUES (1, '2026-01-01')"))
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM hospital.opt_out")).scalar_one() == 0


def test_a_killed_run_is_marked_abandoned_by_the_next(engine):
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO fahr.run_v1 (run_id, stage, logical_date, status, code_version)"
                " VALUES (gen_random_uuid(), 'pull', '2026-03-01', 'running', '0')"
            )
        )
    with recorded_run(engine, stage="pull", logical_date=NIGHT) as run:
        run.nothing_to_do()
    assert [row.status for row in _runs(engine)] == ["abandoned"]
