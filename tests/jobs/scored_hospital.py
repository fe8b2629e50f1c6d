"""A warehouse as after a night, filled through its tables: the demo's patients, and scores made up from the truth.

No photograph is drawn and no network runs: for tests of what comes after publishing.
"""

from __future__ import annotations

import functools
import hashlib
import json
import shutil
import tempfile
import uuid
from datetime import date, datetime, time, timedelta
from pathlib import Path

import numpy as np
import yaml
from sqlalchemy import Connection, Engine, text

from jobs.demo.cdm_tables import write_cdm
from jobs.demo.population import DEMO_NIGHT, admit_patients
from jobs.demo.sessions import Session, plan_sessions
from jobs.runs import code_version
from jobs.warehouse.connection import copy_rows
from jobs.warehouse.migrate import migrate
from schemas.cohort import COHORTS

MODEL_ID, PREPROCESSING_ID, WEIGHTS = "fahr-test-1", "p-test", "ab" * 32

REFUSED = {"file_missing": 1, "not_an_image": 2, "no_face": 3, "scorer_unavailable": 2}
"""Photos without a score, by reason."""


_folders = tempfile.TemporaryDirectory(prefix="cohorts-")


@functools.cache
def shipped_cohort(*, without: tuple[str, ...] = (), repeats: int = 0) -> str:
    """Folder of the shipped cohort with few bootstrap resamples and without some keys: most tests need no more."""
    number = len(list(Path(_folders.name).iterdir()))
    folder = Path(shutil.copytree(COHORTS / "cancer_photo", Path(_folders.name) / str(number) / "cancer_photo"))
    declared = yaml.safe_load((folder / "cohort.yaml").read_text())
    kept = {key: value for key, value in declared.items() if key not in without}
    kept["resampling"]["repeats"] = repeats
    (folder / "cohort.yaml").write_text(yaml.safe_dump(kept, sort_keys=False))
    return str(folder)


def models_only() -> str:
    """The shipped cohort's models and predictions, and nothing that takes many fits."""
    return shipped_cohort(without=("comparisons", "subgroups", "adjusted_curves"))


def fill_hospital(owner: Engine, *, patients: int = 200, seed: int = 7, night: date = DEMO_NIGHT) -> int:
    """Fill `cdm` and the ledger of one night; returns the number of photos listed."""
    admitted = admit_patients(patients, seed)
    sessions = plan_sessions(admitted, seed)
    with owner.begin() as connection:
        connection.execute(text("CREATE SCHEMA IF NOT EXISTS cdm"))
        write_cdm(connection, admitted, sessions)
    migrate(owner)
    with owner.begin() as connection:
        return fill_ledger(connection, sessions, seed=seed, night=night)


def fill_ledger(connection: Connection, sessions: list[Session], *, seed: int, night: date) -> int:
    """Runs, photos, decisions and scores of one night."""
    rng = np.random.default_rng(seed)
    photographed = [session for session in sessions for _ in range(session.photos)]
    refused = [reason for reason, count in REFUSED.items() for _ in range(count)]
    runs = _record_runs(connection, night, scored=len(photographed), listed=len(photographed) + len(refused), rng=rng)
    register_model(connection, runs["score"], night)

    scored = [_photo(number, session, runs["pull"], night) for number, session in enumerate(photographed, start=1)]
    unscored = {
        number: (reason, _photo(number, photographed[0], runs["pull"], night))
        for number, reason in enumerate(refused, start=len(scored) + 1)
    }
    for reason, photo in unscored.values():
        if reason == "file_missing":
            photo.update(content_sha256=None, landing_run_id=None, reason_code=reason)
    photos = [*scored, *(photo for _, photo in unscored.values())]
    _copy(connection, "fahr.photo_v1", photos)
    reasons = {number: reason for number, (reason, _) in unscored.items() if reason == "not_an_image"}
    landed = [photo for photo in photos if photo["content_sha256"]]
    _copy(connection, "fahr.validation_v1", [_decision(photo, reasons, runs["validate"], night) for photo in landed])
    _copy(
        connection,
        "fahr.face_score_v1",
        [
            {**_key(photo, runs["score"]), **_scores(session, rng), "scored_on": night}
            for photo, session in zip(scored, photographed, strict=True)
        ],
    )
    _copy(
        connection,
        "fahr.score_failure_v1",
        [
            {**_key(photo, runs["score"]), "reason_code": reason, "first_failed_on": night, "last_failed_on": night}
            for reason, photo in unscored.values()
            if reason in ("no_face", "scorer_unavailable")
        ],
    )
    return len(photos)


def _record_runs(
    connection: Connection, night: date, *, scored: int, listed: int, rng: np.random.Generator
) -> dict[str, uuid.UUID]:
    rejected, failed = REFUSED["no_face"], REFUSED["scorer_unavailable"]
    accepted = scored + rejected + failed
    counts = {
        "pull": {"listed": listed, "landed": listed - REFUSED["file_missing"], "file_missing": REFUSED["file_missing"]},
        "validate": {"accepted": accepted, "not_an_image": REFUSED["not_an_image"]},
        "score": {"pending": accepted, "scored": scored, "rejected": rejected, "failed": failed},
        "publish": {"scored": scored, "rejected": rejected, "failed": failed},
    }
    runs = {stage: uuid.UUID(int=int(rng.integers(2**62))) for stage in counts}
    started = datetime.combine(night, time(23))
    _copy(
        connection,
        "fahr.run_v1",
        [
            {
                "run_id": runs[stage],
                "stage": stage,
                "logical_date": night,
                "status": "succeeded",
                "started_at": started + timedelta(minutes=number),
                "finished_at": started + timedelta(minutes=number, seconds=40),
                "model_id": MODEL_ID,
                "code_version": code_version(),
                "counts": json.dumps(counts[stage]),
                "exit_code": 0,
            }
            for number, stage in enumerate(counts)
        ],
    )
    return runs


def _decision(photo: dict[str, object], reasons: dict[int, str], run_id: uuid.UUID, night: date) -> dict[str, object]:
    reason = reasons.get(int(str(photo["photo_id"])))
    return {
        "photo_id": photo["photo_id"],
        "content_sha256": photo["content_sha256"],
        "accepted": reason is None,
        "reason_code": reason,
        "failed_rules": [reason] if reason else [],
        "decided_on": night,
        "run_id": run_id,
    }


def register_model(connection: Connection, run_id: uuid.UUID, night: date) -> None:
    """The release every score of this hospital is of; it says that it was trained on synthetic faces."""
    _copy(
        connection,
        "fahr.model_version_v1",
        [
            {
                "model_id": MODEL_ID,
                "preprocessing_id": PREPROCESSING_ID,
                "weights_sha256": WEIGHTS,
                "trained_on_synthetic": True,
                "training_data": "Drawn faces.",
                "licence": "Apache-2.0",
                "intended_use": "Tests.",
                "metrics": "{}",
                "registered_on": night,
                "is_current": True,
                "run_id": run_id,
            }
        ],
    )


def _photo(number: int, session: Session, pull_run: uuid.UUID, night: date) -> dict[str, object]:
    return {
        "photo_id": number,
        "source": session.source,
        "source_key": f"key-{number}",
        "source_version": "1",
        "person_id": session.patient.person_id,
        "captured_at": datetime.combine(session.day, time(9)),
        "content_sha256": hashlib.sha256(str(number).encode()).hexdigest(),
        "byte_count": 1000,
        "image_format": "jpeg",
        "landing_run_id": pull_run,
        "reason_code": None,
        "first_seen_on": night,
        "last_tried_on": night,
        "run_id": pull_run,
    }


def _key(photo: dict[str, object], run_id: uuid.UUID) -> dict[str, object]:
    return {
        "content_sha256": photo["content_sha256"],
        "model_id": MODEL_ID,
        "preprocessing_id": PREPROCESSING_ID,
        "weights_sha256": WEIGHTS,
        "code_version": code_version(),
        "run_id": run_id,
    }


def _scores(session: Session, rng: np.random.Generator) -> dict[str, float]:
    face = session.patient.face_on(session.day)
    return {
        "face_age_years": face.biological_age + float(rng.normal(0, 3)),
        "face_survival_log_risk": 0.03 * (face.biological_age - 60) + 0.45 * face.frailty + float(rng.normal(0, 0.2)),
        "detection_probability": 0.999,
        "face_width_px": 240.0,
        "sharpness": 80.0,
    }


def _copy(connection: Connection, table: str, rows: list[dict[str, object]]) -> None:
    copy_rows(connection, table, list(rows[0]), (tuple(row.values()) for row in rows))
