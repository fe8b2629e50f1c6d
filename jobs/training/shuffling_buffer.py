"""A buffer that rows go through on their way into batches, and come out of at random."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from jobs.training.crop_files import CROP_BYTES
from model.align import FACE_PX
from model.training.face_set import Batch


class ShufflingBuffer:
    """Holds up to `capacity` rows and gives batches of them drawn at random without replacement.

    Pixels stay in the slot they were put in, and only slot numbers are moved: each crop is copied in once and out once.
    """

    def __init__(self, capacity: int, batch_size: int, rng: np.random.Generator) -> None:
        self._pixels = np.empty((capacity, CROP_BYTES), dtype=np.uint8)
        self._rows = np.empty(capacity, dtype=np.int64)
        self._slots = np.arange(capacity)  # the first `_held` are in use
        self._held = 0
        self._batch_size = batch_size
        self._rng = rng

    def put(self, rows: NDArray[np.int64], pixels: NDArray[np.uint8]) -> Iterator[Batch]:
        """Take rows in; whenever the buffer is full, a batch comes out."""
        flat = pixels.reshape(len(rows), CROP_BYTES)
        taken = 0
        while taken < len(rows):
            slots = self._slots[self._held : self._held + len(rows) - taken]
            self._rows[slots] = rows[taken : taken + len(slots)]
            self._pixels[slots] = flat[taken : taken + len(slots)]
            self._held += len(slots)
            taken += len(slots)
            if self._held == len(self._slots):
                yield self._draw()

    def drain(self) -> Iterator[Batch]:
        """What is left, in whole batches; the rest of less than a batch is left out."""
        while self._held >= self._batch_size:
            yield self._draw()

    def _draw(self) -> Batch:
        drawn = self._rng.choice(self._held, self._batch_size, replace=False)
        slots = self._slots[drawn]
        kept = np.delete(self._slots[: self._held], drawn)
        self._slots[: self._held] = np.concatenate([kept, slots])
        self._held = len(kept)
        pixels = self._pixels.take(slots, axis=0).reshape(-1, FACE_PX, FACE_PX, 3)
        return Batch(pixels, self._rows[slots])
