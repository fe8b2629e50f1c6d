"""A data set as the trainings of model/ take it: batches through petastorm, validation faces in memory."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from jobs.training.crop_files import CropDataSet
from jobs.training.crop_reader import PetastormSource
from model.training.face_set import TEST, TRAIN, VALIDATION, BatchSource, FaceLabels
from model.training.validation import Validation

MOST_VALIDATION_FACES = 4096
"""Kept in memory (150 MB) and scored after each epoch; more would not choose better."""


@dataclass(frozen=True)
class TrainingFaces:
    """One data set and how it is read."""

    data_set: CropDataSet
    batch_size: int
    seed: int

    @property
    def labels(self) -> FaceLabels:
        """Labels of all its faces."""
        return self.data_set.labels

    def rows(self, split: int) -> NDArray[np.int64]:
        """The rows of a split, ascending."""
        return np.flatnonzero(self.labels.split == split).astype(np.int64)

    @property
    def taught(self) -> NDArray[np.int64]:
        """Rows that training reads."""
        return self.rows(TRAIN)

    @property
    def never_read(self) -> NDArray[np.int64]:
        """Rows of the test split: only a finished network sees them."""
        return self.rows(TEST)

    @property
    def cohort(self) -> NDArray[np.int64]:
        """Rows of everybody whom training reads or is judged by: what cross-fitting scores."""
        return np.flatnonzero(self.labels.split != TEST).astype(np.int64)

    @cached_property
    def validation(self) -> Validation:
        """Faces by which an epoch is chosen: of the validation split."""
        return self.validation_of(self.rows(VALIDATION))

    def validation_of(self, rows: NDArray[np.int64]) -> Validation:
        """Some rows, or as many of them as fit into memory."""
        if len(rows) > MOST_VALIDATION_FACES:
            chosen = np.random.default_rng(self.seed).choice(rows, MOST_VALIDATION_FACES, replace=False)
            rows = np.sort(chosen)
        return Validation(self.pixels_of(rows), rows)

    def source_of(self, rows: NDArray[np.int64]) -> BatchSource:
        """Batches of rows, read from Parquet."""
        return PetastormSource(self.data_set, chosen=rows, batch_size=min(self.batch_size, len(rows)), seed=self.seed)

    def pixels_of(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """(n, 112, 112, 3) faces of rows, in their order."""
        return self.data_set.pixels(rows)
