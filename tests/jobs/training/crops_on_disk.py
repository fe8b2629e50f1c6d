"""A data set written straight to disk, for tests of its readers: each crop begins with its row number."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from jobs.training.crop_files import (
    CROP_BYTES,
    CROPS,
    DESCRIPTION,
    LABEL_SCHEMA,
    LABELS,
    CropDataSet,
    open_data_set,
    write_crops,
)


def write_data_set(folder: Path, rows: int, *, rows_a_file: int = 300) -> CropDataSet:
    """A data set of `rows` crops in files of `rows_a_file`, one fold a file; pixels are the row number, repeated."""
    (folder / CROPS).mkdir(parents=True)
    files = []
    for number, first in enumerate(range(0, rows, rows_a_file)):
        count = min(rows_a_file, rows - first)
        pixels = [row.to_bytes(4, "little") * (CROP_BYTES // 4) for row in range(first, first + count)]
        write_crops(folder / CROPS / f"{number:05d}.parquet", first, pa.array(pixels))
        files.append({"name": f"{number:05d}.parquet", "first": first, "rows": count})
    fold = np.arange(rows) // rows_a_file
    labels = {name: np.zeros(rows) for name in LABEL_SCHEMA.names} | {
        "row": np.arange(rows),
        "content_sha256": [f"sha{row}" for row in range(rows)],
        "sex": [None] * rows,
        "skin_tone": [None] * rows,
        "subject": np.arange(rows) // 2,
        "died": np.zeros(rows, dtype=bool),
        "fold": fold,
        "split": np.zeros(rows, dtype=np.uint8),
    }
    pq.write_table(pa.Table.from_pydict(labels).cast(LABEL_SCHEMA), folder / LABELS)
    (folder / DESCRIPTION).write_text(json.dumps({"data_set_id": folder.name, "photos": rows, "files": files}))
    return open_data_set(folder)


def rows_told_by(pixels: np.ndarray) -> list[int]:
    """The row numbers that crops begin with."""
    return [int.from_bytes(crop.tobytes()[:4], "little") for crop in pixels]
