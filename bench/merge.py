"""Merging 10,000 new scores costs the same into a table of 10 million as into an empty one.

What differs is physical: each new key goes to a page of its own of the large key's index, which is read from the
system's cache (the table is larger than the server's own) and, as the first change since a checkpoint, logged whole.
Before each publish there is a checkpoint, as there is between two nights: so all of that is counted. And statistics are
taken while nothing is staged or due, as autovacuum takes them by day.
"""

from __future__ import annotations

import os
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import event, text

from bench.ledgers import LAST_NIGHT, accept_contents, fill_scores
from bench.rounds import each, in_turn, middle, write_results
from bench.warehouses import Warehouse, new_warehouse, stop_server
from jobs.publish import publish
from jobs.scoring_worker import STAGED_SCHEMA

STAGED = 10_000
LARGE = 10_000_000


@dataclass(frozen=True)
class MergeResult:
    """Publishes of `STAGED` new scores into one table."""

    scores_before: int
    merge_seconds: float
    """The merging transaction, from its first write to the end of its commit; median of the rounds."""
    merge_processor_seconds: float
    """What the server's process computed in it: other work on the machine stretches seconds, and this less."""
    publish_seconds: float
    """The whole `fahr publish`, which is what a night pays: loading the staged files, the gate, the merge."""
    all_merge_seconds: list[float]
    all_merge_processor_seconds: list[float]
    all_publish_seconds: list[float]
    load_average: float
    """Of the machine over the minute before the first round: what else it did, and the fill."""


@dataclass(frozen=True)
class _Publish:
    """Seconds of one publish."""

    merge: float
    merge_processor: float
    whole: float


def run(*, home: Path, rounds: int, scores: int = LARGE) -> list[MergeResult]:
    """Publish in turn into an empty table, emptied again for each round, and into a large one."""
    home = home / "merge"
    tables = [_Table(home, 0), _Table(home, scores)]
    load = os.getloadavg()[0]
    measured = in_turn([table.publish for table in tables], rounds=rounds)
    stop_server(home)
    return [_result(table.scores, of_table, load) for table, of_table in zip(tables, measured, strict=True)]


def _result(scores: int, publishes: list[_Publish], load: float) -> MergeResult:
    merges = [one.merge for one in publishes]
    processor = [one.merge_processor for one in publishes]
    whole = [one.whole for one in publishes]
    return MergeResult(
        scores_before=scores,
        merge_seconds=middle(merges),
        merge_processor_seconds=middle(processor),
        publish_seconds=middle(whole),
        all_merge_seconds=each(merges),
        all_merge_processor_seconds=each(processor),
        all_publish_seconds=each(whole),
        load_average=round(load, 1),
    )


@dataclass(frozen=True)
class _Instant:
    """Seconds of the clock, and those that the server's process of a connection has computed, up to now."""

    clock: float
    processor: float

    @classmethod
    def of(cls, connection: psycopg.Connection[Any]) -> _Instant:
        computed = psutil.Process(connection.info.backend_pid).cpu_times()
        return cls(time.perf_counter(), computed.user + computed.system)


class _Table:
    """One warehouse, and publishes into it."""

    def __init__(self, home: Path, scores: int) -> None:
        self.scores = scores
        self.warehouse: Warehouse = new_warehouse(home, f"scores_{scores}")
        fill_scores(self.warehouse, scores=scores)
        self._began: _Instant | None = None
        self._ended: _Instant | None = None
        self._watch()

    def publish(self, batch: int) -> _Publish:
        """Stage new scores and publish them."""
        with self.warehouse.superuser() as connection:
            if not self.scores:
                connection.execute("TRUNCATE fahr.face_score_v1")
            for table in ("fahr_stage.face_score", "fahr.validation_v1", "fahr.score_failure_v1"):
                connection.execute(f"VACUUM ANALYZE {table}")
            contents = accept_contents(connection, batch=batch + 1, contents=STAGED)
            connection.execute("CHECKPOINT")
        self._stage(contents)
        self._began = self._ended = None
        started = time.perf_counter()
        counts = publish(settings=self.warehouse.settings, engine=self.warehouse.engine, night=LAST_NIGHT)
        whole = time.perf_counter() - started
        if counts["scored"] != STAGED or self._began is None or self._ended is None:
            raise RuntimeError(f"The publish did not write what was staged: {counts}")
        return _Publish(self._ended.clock - self._began.clock, self._ended.processor - self._began.processor, whole)

    def _watch(self) -> None:
        """Note when the merging transaction writes its first score, and when its connection is given back."""

        @event.listens_for(self.warehouse.engine, "before_cursor_execute")
        def began(_connection: object, cursor: Any, statement: str, *_: object) -> None:
            if "INSERT INTO fahr.face_score_v1" in statement and self._began is None:
                self._began = _Instant.of(cursor.connection)

        @event.listens_for(self.warehouse.engine, "checkin")
        def ended(connection: Any, _record: object) -> None:
            if self._began is not None and self._ended is None:
                self._ended = _Instant.of(connection)

    def _stage(self, contents: list[str]) -> None:
        release = self.warehouse.release
        run_id = uuid.uuid4()
        rows = {
            "content_sha256": contents,
            "model_id": [release.model_id] * STAGED,
            "preprocessing_id": [release.preprocessing_id] * STAGED,
            "weights_sha256": [release.weights_sha256] * STAGED,
            "code_version": ["bench"] * STAGED,
            "face_age_years": [60.0] * STAGED,
            "face_survival_log_risk": [0.1] * STAGED,
            "detection_probability": [0.99] * STAGED,
            "face_width_px": [300.0] * STAGED,
            "sharpness": [80.0] * STAGED,
            "reason_code": pa.nulls(STAGED, pa.string()),
        }
        folder = self.warehouse.settings.staged / f"run={run_id}"
        folder.mkdir(parents=True)
        pq.write_table(pa.table(rows, schema=STAGED_SCHEMA), folder / "part-0.parquet")
        with self.warehouse.engine.begin() as connection:
            connection.execute(
                text(
                    "INSERT INTO fahr.run_v1 (run_id, stage, logical_date, status, finished_at, code_version, counts)"
                    " VALUES (:run_id, 'score', :night, 'succeeded', clock_timestamp(), 'bench',"
                    " jsonb_build_object('pending', :count, 'scored', :count, 'rejected', 0, 'failed', 0))"
                ),
                {"run_id": run_id, "night": LAST_NIGHT, "count": STAGED},
            )


def as_markdown(results: list[MergeResult]) -> str:
    """The ratios and what they are of."""
    empty, large = results
    ratios = _ratios(results)
    return (
        f"Merging {STAGED:,} scores: {empty.merge_seconds:.2f} s into an empty table, {large.merge_seconds:.2f} s into"
        f" {large.scores_before:,}: {ratios['merge_ratio']:.2f} times; processor seconds of the server:"
        f" {ratios['merge_processor_ratio']:.2f} times. The whole publish: {empty.publish_seconds:.2f} s"
        f" and {large.publish_seconds:.2f} s: {ratios['publish_ratio']:.2f} times. Load before: {large.load_average}."
    )


def write(results: list[MergeResult]) -> Path:
    """Keep the results as JSON."""
    return write_results("merge", _ratios(results) | {"staged": STAGED}, results)


def _ratios(results: list[MergeResult]) -> dict[str, object]:
    empty, large = results
    return {
        "merge_ratio": round(large.merge_seconds / empty.merge_seconds, 2),
        "merge_processor_ratio": round(large.merge_processor_seconds / empty.merge_processor_seconds, 2),
        "publish_ratio": round(large.publish_seconds / empty.publish_seconds, 2),
    }
