"""What a Spark worker does for a data set: photos in, aligned faces or reasons out."""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

CROP_SCHEMA = pa.schema(
    [
        pa.field("key", pa.int64(), nullable=False),
        pa.field("shard", pa.int32(), nullable=False),
        pa.field("content_sha256", pa.string(), nullable=False),
        pa.field("pixels", pa.binary()),  # null: there is a reason
        pa.field("reason", pa.string()),
        pa.field("sharpness", pa.float64()),
        pa.field("face_width_px", pa.float64()),
        pa.field("detection_probability", pa.float64()),
    ]
)
"""Columns of the draft: one row for each photo, with the face as 112 x 112 x 3 bytes, RGB, row by row."""

UNREADABLE = "unreadable_file"
TRANSIENT = frozenset({UNREADABLE, "scorer_unavailable"})
"""Reasons that say nothing about a photo: a data set without it would depend on the day it was built."""

Batches = Iterator[pa.RecordBatch]


@dataclass(frozen=True)
class CropWorker:
    """Crops a partition of photos. Pickled to the workers; the detector is loaded there, once a Python process."""

    device: str
    batch_size: int
    read: Callable[[Iterable[pa.RecordBatch]], Batches] | None = None
    """Turns what Spark hands over into (key, shard, content_sha256, content), where it is not that already; null
    content could not be read."""

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Batches:
        """Record batches of photos to record batches of `CROP_SCHEMA`, in the same order."""
        cropper = face_cropper(_assigned_device(self.device), self.batch_size)
        waiting: deque[tuple[list[dict[str, Any]], list[bool]]] = deque()

        def contents() -> Iterator[list[bytes]]:
            for batch in self.read(batches) if self.read is not None else batches:
                for start in range(0, batch.num_rows, self.batch_size):
                    part = batch.slice(start, self.batch_size)
                    content = part.column("content").to_pylist()
                    keys = part.select(["key", "shard", "content_sha256"]).to_pylist()
                    waiting.append((keys, [photo is not None for photo in content]))
                    yield [photo or b"" for photo in content]

        for cropped in cropper.crop_stream(contents()):
            photos, were_read = waiting.popleft()
            rows = [
                {
                    **photo,
                    "pixels": outcome.face.tobytes() if outcome.face is not None else None,
                    "reason": outcome.reason if was_read else UNREADABLE,
                    "sharpness": outcome.sharpness,
                    "face_width_px": outcome.face_width_px,
                    "detection_probability": outcome.detection_probability,
                }
                for photo, was_read, outcome in zip(photos, were_read, cropped, strict=True)
            ]
            yield pa.RecordBatch.from_pylist(rows, schema=CROP_SCHEMA)


def _assigned_device(wish: str) -> str:
    """The GPU that Spark assigned to this task; else what the settings say; else the CPU."""
    from pyspark import TaskContext

    context = TaskContext.get()
    assigned = context.resources().get("gpu") if context is not None else None
    if wish == "cpu" or (wish == "auto" and assigned is None):
        return "cpu"
    return f"cuda:{assigned.addresses[0]}" if assigned is not None else "cuda:0"


@functools.cache
def face_cropper(device: str, batch_size: int) -> Any:
    """The cropper of this process for a device; one CPU thread, as Spark runs a worker a core."""
    import torch

    from model.crop import FaceCropper

    torch.set_num_threads(1)
    return FaceCropper(device=device, batch_size=batch_size)
