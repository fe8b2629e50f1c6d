"""What can keep an evaluation from being made. Messages hold counts and line numbers, never a path or a person."""

from __future__ import annotations

from jobs.errors import DatasetRejected


class NothingToEvaluate(DatasetRejected):
    """No photo with a score and a label is left; the message counts where they went."""
