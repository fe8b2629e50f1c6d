"""Who does the pieces of an analysis: processes of this machine, or a cluster's Spark where they are worth sending."""

from __future__ import annotations

import gc
import os
import pickle
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from threadpoolctl import threadpool_limits

from jobs.risk.forked import ForkedMapper
from jobs.settings import Settings
from jobs.spark import LazySpark
from model.survival.mapping import Mapper, OneAfterTheOther, one_after_the_other
from model.survival.sharing import sharing

if TYPE_CHECKING:
    from pyspark.core.broadcast import Broadcast

WORTH_STARTING = 60_000_000
"""Rows gone through (persons x resamples, say) from which a piece of work starts Spark (ours): some ten seconds of it
(a million take 0.09 to 0.24), which is what a start takes. Resamples alone, of which no more are drawn of a million
persons than of five thousand, do not start it; subgroups of three million persons do."""

WORTH_SPREADING = 6_000_000
"""Rows from which work is sent to a Spark that runs (ours): about a second of it."""

MOST_PROCESSES = 8
"""Of one machine: each needs memory of its own; the second, for a million persons, a quarter of a gigabyte (ours)."""


def mapper_of(settings: Settings, spark: LazySpark | None) -> Mapper:
    """Spark where it is a cluster; where it is local, as many processes as it would have threads, at most 8.

    Args:
        settings: whose `spark_master` says where Spark runs.
        spark: None: all is done in this process.
    """
    if spark is None:
        return one_after_the_other
    local = LOCAL.fullmatch(settings.spark_master)
    if local is None:
        return SparkMapper(spark)
    threads = local["threads"] or "1"
    processes = len(os.sched_getaffinity(0)) if threads == "*" else int(threads)
    return ForkedMapper(max(1, min(processes, MOST_PROCESSES)))


LOCAL = re.compile(r"local(\[(?P<threads>\d+|\*)(\s*,\s*\d+)?\])?")
"""Masters that are this machine: `local` has one thread, `local[N]` N, `local[*]` one a core; then failures allowed."""


class SparkMapper(OneAfterTheOther):
    """A mapper that starts its Spark with the first work that is large enough; larger works are done here."""

    def __init__(self, spark: LazySpark, *, worth: int | None = None) -> None:
        """Spread over `spark` what is worth it; from `worth` rows on, if they are given."""
        self._spark, self._worth = spark, worth
        self.sent = 0
        """Pieces that went to Spark."""

    def __call__(self, work: Callable[[Any], Any], pieces: Sequence[Any], size: int, /) -> list[Any]:
        """`work` of each piece, in their order."""
        worth = self._worth or (WORTH_SPREADING if self._spark.is_started else WORTH_STARTING)
        if size < worth or len(pieces) < 2:
            return [work(piece) for piece in pieces]
        from pyspark import cloudpickle

        context = self._spark.session.sparkContext
        shared = context.broadcast(_Shared(cloudpickle.dumps(work)))
        try:
            # A task a core: pieces are much alike, and each task costs Spark something of its own.
            tasks = min(len(pieces), max(context.defaultParallelism, 1))
            found = context.parallelize(list(pieces), tasks).map(_Done(shared)).collect()
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
            # A worker collects garbage after each task; without this it would walk all modules that the work imported.
            gc.freeze()
        work: Callable[[Any], Any] = self._work
        return work


class _Done:
    """What a worker does with a piece, as the driver would: with one thread, so that sums are added in one order."""

    def __init__(self, shared: Broadcast[_Shared]) -> None:
        self._shared = shared

    def __call__(self, piece: Any) -> Any:
        with threadpool_limits(1), sharing():
            return self._shared.value.unpacked()(piece)
