"""From the draft that Spark wrote, in any order, to the files of a data set, in the order that content decides."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from jobs.training.crop_files import LABEL_SCHEMA, write_crops
from jobs.training.crop_worker import CROP_SCHEMA
from jobs.training.listing import LabelledPhoto


def outcomes(draft: Path, photos: Sequence[LabelledPhoto]) -> dict[int, dict[str, Any]]:
    """What became of each photo, by key, read back from what Spark wrote.

    Raises:
        RuntimeError: Spark ended well but a photo is missing from what it wrote, or stands there twice.
    """
    columns = [name for name in CROP_SCHEMA.names if name not in ("pixels", "shard")]
    rows = ds.dataset(draft, format="parquet").to_table(columns=columns).to_pylist()
    if sorted(row["key"] for row in rows) != sorted(photo.key for photo in photos):
        raise RuntimeError("The crops do not match the photos that were to be cropped.")
    return {row["key"]: row for row in rows}


def write_in_order(draft: Path, crops: Path, order: Sequence[str]) -> list[dict[str, Any]]:
    """Write the draft's shards as the files of the data set, one at a time, rows numbered through.

    `order` is the content of each row; a shard is a stretch of it. Returns the files with their rows.
    """
    crops.mkdir()
    files: list[dict[str, Any]] = []
    first = 0
    shards = sorted(draft.glob("shard=*"), key=lambda path: int(path.name.partition("=")[2]))
    for shard in shards:
        table = pa.concat_tables(
            pq.read_table(part, columns=["content_sha256", "pixels"], partitioning=None)
            for part in sorted(shard.glob("*.parquet"))
        )
        table = table.filter(pc.is_valid(table["pixels"])).sort_by("content_sha256").combine_chunks()
        if not len(table):
            continue
        if table["content_sha256"].to_pylist() != list(order[first : first + len(table)]):
            raise RuntimeError("The crops do not lie in the order of their labels.")
        name = f"{len(files):05d}.parquet"
        write_crops(crops / name, first, table["pixels"].chunk(0))
        files.append({"name": name, "first": first, "rows": len(table)})
        first += len(table)
    if first != len(order):
        raise RuntimeError("Crops are missing from what Spark wrote.")
    return files


def write_labels(photos: Sequence[LabelledPhoto], kept: dict[int, dict[str, Any]], path: Path) -> None:
    """Write a row (`LABEL_SCHEMA`) for each photo, in order; `kept` tells, by key, what was measured of its face."""
    measured = ("sharpness", "face_width_px", "detection_probability")
    of_photo = [name for name in LABEL_SCHEMA.names if name != "row" and name not in measured]
    columns: dict[str, list[Any]] = {name: [getattr(photo, name) for photo in photos] for name in of_photo}
    columns |= {name: [kept[photo.key][name] for photo in photos] for name in measured}
    columns["row"] = list(range(len(photos)))
    pq.write_table(pa.Table.from_pydict(columns, schema=LABEL_SCHEMA), path)
