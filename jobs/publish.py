"""Publish: staged scores are loaded beside the warehouse's tables, audited there, and merged in one transaction.

A scoring run's folder lies in `staged` until its rows are published. So what is to publish is what lies there; a
publish that was killed after its transaction finds, when run again, that the rows are there, and removes the folder.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa
import pyarrow.dataset as ds
from sqlalchemy import Connection, Engine, text

from jobs import audit
from jobs.errors import DatasetRejected
from jobs.gates import Gate, require
from jobs.runs import Run, recorded_run
from jobs.scoring_worker import STAGED_SCHEMA
from jobs.settings import Settings
from jobs.standing import any_loose, forget_loose_scores
from jobs.warehouse.connection import copy_rows
from schemas.staged_rules import STAGED, STAGED_QUERY

_NEXT_STEP = (
    "Nothing was published. If the staged files were altered, remove their folders below `staged`: their photos are"
    " scored again by the next night."
)


@dataclass(frozen=True)
class StagedRun:
    """A scoring run that ended well and whose folder is still there."""

    run_id: UUID
    night: date
    rows: int
    folder: Path


def publish(*, settings: Settings, engine: Engine, night: date) -> dict[str, int]:
    """Publish every staged score whose scoring run succeeded, whatever its night; forget those of bytes given up.

    Args:
        settings: where the staged scores and the Data Docs are.
        engine: the warehouse, as the loader.
        night: the logical date of this run.

    Returns:
        Counts of the rows that are new: scored, rejected (a permanent reason), failed (a transient one); and forgotten,
        scores of bytes that no accepted photo has any more, where there are any.

    Raises:
        LockHeld: another run works on the night.
        DatasetRejected: the staged scores are not what the scoring runs recorded; nothing was published.
    """
    with recorded_run(engine, stage="publish", logical_date=night) as run:
        staged = _staged_runs(engine, settings)
        counted = {"counted": sum(one.rows for one in staged)}
        with _loaded(engine, staged) as rows:
            news = rows != counted["counted"] or _anything_new(engine)
            if news:
                gate = Gate(settings, run.run_id)
                require(gate.judge_query(STAGED, engine, STAGED_QUERY, counted), settings, next_step=_NEXT_STEP)
            if news or _anything_loose(engine):
                _merge(run, staged, settings)
            else:
                run.nothing_to_do()
    for one in staged:
        _remove(one.folder)
    return run.counts


def _staged_runs(engine: Engine, settings: Settings) -> list[StagedRun]:
    """The runs whose scores wait to be published, the oldest first. Folders of nights that did not succeed are removed.

    We hold the night's lock: a night's run that is not recorded as succeeded is dead, and its photos are scored again.
    A run over the archive may be at work beside us: its folder is its own until it has succeeded.
    """
    folders = _folders(settings)
    by_name = {folder.name: folder for folder in folders}
    with engine.connect() as connection:
        succeeded = [
            StagedRun(row.run_id, row.logical_date, row.rows, by_name[f"run={row.run_id}"])
            for row in connection.execute(_SUCCEEDED, {"names": list(by_name)})
        ]
    for folder in set(folders) - {one.folder for one in succeeded}:
        if folder.parent == settings.staged:
            shutil.rmtree(folder)
    return succeeded


def _folders(settings: Settings) -> list[Path]:
    staged = [folder for folder in (settings.staged, settings.staged_archive) if folder.is_dir()]
    return [run_folder for folder in staged for run_folder in folder.iterdir()]


def _remove(folder: Path) -> None:
    """Remove a published folder; renamed first, so that a kill in between leaves no half of it to be published."""
    shutil.rmtree(folder.rename(folder.with_name(f"published-{folder.name}")))


_SUCCEEDED = text(
    """
    SELECT run_id, logical_date, CAST(counts ->> 'pending' AS bigint) AS rows
    FROM fahr.run_v1
    WHERE stage IN ('score', 'archive') AND status = 'succeeded' AND 'run=' || run_id = ANY(:names)
    ORDER BY finished_at, run_id
    """
)


@contextmanager
def _loaded(engine: Engine, staged: Sequence[StagedRun]) -> Iterator[int]:
    """Have the staged rows, so many, in `fahr_stage.face_score`, where only this publish looks; leave it empty.

    Raises:
        DatasetRejected: a staged file is no Parquet, or has other columns.
    """
    with engine.begin() as connection:
        connection.execute(_EMPTY_STAGE)
        rows = 0
        for one in staged:
            try:
                rows += copy_rows(connection, "fahr_stage.face_score", ["run_id", *STAGED_SCHEMA.names], _rows(one))
            except (pa.ArrowException, OSError) as error:
                raise DatasetRejected(
                    f"The staged scores of run {one.run_id} cannot be read ({type(error).__name__}).",
                    next_step=_NEXT_STEP,
                ) from None
    try:
        yield rows
    finally:
        with engine.begin() as connection:
            connection.execute(_EMPTY_STAGE)


_EMPTY_STAGE = text("DELETE FROM fahr_stage.face_score")


def _rows(staged: StagedRun) -> Iterator[tuple[Any, ...]]:
    """The rows of a staged folder, batch by batch; a column that is missing is null, which the audit then refuses."""
    for batch in ds.dataset(staged.folder, schema=STAGED_SCHEMA, format="parquet").to_batches():
        for row in batch.to_pylist():
            yield (staged.run_id, *(row[name] for name in STAGED_SCHEMA.names))


def _anything_new(engine: Engine) -> bool:
    """Whether the last staged outcome of any content is not what the warehouse holds."""
    with engine.connect() as connection:
        connection.execute(_LOOK_UP)
        return bool(connection.execute(_NEWS).scalar_one())


# The planner's statistics are of another hour of the night: to them the staged rows are none, or the stored ones few.
# Each staged row looks up by its key what is stored, so that a merge costs by what is staged.
_LOOK_UP = text("SET LOCAL enable_seqscan = off")


def _anything_loose(engine: Engine) -> bool:
    with engine.connect() as connection:
        return any_loose(connection)


_KEY = "content_sha256, model_id, preprocessing_id"

_NEWS = text(
    f"""
    SELECT EXISTS (
        SELECT 1
        FROM (
            SELECT DISTINCT ON ({_KEY}) {_KEY}, reason_code, logical_date
            FROM fahr_stage.face_score JOIN (SELECT run_id, logical_date, finished_at FROM fahr.run_v1) AS run
                 USING (run_id)
            ORDER BY {_KEY}, reason_code IS NOT NULL, finished_at DESC
        ) AS last
        LEFT JOIN fahr.face_score_v1 AS score USING ({_KEY})
        LEFT JOIN fahr.score_failure_v1 AS failure USING ({_KEY})
        WHERE score.run_id IS NULL
          AND (last.reason_code IS NULL OR failure.run_id IS NULL OR failure.last_failed_on < last.logical_date
               OR failure.try_again
               OR (failure.last_failed_on = last.logical_date AND failure.reason_code <> last.reason_code))
    )
    """
)


def _merge(run: Run, staged: Sequence[StagedRun], settings: Settings) -> None:
    """One transaction: the staged rows become scores and failures; a score ends the failure of the same content.

    Raises:
        RuntimeError: a staged row did not arrive; nothing is written.
    """
    run.counts = {"scored": 0, "rejected": 0, "failed": 0}
    with run.publish() as connection:
        connection.execute(_LOOK_UP)
        for one in staged:
            parameters = {"run_id": one.run_id, "night": one.night}
            run.counts["scored"] += connection.execute(_INSERT_SCORES, parameters).rowcount
            for permanent in connection.execute(_UPSERT_FAILURES, parameters).scalars():
                run.counts["rejected" if permanent else "failed"] += 1
        connection.execute(_END_FAILURES)
        for one in staged:
            _verify(connection, one)
        connection.execute(_JUDGED)
        waiting = {folder.name for folder in _folders(settings)} - {one.folder.name for one in staged}
        if forgotten := forget_loose_scores(connection, sorted(waiting)):
            run.counts["forgotten"] = forgotten
        audit.record(connection, action="publish", run_id=run.run_id, counts=run.counts)


# In the order of the key, neighbours in its index follow one another.
_INSERT_SCORES = text(
    f"""
    INSERT INTO fahr.face_score_v1
           ({_KEY}, face_age_years, face_survival_log_risk, detection_probability, face_width_px, sharpness,
            weights_sha256, code_version, scored_on, run_id)
    SELECT {_KEY}, face_age_years, face_survival_log_risk, detection_probability, face_width_px, sharpness,
           weights_sha256, code_version, :night, run_id
    FROM fahr_stage.face_score
    WHERE run_id = :run_id AND reason_code IS NULL
    ORDER BY {_KEY}
    ON CONFLICT ({_KEY}) DO NOTHING
    """
)

# A night counts once, however often it is run; an older night never overwrites a younger one.
_UPSERT_FAILURES = text(
    f"""
    WITH written AS (
        INSERT INTO fahr.score_failure_v1 AS known
               ({_KEY}, reason_code, first_failed_on, last_failed_on, weights_sha256, code_version, run_id)
        SELECT {_KEY}, staged.reason_code, :night, :night, staged.weights_sha256, staged.code_version, staged.run_id
        FROM fahr_stage.face_score AS staged LEFT JOIN fahr.face_score_v1 AS score USING ({_KEY})
        WHERE staged.run_id = :run_id AND staged.reason_code IS NOT NULL AND score.run_id IS NULL
        ON CONFLICT ({_KEY}) DO UPDATE SET
            reason_code = excluded.reason_code,
            last_failed_on = excluded.last_failed_on,
            tries = known.tries + CASE WHEN known.last_failed_on < excluded.last_failed_on THEN 1 ELSE 0 END,
            try_again = false,
            weights_sha256 = excluded.weights_sha256,
            code_version = excluded.code_version,
            run_id = excluded.run_id
        WHERE known.last_failed_on < excluded.last_failed_on OR known.try_again
           OR (known.last_failed_on = excluded.last_failed_on AND known.reason_code <> excluded.reason_code)
        RETURNING reason_code
    )
    SELECT reason.permanent FROM written JOIN fahr.reason_code_v1 AS reason USING (reason_code)
    """
)

_END_FAILURES = text(
    """
    DELETE FROM fahr.score_failure_v1 AS failure
    USING fahr.face_score_v1 AS score, fahr_stage.face_score AS staged
    WHERE (failure.content_sha256, failure.model_id, failure.preprocessing_id)
        = (score.content_sha256, score.model_id, score.preprocessing_id)
      AND (staged.content_sha256, staged.model_id, staged.preprocessing_id)
        = (score.content_sha256, score.model_id, score.preprocessing_id)
    """
)


# Once any model has judged them, bytes are the archive's for every other model. What was staged is asked first: it is
# little, and stands for nearly all.
_JUDGED = text(
    """
    UPDATE fahr.validation_v1 AS decision SET score_due = false
    WHERE decision.accepted AND decision.score_due
      AND (EXISTS (
               SELECT FROM fahr_stage.face_score AS staged
               WHERE staged.content_sha256 = decision.content_sha256 AND staged.reason_code IS NULL)
           OR EXISTS (SELECT FROM fahr.face_score_v1 AS score WHERE score.content_sha256 = decision.content_sha256)
           OR EXISTS (
               SELECT FROM fahr.score_failure_v1 AS failure JOIN fahr.reason_code_v1 AS reason USING (reason_code)
               WHERE failure.content_sha256 = decision.content_sha256 AND reason.permanent))
    """
)


def _verify(connection: Connection, staged: StagedRun) -> None:
    """Read back, before the commit, that every staged row of a run has its score or its failure."""
    if lost := connection.execute(_LOST, {"run_id": staged.run_id}).scalar_one():
        raise RuntimeError(f"{lost} staged rows did not arrive in the warehouse.")


# What a run wrote lies together and is read in one go; the rest, of a failure or of an earlier run, is looked up.
_LOST = text(
    f"""
    WITH elsewhere AS MATERIALIZED (
        SELECT {_KEY}, reason_code FROM fahr_stage.face_score WHERE run_id = :run_id
        EXCEPT
        SELECT {_KEY}, NULL FROM fahr.face_score_v1 WHERE run_id = :run_id
    )
    SELECT count(*)
    FROM elsewhere
    LEFT JOIN fahr.face_score_v1 AS score USING ({_KEY})
    LEFT JOIN fahr.score_failure_v1 AS failure USING ({_KEY})
    WHERE score.run_id IS NULL AND (elsewhere.reason_code IS NULL OR failure.run_id IS NULL)
    """
)
