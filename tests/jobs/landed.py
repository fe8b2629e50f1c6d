"""Landed photos as a pull leaves them: rows of the ledger and a partition of the landing zone, without Spark."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import Engine, text

from jobs.landing import landing_partition
from jobs.settings import Settings
from schemas.landing import LANDING_SCHEMA, LEDGER_COLUMNS

NIGHT = date(2026, 3, 1)

IMPORTS_GREAT_EXPECTATIONS = [
    pytest.mark.filterwarnings(f"ignore:module '{module}' is deprecated:DeprecationWarning")
    for module in ("sre_constants", "sre_parse")
]
"""Mark of tests that import Great Expectations 1.24, which imports modules that Python 3.11 deprecates."""

GOOD_PHOTO: dict[str, Any] = {
    "captured_at": datetime(2026, 2, 27, 10, 30),
    "source": "share",
    "image_format": "jpeg",
    "width_px": 1600,
    "height_px": 1200,
    "frame_count": 1,
    "bits_per_sample": 8,
    "photometric_interpretation": "RGB",
    "sop_class_uid": None,
    "transfer_syntax_uid": None,
    "exif_orientation": 1,
    "has_pixel_data": True,
    "header_problem": None,
}


def photo(photo_id: int, *, content: bytes | None = None, **facts: Any) -> dict[str, Any]:
    """A landed photo that nothing speaks against, of a person of its own, except for `facts`."""
    content = f"bytes of {photo_id}".encode() if content is None else content
    return (
        GOOD_PHOTO
        | {
            "photo_id": photo_id,
            "person_id": 1000 + photo_id,
            "content": content,
            "content_sha256": hashlib.sha256(content).hexdigest(),
            "byte_count": len(content),
        }
        | facts
    )


def land(settings: Settings, engine: Engine, photos: Sequence[dict[str, Any]], *, night: date = NIGHT) -> uuid.UUID:
    """Land `photos` on `night` as a pull would; the id of the pull."""
    run_id = uuid.uuid4()
    write_partition(settings, run_id, photos)
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO fahr.run_v1 (run_id, stage, logical_date, status, finished_at, code_version, counts)"
                " VALUES (:run_id, 'pull', :night, 'succeeded', now(), 'test', jsonb_build_object('landed', :landed))"
            ),
            {"run_id": run_id, "night": night, "landed": len(photos)},
        )
        facts = ", ".join(LEDGER_COLUMNS[1:])
        values = ", ".join(f":{column}" for column in LEDGER_COLUMNS[1:])
        connection.execute(
            text(
                f"INSERT INTO fahr.photo_v1 (photo_id, source, source_key, source_version, {facts}, landing_run_id,"
                f" first_seen_on, last_tried_on, run_id) VALUES (:photo_id, :source, 'CANARY-' || :photo_id, '1',"
                f" {values}, :run_id, :night, :night, :run_id)"
            ),
            [one | {"run_id": run_id, "night": night} for one in photos],
        )
    return run_id


def write_partition(settings: Settings, run_id: uuid.UUID, photos: Sequence[dict[str, Any]]) -> None:
    """Write `photos` as the partition of the pull `run_id`."""
    folder = landing_partition(settings.landing, run_id)
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(list(photos), schema=LANDING_SCHEMA), folder / "part-0.parquet")


def rows(engine: Engine, sql: str) -> list[Any]:
    """Rows of a query."""
    with engine.connect() as connection:
        return list(connection.execute(text(sql)))
