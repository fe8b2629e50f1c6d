"""What can go wrong in training, said so that somebody can act on it."""

from __future__ import annotations

from model.errors import ModelError


class TrainingRefused(ModelError):
    """The faces, labels or checkpoint given cannot be trained on as asked; nothing was written."""


class CheckpointNotWritten(ModelError):
    """A checkpoint could not be written (a full disk, say). The one before stands, and training resumes from it."""
