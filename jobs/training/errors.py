"""What can be wrong with training data as a whole. Messages hold counts and line numbers, never a path or a person."""

from __future__ import annotations

from jobs.errors import DatasetRejected, FahrError, UsageError


class TrainingDataRefused(DatasetRejected):
    """The photos or their labels as a whole cannot be trusted; no data set was built."""


class DataSetDamaged(DatasetRejected):
    """A data set on disk is not what its description says."""


class DataSetMissing(UsageError):
    """There is no data set of this name."""


class RowsLost(FahrError):
    """The reader gave other rows than the data set has: training on them would be training on something else."""
