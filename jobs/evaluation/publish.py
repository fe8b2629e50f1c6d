"""Publish an evaluation: rows in the warehouse, a CSV file, and a page that needs nothing but itself."""

from __future__ import annotations

import csv
import hashlib
import io
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, text

from jobs import audit
from jobs.errors import LockHeld
from jobs.evaluation.findings import EvaluatedModel, Evaluation, Finding
from jobs.evaluation.page import render_page
from jobs.runs import Run, code_version, recorded_run
from jobs.settings import Settings
from jobs.warehouse.connection import copy_rows

LONGEST_WAIT_SECONDS = 60.0
"""Publishing takes a moment, evaluating may take hours: another one that publishes just now is waited for."""


@dataclass(frozen=True, slots=True)
class PublishedEvaluation:
    """Where an evaluation went."""

    evaluation_id: str
    page: Path
    csv: Path
    changed: bool
    """False: the warehouse held exactly this already, as its latest."""


def publish_evaluation(
    *, settings: Settings, engine: Engine, release: EvaluatedModel, evaluation: Evaluation, night: date
) -> PublishedEvaluation:
    """Write an evaluation to the warehouse in one transaction, then its CSV file and its page.

    The same evaluation again (kind, model, data, method, code) takes the place of its own earlier rows; where it would
    change nothing it leaves no run. Files are replaced whole.

    Args:
        settings: of this process; files go to `settings.reports`.
        engine: warehouse, as fahr_loader.
        release: the model evaluated.
        evaluation: what was found.
        night: the evaluation's date.

    Raises:
        LockHeld: another evaluation has been publishing for a minute.
        ValueError: two findings have the same metric, group and level.
    """
    _refuse_repeated(evaluation)
    evaluation_id = _evaluation_id(release, evaluation)
    row = _evaluation_row(evaluation_id, release, evaluation, night)
    with _run_when_free(engine, night, release.model_id) as run:
        changed = not _is_latest_already(engine, row, evaluation)
        if changed:
            run.counts = {
                "photos": evaluation.photos,
                "people": evaluation.people,
                "metrics": len(evaluation.findings),
                "not_computable": sum(finding.estimate is None for finding in evaluation.findings),
            }
            with run.publish() as connection:
                _write(connection, row, evaluation, run.run_id)
                audit.record(
                    connection, action="evaluation", subject=evaluation_id, run_id=run.run_id, counts=run.counts
                )
        else:
            run.nothing_to_do()
    name = f"evaluation-{evaluation.kind}-{_plain(release.model_id)}-{evaluation_id[:8]}"
    settings.reports.mkdir(mode=0o700, parents=True, exist_ok=True)
    published = PublishedEvaluation(
        evaluation_id=evaluation_id,
        page=settings.reports / f"{name}.html",
        csv=settings.reports / f"{name}.csv",
        changed=changed,
    )
    _replace(published.csv, _as_csv(evaluation_id, release, evaluation))
    _replace(published.page, render_page(evaluation, model=release, evaluation_id=evaluation_id, night=night))
    return published


def _refuse_repeated(evaluation: Evaluation) -> None:
    keys = [(finding.metric, finding.group_name, finding.level) for finding in evaluation.findings]
    repeated = sorted({key for key in keys if keys.count(key) > 1})
    if repeated:
        raise ValueError(f"findings given twice: {repeated}")


def _evaluation_id(release: EvaluatedModel, evaluation: Evaluation) -> str:
    parts = (
        evaluation.kind,
        release.model_id,
        release.preprocessing_id,
        release.weights_sha256,
        evaluation.data_sha256,
        evaluation.method,
        code_version(),
    )
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _evaluation_row(evaluation_id: str, release: EvaluatedModel, evaluation: Evaluation, night: date) -> dict[str, Any]:
    return {
        "evaluation_id": evaluation_id,
        "kind": evaluation.kind,
        "model_id": release.model_id,
        "preprocessing_id": release.preprocessing_id,
        "weights_sha256": release.weights_sha256,
        "data": evaluation.data,
        "data_sha256": evaluation.data_sha256,
        "method": evaluation.method,
        "remarks": list(evaluation.remarks),
        "is_synthetic": evaluation.is_synthetic,
        "photos": evaluation.photos,
        "people": evaluation.people,
        "evaluated_on": night,
        "code_version": code_version(),
    }


@contextmanager
def _run_when_free(engine: Engine, night: date, model_id: str) -> Iterator[Run]:
    """A recorded run of the stage, as soon as no other evaluation is publishing."""
    give_up_at = time.monotonic() + LONGEST_WAIT_SECONDS
    while True:
        entered = False
        try:
            with recorded_run(engine, stage="evaluate", logical_date=night, lock="evaluate", model_id=model_id) as run:
                entered = True
                yield run
            return
        except LockHeld:
            if entered or time.monotonic() > give_up_at:
                raise
            time.sleep(0.2)


def _is_latest_already(engine: Engine, row: dict[str, Any], evaluation: Evaluation) -> bool:
    """Whether the warehouse holds these very rows, and shows them as the latest of kind and model."""
    names = [field.name for field in fields(Finding)]
    with engine.connect() as connection:
        known = connection.execute(
            text(f"SELECT {', '.join(row)} FROM fahr.evaluation WHERE evaluation_id = :evaluation_id AND is_latest"),
            row,
        ).first()
        if known is None or known._asdict() != row:
            return False
        metrics = connection.execute(
            text(f"SELECT {', '.join(names)} FROM fahr.evaluation_metric_v1 WHERE evaluation_id = :evaluation_id"),
            row,
        )
        return {tuple(metric) for metric in metrics} == {_values(finding) for finding in evaluation.findings}


def _write(connection: Connection, row: dict[str, Any], evaluation: Evaluation, run_id: UUID) -> None:
    connection.execute(text("DELETE FROM fahr.evaluation_v1 WHERE evaluation_id = :evaluation_id"), row)
    whole = {**row, "run_id": run_id}
    copy_rows(connection, "fahr.evaluation_v1", list(whole), [tuple(whole.values())])
    columns = ["evaluation_id", *(field.name for field in fields(Finding))]
    rows = ((row["evaluation_id"], *_values(finding)) for finding in evaluation.findings)
    copy_rows(connection, "fahr.evaluation_metric_v1", columns, rows)


def _values(finding: Finding) -> tuple[Any, ...]:
    return tuple(asdict(finding).values())


def _as_csv(evaluation_id: str, release: EvaluatedModel, evaluation: Evaluation) -> str:
    """The findings as CSV (RFC 4180); the first columns say what they are of, so that a copied row still tells."""
    about = {
        "evaluation_id": evaluation_id,
        "kind": evaluation.kind,
        "model_id": release.model_id,
        "is_synthetic": str(evaluation.is_synthetic).lower(),
    }
    told = io.StringIO()
    writer = csv.writer(told)
    writer.writerow([*about, *(field.name for field in fields(Finding))])
    writer.writerows((*about.values(), *_values(finding)) for finding in evaluation.findings)
    return told.getvalue()


def _plain(model_id: str) -> str:
    """A model's name as part of a file's name."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", model_id)[:60]


def _replace(path: Path, content: str) -> None:
    unfinished = path.with_name(path.name + ".unfinished")
    unfinished.write_text(content, encoding="utf-8", newline="")
    unfinished.replace(path)
