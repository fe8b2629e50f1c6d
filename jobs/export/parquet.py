"""A view's rows into a Parquet file, batch by batch: the same rows give the same bytes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import Connection, text

from jobs.export.views import ExportedView

ROWS_IN_A_GROUP = 50_000


def write_view(connection: Connection, view: ExportedView, cohort: str, folder: Path) -> int:
    """Write the view's file into `folder`, and return how many rows it has."""
    written = 0
    streaming = connection.execution_options(yield_per=ROWS_IN_A_GROUP)
    with pq.ParquetWriter(folder / view.file, view.schema, compression="zstd", version="2.6") as writer:
        parameters = {"cohort": cohort} if view.of_the_cohort else {}
        for rows in streaming.execute(text(view.query), parameters).partitions():
            columns = [
                pa.array([_plain(value) for value in values], type=kind.type)
                for values, kind in zip(zip(*rows, strict=True), view.schema, strict=True)
            ]
            writer.write_table(pa.Table.from_arrays(columns, schema=view.schema), row_group_size=ROWS_IN_A_GROUP)
            written += len(rows)
    return written


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return json.dumps(value, sort_keys=True)
    return str(value) if isinstance(value, UUID) else value
