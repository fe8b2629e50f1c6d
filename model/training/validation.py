"""Faces by which epochs are judged: of subjects whom the training never reads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.training.errors import TrainingRefused
from model.training.face_set import FaceLabels


@dataclass(frozen=True, slots=True)
class Validation:
    """Some faces in memory."""

    pixels: NDArray[np.uint8]
    """(n, 112, 112, 3)."""
    rows: NDArray[np.int64]
    """(n,) their row numbers in the labels."""


def refuse_shared_subjects(labels: FaceLabels, rows: NDArray[np.int64], others: NDArray[np.int64]) -> None:
    """Raises TrainingRefused where a subject has faces among both `rows` and `others`."""
    shared = len(np.intersect1d(labels.subject[rows], labels.subject[others]))
    if shared:
        raise TrainingRefused(f"{shared} subjects are in the training faces and among those they are judged by")
