"""The photographs that benches run over: drawn faces as 1600 x 1200 JPEG, in a landing zone, made once and kept."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from uuid import UUID, uuid5

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import simplejpeg

from jobs.landing import PHOTOS_PER_TASK, landing_partition
from model.drawing import draw_face, enlarge, random_conditions, random_latents

WIDTH_PX, HEIGHT_PX, QUALITY = 1600, 1200, 90
DRAWINGS = 50
"""Distinct drawings; a photograph is one of them, enlarged, with sensor noise of its own: no bytes repeat."""
ROW_GROUP_PHOTOS = 16

NAMESPACE = UUID("6f1c2f7e-52a1-4b9e-9c39-0d3f6d5a8e10")
SCHEMA = pa.schema([("photo_id", pa.int64()), ("content_sha256", pa.string()), ("content", pa.large_binary())])


@dataclass(frozen=True)
class BenchPhoto:
    """One photograph of the bench, as it stands in the landing zone."""

    photo_id: int
    content_sha256: str
    byte_count: int


def photo_run_id(count: int) -> UUID:
    """The run that "pulled" this many bench photographs."""
    return uuid5(NAMESPACE, f"{count} photos {WIDTH_PX}x{HEIGHT_PX} q{QUALITY}")


def prepared_photos(landing: Path, count: int) -> list[BenchPhoto]:
    """Make the landing partition of `count` photographs where it is missing, and list what it holds."""
    folder = landing_partition(landing, photo_run_id(count))
    if not folder.is_dir():
        unfinished = folder.with_suffix(".unfinished")
        unfinished.mkdir(parents=True, exist_ok=True)
        photographs = _photographs(count)
        for number in range(-(-count // PHOTOS_PER_TASK)):
            table = pa.Table.from_pylist(list(islice(photographs, PHOTOS_PER_TASK)), schema=SCHEMA)
            # As Spark writes photographs: not compressed again, no dictionary, small row groups.
            pq.write_table(
                table,
                unfinished / f"part-{number:03}.parquet",
                compression="none",
                use_dictionary=False,
                row_group_size=ROW_GROUP_PHOTOS,
            )
        unfinished.rename(folder)
    table = pq.read_table(folder)
    return [BenchPhoto(row["photo_id"], row["content_sha256"], len(row["content"])) for row in table.to_pylist()]


def _photographs(count: int) -> Iterator[dict[str, object]]:
    rng = np.random.default_rng(2026)
    drawings = [draw_face(random_latents(rng), random_conditions(rng), 400).pixels for _ in range(min(DRAWINGS, count))]
    for number in range(count):
        pixels = enlarge(drawings[number % len(drawings)], WIDTH_PX, HEIGHT_PX, rng)
        # The noise tile repeats a few values only; shifting the brightness a little tells equal tiles apart.
        pixels = np.clip(pixels.astype(np.int16) + rng.integers(-2, 3), 0, 255).astype(np.uint8)
        content = simplejpeg.encode_jpeg(pixels, quality=QUALITY, colorsubsampling="420")
        yield {"photo_id": number, "content_sha256": hashlib.sha256(content).hexdigest(), "content": content}
