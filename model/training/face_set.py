"""What training takes: labels of aligned faces as arrays, and a source of batches of their pixels.

Where the pixels come from is not training's business: from memory (`ArraySource`), or from Parquet through petastorm.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

TRAIN, VALIDATION, TEST = 0, 1, 2
"""Splits. A subject is in one of them; training never reads the pixels of TEST."""


@dataclass(frozen=True, slots=True)
class FaceLabels:
    """Labels of m faces; row numbers 0 … m-1 name them everywhere in training."""

    subject: NDArray[np.int64]
    """(m,) whose face it is."""
    age_years: NDArray[np.float32]
    """(m,) age at the photograph, years; NaN where unknown."""
    followup_days: NDArray[np.float64]
    """(m,) days from the photograph to death or censoring, > 0; NaN where unknown."""
    died: NDArray[np.bool_]
    """(m,) True: follow-up ended in death."""
    split: NDArray[np.uint8]
    """(m,) TRAIN, VALIDATION or TEST; the same for all faces of a subject."""
    fold: NDArray[np.int8]
    """(m,) 0 … k-1 for cross-fitting; the same for all faces of a subject."""

    def __len__(self) -> int:
        return len(self.subject)


class Batch(NamedTuple):
    """Some faces."""

    pixels: NDArray[np.uint8]
    """(B, 112, 112, 3) RGB."""
    rows: NDArray[np.int64]
    """(B,) their row numbers."""


class BatchSource(Protocol):
    """Gives the faces of some rows, each once an epoch, in an order that (seed, epoch) alone decides."""

    @property
    def rows(self) -> NDArray[np.int64]:
        """(n,) the rows it gives, ascending."""
        ...

    @property
    def batch_size(self) -> int:
        """Faces in a batch; a last, smaller batch is left out."""
        ...

    def batches(self, epoch: int, *, skip: int = 0) -> Iterator[Batch]:
        """The batches of an epoch, without the first `skip` (a resumed run has seen them)."""
        ...


SourceOf = Callable[[NDArray[np.int64]], BatchSource]
"""Rows -> a source of batches of their faces."""


@dataclass(frozen=True)
class ArraySource:
    """Faces that lie in memory (or in a memory-mapped array)."""

    pixels: NDArray[np.uint8]
    """(m, 112, 112, 3): row r is `pixels[r]`."""
    chosen: Sequence[int] | NDArray[np.int64]
    batch_size: int
    seed: int

    @property
    def rows(self) -> NDArray[np.int64]:
        """The rows it gives, ascending."""
        return np.sort(np.asarray(self.chosen, dtype=np.int64))

    def batches(self, epoch: int, *, skip: int = 0) -> Iterator[Batch]:
        """The batches of an epoch in an order that (seed, epoch) decides."""
        order = np.random.default_rng([self.seed, epoch]).permutation(self.rows)
        for start in range(skip * self.batch_size, len(order) - self.batch_size + 1, self.batch_size):
            rows = order[start : start + self.batch_size]
            yield Batch(self.pixels[rows], rows)
