"""What a Spark worker does in the scoring stage: bytes in, a row with scores or a reason out."""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

STAGED_SCHEMA = pa.schema(
    [
        pa.field("content_sha256", pa.string(), nullable=False),
        pa.field("model_id", pa.string(), nullable=False),
        pa.field("preprocessing_id", pa.string(), nullable=False),
        pa.field("weights_sha256", pa.string(), nullable=False),
        pa.field("code_version", pa.string(), nullable=False),
        pa.field("face_age_years", pa.float64()),
        pa.field("face_survival_log_risk", pa.float64()),
        pa.field("detection_probability", pa.float64()),
        pa.field("face_width_px", pa.float64()),
        pa.field("sharpness", pa.float64()),
        pa.field("reason_code", pa.string()),  # null: scored
    ]
)
"""Columns of staged scores: one row for each distinct content."""


@dataclass(frozen=True)
class ScoringWorker:
    """Scores a partition of photos. Pickled to the workers; the networks are loaded there, once a Python process."""

    release_folder: str
    device: str
    batch_size: int
    code_version: str

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Record batches of (content_sha256, content) to record batches of `STAGED_SCHEMA`, in the same order.

        The scorer decodes the next photos while it works on these, so keys wait in a queue for their outcomes.
        """
        scorer = photo_scorer(self.release_folder, self._device(), self.batch_size)
        release = scorer.release
        keys: deque[list[str]] = deque()

        def contents() -> Iterator[list[bytes]]:
            for batch in batches:
                for start in range(0, batch.num_rows, self.batch_size):
                    part = batch.slice(start, self.batch_size)
                    keys.append(part.column("content_sha256").to_pylist())
                    yield part.column("content").to_pylist()

        for outcomes in scorer.score_stream(contents()):
            rows: list[dict[str, Any]] = [
                {
                    "content_sha256": key,
                    "model_id": release.model_id,
                    "preprocessing_id": release.preprocessing_id,
                    "weights_sha256": release.weights_sha256,
                    "code_version": self.code_version,
                    "face_age_years": outcome.face_age_years,
                    "face_survival_log_risk": outcome.face_survival_log_risk,
                    "detection_probability": outcome.detection_probability,
                    "face_width_px": outcome.face_width_px,
                    "sharpness": outcome.sharpness,
                    "reason_code": outcome.reason,
                }
                for key, outcome in zip(keys.popleft(), outcomes, strict=True)
            ]
            yield pa.RecordBatch.from_pylist(rows, schema=STAGED_SCHEMA)

    def _device(self) -> str:
        """The GPU that Spark assigned to this task; else what the settings say; else the CPU."""
        from pyspark import TaskContext

        context = TaskContext.get()
        assigned = context.resources().get("gpu") if context is not None else None
        if self.device == "cpu" or (self.device == "auto" and assigned is None):
            return "cpu"
        return f"cuda:{assigned.addresses[0]}" if assigned is not None else "cuda:0"


@functools.cache
def photo_scorer(release_folder: str, device: str, batch_size: int) -> Any:
    """The scorer of this process for a device: networks loaded once; one CPU thread, as Spark runs a worker a core."""
    import torch

    from model.release import ModelRelease
    from model.scorer import PhotoScorer

    torch.set_num_threads(1)
    return PhotoScorer(ModelRelease.load(release_folder), device=device, batch_size=batch_size)
