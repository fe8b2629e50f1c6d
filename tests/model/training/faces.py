"""Small sets of made-up faces for tests of training: what is to be learned is plain to see in them."""

from __future__ import annotations

import numpy as np

from model.network import NetworkConfig
from model.training.face_set import TRAIN, VALIDATION, ArraySource, FaceLabels
from model.training.sizes import DecoderShape, EncoderSize
from model.training.validation import Validation

SMALL = NetworkConfig(hidden_size=32, layers=3, heads=2, mlp_size=64)
SMALL_SIZE = EncoderSize(SMALL, DecoderShape(width=32, layers=1, heads=2), layer_decay=0.8, drop_path=0.1)


class Faces:
    """`count` faces whose brightness tells the age and whose redness tells the risk; the last quarter is validation."""

    def __init__(self, count: int = 96, *, seed: int = 0, batch: int = 16, risk_shows: bool = True) -> None:
        rng = np.random.default_rng(seed)
        age, risk = rng.uniform(20, 90, count), rng.normal(size=count)
        pixels = np.empty((count, 112, 112, 3))
        pixels[:] = (40 + 1.6 * age)[:, None, None, None]
        if risk_shows:
            pixels[..., 0] += (25 * risk)[:, None, None]
        pixels += rng.normal(0, 8, pixels.shape)
        self.pixels = np.clip(pixels, 0, 255).astype(np.uint8)
        death, censoring = rng.exponential(1000 * np.exp(-1.5 * risk)), rng.uniform(200, 4000, count)
        self.labels = FaceLabels(
            subject=np.arange(count),
            age_years=age.astype(np.float32),
            followup_days=np.ceil(np.minimum(death, censoring)),
            died=death <= censoring,
            split=np.where(np.arange(count) >= 3 * count // 4, VALIDATION, TRAIN).astype(np.uint8),
            fold=(np.arange(count) % 3).astype(np.int8),
        )
        self.batch = batch
        self.rows = np.flatnonzero(self.labels.split == TRAIN)

    def source_of(self, rows: np.ndarray) -> ArraySource:
        return ArraySource(self.pixels, rows, min(self.batch, len(rows)), seed=3)

    def validation_of(self, rows: np.ndarray) -> Validation:
        return Validation(self.pixels[rows], rows)

    @property
    def validation(self) -> Validation:
        return self.validation_of(np.flatnonzero(self.labels.split == VALIDATION))

    def pixels_of(self, rows: np.ndarray) -> np.ndarray:
        return self.pixels[rows]
