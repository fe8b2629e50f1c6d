"""Resamples, refits and subgroups over Spark, where they are worth it; in this process, where they are not."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from threadpoolctl import threadpool_limits

from jobs.spark import LazySpark
from model.survival.sharing import sharing

if TYPE_CHECKING:
    from pyspark.core.broadcast import Broadcast

WORTH_SPREADING = 1_000_000
"""Rows gone through (persons x resamples, say) from which a piece of work is sent to Spark (ours): about two seconds of
it. Below, sending costs more than doing; a cohort of a few thousand persons starts no Spark at all."""


class SparkMapper:
    """A `model.survival.mapping.Mapper` that starts its Spark with the first work that is large enough."""

    def __init__(self, spark: LazySpark, *, worth: int = WORTH_SPREADING) -> None:
        """Spread over `spark` from `worth` rows on."""
        self._spark, self._worth = spark, worth
        self.sent = 0
        """Pieces that went to Spark."""

    def __call__(self, work: Callable[[Any], Any], pieces: Sequence[Any], size: int, /) -> list[Any]:
        """`work` of each piece, in their order."""
        if size < self._worth or len(pieces) < 2:
            return [work(piece) for piece in pieces]
        from pyspark import cloudpickle

        context = self._spark.session.sparkContext
        shared = context.broadcast(_Shared(cloudpickle.dumps(work)))
        try:
            found = context.parallelize(list(pieces), len(pieces)).map(_Done(shared)).collect()
        finally:
            shared.destroy()
        self.sent += len(pieces)
        return list(found)


class _Shared:
    """The work, as bytes until a worker first needs it; a worker keeps what it has unpacked for its next piece."""

    def __init__(self, packed: bytes) -> None:
        self._packed = packed

    def unpacked(self) -> Callable[[Any], Any]:
        if not hasattr(self, "_work"):
            self._work = pickle.loads(self._packed)
        work: Callable[[Any], Any] = self._work
        return work


class _Done:
    """What a worker does with a piece, as the driver would: with one thread, so that sums are added in one order."""

    def __init__(self, shared: Broadcast[_Shared]) -> None:
        self._shared = shared

    def __call__(self, piece: Any) -> Any:
        with threadpool_limits(1), sharing():
            return self._shared.value.unpacked()(piece)
