"""The ledger of runs: one execution of a stage at a time, recorded, and fenced by its run id.

A stage takes a PostgreSQL advisory lock on a connection of its own, so that the lock falls with the process however it
dies. Whatever it writes to the warehouse goes through `Run.publish`, one transaction that first checks that no later
run has declared this one dead. A stage that finds nothing to do leaves no row.
"""

from __future__ import annotations

import functools
import json
import logging
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from importlib.metadata import version
from pathlib import Path

from sqlalchemy import Connection, Engine, text

from jobs import audit
from jobs.errors import DatasetRejected, FahrError, LockHeld, RunFenced

log = logging.getLogger("fahr.run")


@functools.cache
def code_version() -> str:
    """Version of the installed product."""
    return version("fahr")


@dataclass
class Run:
    """One execution of a stage: its id, its counts, and the only way it may write."""

    engine: Engine
    stage: str
    logical_date: date
    run_id: uuid.UUID = field(default_factory=uuid.uuid4)
    counts: dict[str, int] = field(default_factory=dict)
    ended: bool = False

    @contextmanager
    def publish(self, *, status: str = "succeeded") -> Iterator[Connection]:
        """One transaction for everything this run writes; it ends the run with `status` and its `counts`.

        Raises:
            RunFenced: a later run found this one dead or stopped it; nothing is written.
        """
        with self.engine.begin() as connection:
            alive = connection.execute(
                text("SELECT 1 FROM fahr.run_v1 WHERE run_id = :run_id AND status = 'running' FOR UPDATE"),
                {"run_id": self.run_id},
            ).first()
            if alive is None:
                raise RunFenced(
                    f"Run {self.run_id} was superseded by a later run of {self.stage}; it has written nothing.",
                    next_step="Nothing: the later run does the work. Look for two schedulers running the same job.",
                )
            yield connection
            self._end(connection, status)
        self.ended = True

    def nothing_to_do(self) -> None:
        """End the run without a trace: it found nothing new."""
        with self.engine.begin() as connection:
            connection.execute(text("DELETE FROM fahr.run_v1 WHERE run_id = :run_id"), {"run_id": self.run_id})
        self.ended = True

    def fail(self, error: BaseException) -> None:
        """Record that `error` ended the run: its type and exit code, never its message."""
        status = "rejected" if isinstance(error, DatasetRejected) else "failed"
        exit_code = error.exit_code if isinstance(error, FahrError) else 1
        with self.engine.begin() as connection:
            self._end(connection, status, error_type=type(error).__name__, exit_code=exit_code)
        self.ended = True

    def _end(
        self, connection: Connection, status: str, *, error_type: str | None = None, exit_code: int | None = 0
    ) -> None:
        connection.execute(
            text(
                "UPDATE fahr.run_v1 SET status = :status, finished_at = now(), counts = CAST(:counts AS jsonb),"
                " error_type = :error_type, exit_code = :exit_code WHERE run_id = :run_id AND status = 'running'"
            ),
            {
                "status": status,
                "counts": json.dumps(self.counts, sort_keys=True),
                "error_type": error_type,
                "exit_code": exit_code,
                "run_id": self.run_id,
            },
        )
        # The row tells login and role by itself. A run that found nothing to do used them for nothing, and has none.
        audit.record(connection, action="role_use", subject=self.stage, run_id=self.run_id)


@contextmanager
def recorded_run(
    engine: Engine, *, stage: str, logical_date: date, lock: str = "night", model_id: str | None = None
) -> Iterator[Run]:
    """Run a stage under the lock named `lock`, with a row in the ledger.

    The body must end the run: by `Run.publish`, by `Run.nothing_to_do`, or by raising.

    Raises:
        LockHeld: another run holds the lock.
    """
    with advisory_lock(engine, lock):
        run = Run(engine=engine, stage=stage, logical_date=logical_date)
        _begin(run, model_id)
        try:
            yield run
        except BaseException as error:
            if not run.ended:
                run.fail(error)
            raise
        if not run.ended:
            raise AssertionError(f"The stage {stage} ended without ending its run.")
        log.info("%s of %s: run %s, %s", stage, logical_date, run.run_id, run.counts or "nothing to do")


def remove_leftovers(engine: Engine, folder: Path, *, stage: str, prefix: str) -> None:
    """Remove what killed or failed runs of `stage` left: everything in `folder` but `<prefix>=<run id>` of good runs.

    The caller holds the stage's lock, so that a run that is not recorded as ended well is dead.
    """
    if not folder.is_dir():
        return
    with engine.connect() as connection:
        good = connection.execute(
            text("SELECT run_id FROM fahr.run_v1 WHERE stage = :stage AND status IN ('succeeded', 'partial')"),
            {"stage": stage},
        )
        kept = {f"{prefix}={run_id}" for run_id in good.scalars()}
    for path in folder.iterdir():
        if path.name not in kept:
            shutil.rmtree(path)


def _begin(run: Run, model_id: str | None) -> None:
    """Declare earlier runs of the stage that never ended dead (we hold their lock), and record this one."""
    with run.engine.begin() as connection:
        connection.execute(
            text("UPDATE fahr.run_v1 SET status = 'abandoned' WHERE stage = :stage AND status = 'running'"),
            {"stage": run.stage},
        )
        connection.execute(
            text(
                "INSERT INTO fahr.run_v1 (run_id, stage, logical_date, status, model_id, code_version)"
                " VALUES (:run_id, :stage, :logical_date, 'running', :model_id, :code_version)"
            ),
            {
                "run_id": run.run_id,
                "stage": run.stage,
                "logical_date": run.logical_date,
                "model_id": model_id,
                "code_version": code_version(),
            },
        )


@contextmanager
def advisory_lock(engine: Engine, name: str) -> Iterator[None]:
    """Hold the session-level advisory lock `fahr:<name>` on a connection of its own.

    Raises:
        LockHeld: another run holds it.
    """
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        taken = connection.execute(text("SELECT pg_try_advisory_lock(hashtext(:name))"), {"name": f"fahr:{name}"})
        if not taken.scalar_one():
            raise LockHeld(
                f"Another run holds the lock '{name}'.",
                next_step="Wait until it ends: SELECT * FROM fahr.run WHERE status = 'running'.",
            )
        try:
            yield
        finally:
            if not connection.closed and not connection.invalidated:
                connection.execute(text("SELECT pg_advisory_unlock(hashtext(:name))"), {"name": f"fahr:{name}"})
