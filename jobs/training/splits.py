"""Which split and fold a person is in: the person and a seed alone decide, never a photo or who else is there."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from model.training.face_set import TEST, TRAIN, VALIDATION

SPLIT_NAMES: tuple[str, ...] = ("train", "validation", "test")
"""Names of the splits, by their number in `model.training.face_set`."""


@dataclass(frozen=True, slots=True)
class SplitRecipe:
    """How people are dealt to splits and folds. The default shares, folds and seed are ours.

    A keyed hash of the person gives the place, so people who come later move nobody.
    """

    seed: int = 20260301
    validation_share: float = 0.15
    test_share: float = 0.15
    folds: int = 5

    def __post_init__(self) -> None:
        """Raises ValueError where shares or folds cannot be."""
        if min(self.validation_share, self.test_share) < 0 or self.validation_share + self.test_share >= 1:
            raise ValueError("shares of validation and test are at least 0 and leave something for training")
        if not 2 <= self.folds <= 100:
            raise ValueError("folds are 2 to 100")

    def place(self, subject: str) -> tuple[int, int]:
        """Split (TRAIN, VALIDATION or TEST) and fold (0 … folds - 1) of a person."""
        digest = self._digest(subject)
        share = int.from_bytes(digest[:8]) / 2**64
        fold = int.from_bytes(digest[8:16]) % self.folds
        if share < self.test_share:
            return TEST, fold
        return (VALIDATION if share < self.test_share + self.validation_share else TRAIN), fold

    def number(self, subject: str) -> int:
        """A number from 0 to 2^63 - 1 for a person whose name in the source must not be stored."""
        return int.from_bytes(self._digest(subject)[16:24]) >> 1

    def _digest(self, subject: str) -> bytes:
        return hashlib.blake2b(subject.encode(), key=f"fahr split {self.seed}".encode(), digest_size=24).digest()
