"""Merging 10,000 new scores costs the same into a table of 10 million as into an empty one."""

from __future__ import annotations

import json
import os
import statistics
import time
import uuid
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import SecretStr
from sqlalchemy import Engine, event, text

from bench.ledgers import LAST_NIGHT, accept_contents, fill_scores, new_warehouse
from bench.scoring import RESULTS, machine
from jobs.publish import publish
from jobs.releases import DEFAULT_MODEL, locate_release
from jobs.scoring_worker import STAGED_SCHEMA
from jobs.settings import Settings
from jobs.warehouse import embedded
from jobs.warehouse.connection import connect

STAGED = 10_000
LARGE = 10_000_000


@dataclass(frozen=True)
class MergeResult:
    """Publishes of `STAGED` new scores into one table."""

    scores_before: int
    merge_seconds: float
    """From the first statement that writes scores to the last before the commit; median of the rounds."""
    publish_seconds: float
    """The whole `fahr publish`: reading the staged files, the gate, the merge, the commit."""
    all_merge_seconds: list[float]
    all_publish_seconds: list[float]


def run(*, home: Path, rounds: int, scores: int = LARGE) -> list[MergeResult]:
    """Publish in turn into a table that was empty and into a large one."""
    home = home / "merge"
    tables = [_Table(home, 0), _Table(home, scores)]
    for batch in range(1, rounds + 2):
        for table in tables:
            table.publish(batch)
    embedded.stop(home / "server")
    return [table.result() for table in tables]


class _Table:
    """One warehouse, and publishes into it."""

    def __init__(self, home: Path, scores: int) -> None:
        self.scores = scores
        self.server = home / "server"
        self.url = new_warehouse(self.server, f"scores_{scores}")
        folder = home / f"home-{scores}"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.settings = Settings(home=folder, warehouse_url=SecretStr(self.url))
        self.release = locate_release(self.settings, DEFAULT_MODEL)
        self.engine: Engine = connect(self.url, role="fahr_loader")
        self.merges: list[float] = []
        self.publishes: list[float] = []
        fill_scores(self.server, self.url, self.release, scores=scores)
        self._watch()

    def publish(self, batch: int) -> None:
        """Stage new scores and time their publish."""
        self._stage(accept_contents(self.server, self.url, batch=batch, contents=STAGED))
        self._began = 0.0
        started = time.perf_counter()
        counts = publish(settings=self.settings, engine=self.engine, night=LAST_NIGHT)
        self.publishes.append(time.perf_counter() - started)
        self.merges.append(self._ended - self._began)
        if counts["scored"] != STAGED:
            raise RuntimeError(f"The publish did not write what was staged: {counts}")

    def result(self) -> MergeResult:
        """Medians of all rounds but the first, which warms up."""
        return MergeResult(
            scores_before=self.scores,
            merge_seconds=round(statistics.median(self.merges[1:]), 3),
            publish_seconds=round(statistics.median(self.publishes[1:]), 3),
            all_merge_seconds=[round(one, 3) for one in self.merges[1:]],
            all_publish_seconds=[round(one, 3) for one in self.publishes[1:]],
        )

    def _watch(self) -> None:
        """Note when the merging transaction writes its first score and when it ends."""

        @event.listens_for(self.engine, "before_cursor_execute")
        def began(_connection: object, _cursor: object, statement: str, *_: object) -> None:
            if "INSERT INTO fahr.face_score_v1" in statement and not self._began:
                self._began = time.perf_counter()

        @event.listens_for(self.engine, "after_cursor_execute")
        def ended(_connection: object, _cursor: object, statement: str, *_: object) -> None:
            if "INSERT INTO fahr.audit_v1" in statement:
                self._ended = time.perf_counter()

    def _stage(self, contents: list[str]) -> None:
        run_id = uuid.uuid4()
        rows = {
            "content_sha256": contents,
            "model_id": [self.release.model_id] * STAGED,
            "preprocessing_id": [self.release.preprocessing_id] * STAGED,
            "weights_sha256": [self.release.weights_sha256] * STAGED,
            "code_version": ["bench"] * STAGED,
            "face_age_years": [60.0] * STAGED,
            "face_survival_log_risk": [0.1] * STAGED,
            "detection_probability": [0.99] * STAGED,
            "face_width_px": [300.0] * STAGED,
            "sharpness": [80.0] * STAGED,
            "reason_code": pa.nulls(STAGED, pa.string()),
        }
        folder = self.settings.staged / f"run={run_id}"
        folder.mkdir(parents=True)
        pq.write_table(pa.table(rows, schema=STAGED_SCHEMA), folder / "part-0.parquet")
        with self.engine.begin() as connection:
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
    return (
        f"Merging {STAGED:,} scores: {empty.merge_seconds:.2f} s into an empty table, {large.merge_seconds:.2f} s into"
        f" {large.scores_before:,}: {large.merge_seconds / empty.merge_seconds:.2f} times. The whole publish:"
        f" {empty.publish_seconds:.2f} s and {large.publish_seconds:.2f} s."
    )


def write(results: list[MergeResult], folder: Path = RESULTS) -> Path:
    """Keep the results as JSON."""
    empty, large = results
    path = folder / f"merge-{datetime.now(UTC).date()}-cpu{os.cpu_count()}.json"
    ratios = {
        "merge_ratio": round(large.merge_seconds / empty.merge_seconds, 2),
        "publish_ratio": round(large.publish_seconds / empty.publish_seconds, 2),
    }
    facts = ratios | {"staged": STAGED, "results": [asdict(result) for result in results]}
    path.write_text(json.dumps(machine() | facts, indent=2) + "\n")
    return path
