"""A data set on disk: how its crops and labels lie in Parquet, how they are opened, and crops of single rows.

`FAHR_HOME`/training/<data_set_id>/
    crops/00000.parquet …   row (long), pixels (112 x 112 x 3 bytes: RGB, row by row); uncompressed, small row groups
    labels.parquet          one row a crop, in the order of `row`
    data_set.json           what it is, and which file holds which rows

Rows are numbered 0 … m-1 by split, then fold, then SHA-256 of the photo's bytes: content alone decides the order, and
within a fold it is as good as random. A file holds rows of one split and one fold, so leaving a fold out leaves out
its files.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from jobs.training.errors import DataSetDamaged, DataSetMissing
from model.align import FACE_PX
from model.training.face_set import FaceLabels

CROP_BYTES = FACE_PX * FACE_PX * 3
ROWS_A_FILE = 2048
"""A file is assembled in memory: 77 MB of crops (ours)."""
ROWS_A_ROW_GROUP = 128
"""What a reader takes at once: 5 MB of crops (ours)."""

CROPS, LABELS, DESCRIPTION = "crops", "labels.parquet", "data_set.json"

CROP_FILE_SCHEMA = pa.schema(
    [pa.field("row", pa.int64(), nullable=False), pa.field("pixels", pa.binary(CROP_BYTES), nullable=False)]
)
LABEL_SCHEMA = pa.schema(
    [
        pa.field("row", pa.int64(), nullable=False),
        pa.field("content_sha256", pa.string(), nullable=False),
        pa.field("subject", pa.int64(), nullable=False),
        pa.field("age_years", pa.float32()),
        pa.field("sex", pa.string()),
        pa.field("followup_days", pa.float64()),
        pa.field("died", pa.bool_(), nullable=False),
        pa.field("split", pa.uint8(), nullable=False),
        pa.field("fold", pa.int8(), nullable=False),
        pa.field("skin_tone", pa.string()),
        pa.field("sharpness", pa.float64(), nullable=False),
        pa.field("face_width_px", pa.float64(), nullable=False),
        pa.field("detection_probability", pa.float64(), nullable=False),
    ]
)


@dataclass(frozen=True)
class CropFile:
    """One file of crops: rows first … first + count - 1."""

    path: Path
    first: int
    count: int


@dataclass(frozen=True)
class CropDataSet:
    """A data set that lies complete on disk."""

    folder: Path
    description: dict[str, Any]
    """Content of data_set.json."""
    files: tuple[CropFile, ...]
    """In the order of their rows."""

    @property
    def data_set_id(self) -> str:
        """Fingerprint of content, labels, preprocessing and recipe."""
        return str(self.description["data_set_id"])

    def __len__(self) -> int:
        return sum(file.count for file in self.files)

    @cached_property
    def table(self) -> pa.Table:
        """labels.parquet (`LABEL_SCHEMA`), in the order of the rows."""
        return pq.read_table(self.folder / LABELS, schema=LABEL_SCHEMA, memory_map=True)

    @cached_property
    def labels(self) -> FaceLabels:
        """The labels as training takes them."""
        table = self.table
        return FaceLabels(
            subject=table["subject"].to_numpy(),
            age_years=table["age_years"].to_numpy(),
            followup_days=table["followup_days"].to_numpy(),
            died=table["died"].to_numpy(),
            split=table["split"].to_numpy(),
            fold=table["fold"].to_numpy(),
        )

    def pixels(self, rows: Sequence[int] | NDArray[np.int64]) -> NDArray[np.uint8]:
        """Crops of some rows, in the order asked for, (n, 112, 112, 3) RGB: for validation and prediction.

        Reads the row groups that hold them, one at a time, through a memory map. Raises IndexError for other rows.
        """
        wanted = np.asarray(rows, dtype=np.int64)
        if len(wanted) and (wanted.min() < 0 or wanted.max() >= len(self)):
            raise IndexError("there is no such row in the data set")
        faces = np.empty((len(wanted), FACE_PX, FACE_PX, 3), dtype=np.uint8)
        for file in self.files:
            here = np.flatnonzero((file.first <= wanted) & (wanted < file.first + file.count))
            if not len(here):
                continue
            with pa.memory_map(str(file.path)) as mapped, pq.ParquetFile(mapped) as parquet:
                groups = (wanted[here] - file.first) // ROWS_A_ROW_GROUP
                for group in np.unique(groups):
                    start, crops = crops_of(parquet.read_row_group(int(group)))
                    taken = here[groups == group]
                    faces[taken] = crops[wanted[taken] - start[0]]
        return faces


def crops_of(table: pa.Table) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Rows (n,) and pixels (n, 112, 112, 3) of a table of `CROP_FILE_SCHEMA`; the pixels are a view, not a copy."""
    column = table.column("pixels")
    array = column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks)
    flat = np.frombuffer(array.buffers()[1], dtype=np.uint8)
    begin = array.offset * CROP_BYTES
    pixels = flat[begin : begin + len(array) * CROP_BYTES].reshape(len(array), FACE_PX, FACE_PX, 3)
    return table.column("row").to_numpy(), pixels


def write_crops(path: Path, first: int, faces: pa.Array) -> None:
    """Write a file of crops (`faces`: binary of `CROP_BYTES` each), its rows numbered from `first`."""
    rows = pa.array(np.arange(first, first + len(faces), dtype=np.int64))
    table = pa.Table.from_arrays([rows, faces.cast(pa.binary(CROP_BYTES))], schema=CROP_FILE_SCHEMA)
    pq.write_table(
        table,
        path,
        row_group_size=ROWS_A_ROW_GROUP,
        compression="none",
        use_dictionary=False,
        write_statistics=False,
        store_schema=True,
    )


def open_data_set(folder: Path) -> CropDataSet:
    """Open the data set in `folder`, seeing that every file is there with the rows it should have.

    Raises:
        DataSetMissing: there is none.
        DataSetDamaged: a file is missing, cannot be read, or has another number of rows.
    """
    if not (folder / DESCRIPTION).is_file():
        raise DataSetMissing(
            f"There is no data set {folder.name}.", next_step="Build one: `fahr train data-set`, which prints its id."
        )
    try:
        description = json.loads((folder / DESCRIPTION).read_text())
        files = tuple(
            CropFile(folder / CROPS / file["name"], file["first"], file["rows"]) for file in description["files"]
        )
        sound = all(pq.read_metadata(file.path).num_rows == file.count for file in files)
        sound &= pq.read_metadata(folder / LABELS).num_rows == description["photos"] == sum(f.count for f in files)
    except (OSError, ValueError, KeyError, pa.ArrowException):
        sound = False
    if not sound:
        raise DataSetDamaged(
            f"The data set {folder.name} is not what its description says.",
            next_step="Remove its folder below FAHR_HOME/training and build it again.",
        )
    return CropDataSet(folder=folder, description=description, files=files)
