"""A hospital of a few drawn faces that changes from night to night, and what its warehouse says in the end."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.dataset as ds
from sqlalchemy import Engine, text

from model.drawing import draw_face, random_conditions, random_latents
from tests.nights.photograph import jpeg_bytes, store_as_dicom

HOSPITAL_TABLES = ("photo_manifest", "patient_id_map", "opt_out", "person_merge")

LEDGERS = ("photo_v1", "validation_v1", "face_score_v1", "score_failure_v1", "person_merge_v1", "model_version_v1")
VIEWS = ("face_score", "session_score", "face_aging_rate", "coverage", "quarantine")

EXECUTION = {"run_id", "landing_run_id"}
"""Ids of executions: another execution has others."""

HISTORY = {
    "first_seen_on",
    "last_tried_on",
    "first_failed_on",
    "last_failed_on",
    "decided_on",
    "scored_on",
    "registered_on",
    "since",
    "tries",
}
"""On which night something happened, and on how many it was tried: one night has no such history."""


def face(seed: int) -> bytes:
    """A drawn face as a JPEG file."""
    rng = np.random.default_rng(seed)
    return jpeg_bytes(draw_face(random_latents(rng), random_conditions(rng), 256).pixels)


@dataclass(frozen=True)
class ChangingHospital:
    """The hospital's side: its tables, its share, its folder of DICOM photographs."""

    owner: Engine
    share: Path
    dicom: Path

    def execute(self, sql: str, **parameters: object) -> None:
        """Change a table of the hospital's."""
        with self.owner.begin() as connection:
            connection.execute(text(sql), parameters)

    def maps(self, **persons: int) -> None:
        """Record numbers and the persons they belong to."""
        for mrn, person_id in persons.items():
            self.execute("INSERT INTO hospital.patient_id_map VALUES (:mrn, :id)", mrn=mrn, id=person_id)

    def registers(
        self, key: str, mrn: str, content: bytes | None, *, registered: str, captured: str = "2026-02-20 10:00"
    ) -> None:
        """List a photo in the manifest, or list it anew; without content its file is missing."""
        if content is not None:
            (self.share / f"{key}.jpg").write_bytes(content)
        self.execute(
            "INSERT INTO hospital.photo_manifest VALUES (:key, :mrn, :path, :captured, :registered)"
            " ON CONFLICT (photo_key) DO UPDATE"
            " SET registered_at = excluded.registered_at, captured_at = excluded.captured_at, mrn = excluded.mrn",
            key=key,
            mrn=mrn,
            path=f"{key}.jpg",
            captured=captured,
            registered=registered,
        )

    def scored(self, source: str) -> int:
        """How many photos of a source coverage shows as scored."""
        with self.owner.connect() as connection:
            return connection.execute(
                text("SELECT count(*) FROM fahr.coverage WHERE source = :source AND status = 'scored'"),
                {"source": source},
            ).scalar_one()

    def deletes(self, key: str) -> None:
        """Take a photo off the share and out of the manifest."""
        self.execute("DELETE FROM hospital.photo_manifest WHERE photo_key = :key", key=key)
        (self.share / f"{key}.jpg").unlink()

    def stores_dicom(self, name: str, mrn: str, seed: int, *, arrived: date) -> None:
        """Put a DICOM photograph into the folder."""
        rng = np.random.default_rng(seed)
        path = self.dicom / name
        store_as_dicom(draw_face(random_latents(rng), random_conditions(rng), 256).pixels, path, mrn=mrn)
        instant = datetime(arrived.year, arrived.month, arrived.day, 12, tzinfo=UTC).timestamp()
        os.utime(path, (instant, instant))


def copy_hospital(source: Engine, target: Engine) -> None:
    """Give another warehouse the same hospital tables."""
    for table in HOSPITAL_TABLES:
        with source.connect() as connection:
            rows = [dict(row) for row in connection.execute(text(f"SELECT * FROM hospital.{table}")).mappings()]
        if rows:
            columns = list(rows[0])
            values = ", ".join(f":{column}" for column in columns)
            with target.begin() as connection:
                connection.execute(text(f"INSERT INTO hospital.{table} VALUES ({values})"), rows)


def tables_of(owner: Engine) -> dict[str, list[dict[str, Any]]]:
    """Every ledger and view, row by row, less `EXECUTION` and `HISTORY`.

    A photo's number follows the order in which photos came; it is replaced by what it stands for, source and key.
    """
    with owner.connect() as connection:
        photos = {
            row.photo_id: f"{row.source}/{row.source_key}"
            for row in connection.execute(text("SELECT photo_id, source, source_key FROM fahr.photo_v1"))
        }
        found = {}
        for table in (*LEDGERS, *VIEWS):
            rows = connection.execute(text(f"SELECT * FROM fahr.{table}")).mappings()
            found[table] = sorted((_comparable(row, photos) for row in rows), key=repr)
        return found


def _comparable(row: Mapping[Any, Any], photos: Mapping[int, str]) -> dict[str, Any]:
    kept = {name: value for name, value in row.items() if name not in EXECUTION | HISTORY}
    if "photo_id" in kept:
        kept["photo_id"] = photos[kept["photo_id"]]
    return kept


def landed_bytes(landing: Path, owner: Engine) -> list[tuple[str, str]]:
    """Source key and SHA-256 of every photo whose bytes lie in a landing zone, read from its files."""
    with owner.connect() as connection:
        keys = {row.photo_id: row.source_key for row in connection.execute(text("SELECT * FROM fahr.photo_v1"))}
    rows = ds.dataset(landing, format="parquet", partitioning="hive").to_table(columns=["photo_id", "content"])
    return sorted(
        (keys.get(row["photo_id"], f"unknown {row['photo_id']}"), hashlib.sha256(row["content"]).hexdigest())
        for row in rows.to_pylist()
    )
