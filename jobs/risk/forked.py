"""Pieces of work in copies of this process, one a core: they read its memory as it is, and none of it is sent.

On one machine this takes the place of Spark, whose workers would need a JVM and their own copy of a million persons.
"""

from __future__ import annotations

import gc
import os
import pickle
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from functools import partial
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.sharedctypes import Synchronized
from typing import Any, TypeAlias

from threadpoolctl import threadpool_limits

from jobs.errors import PLACE, FahrError, keep_place, place_of
from model.survival.mapping import mapping_by, one_after_the_other
from model.survival.sharing import sharing

WORTH_FORKING = 1_000_000
"""Rows gone through from which pieces are worth a copy of the process (ours): 0.09 to 0.24 seconds of work, where a
copy of a process with a million persons takes 0.06."""

Work: TypeAlias = Callable[[], Any]
Outcome: TypeAlias = tuple[int, Any, BaseException | None]
"""Number of a work, what it found, and what it raised."""


class WorkerLost(FahrError):
    """A process that did part of the work ended before it was done."""


class ForkedMapper:
    """A `model.survival.mapping.Mapper` of one machine; within a piece everything is done one after the other."""

    def __init__(self, processes: int, *, worth: int = WORTH_FORKING) -> None:
        """Work in so many processes, of which this is one; pieces from `worth` rows on."""
        self._processes, self._worth = processes, worth
        self.forked = 0
        """Copies of this process that were made."""

    def __call__(self, work: Callable[[Any], Any], pieces: Sequence[Any], size: int, /) -> list[Any]:
        """`work` of each piece, in their order."""
        if size < self._worth:
            return one_after_the_other(work, pieces, size)
        return self.side_by_side([partial(work, piece) for piece in pieces])

    def side_by_side(self, works: Sequence[Work], /) -> list[Any]:
        """What each work finds, in their order; each process takes the next that nobody has begun.

        Raises:
            WorkerLost: a process was killed.
            Exception: what the first of the works that failed raised.
        """
        copies = min(self._processes, len(works)) - 1
        if copies < 1:
            return one_after_the_other.side_by_side(works)
        context = get_context("fork")
        begun: Synchronized[int] = context.Value("q", 0)
        outcomes: list[Outcome] = []
        with _only_collected_once():
            workers = []
            for _ in range(copies):
                receiver, sender = context.Pipe(duplex=False)
                worker = context.Process(target=_work_and_tell, args=(works, begun, sender))
                worker.start()
                # The next copy must not hold this end too: it closes when its process ends, however that ends.
                sender.close()
                workers.append((worker, receiver))
        self.forked += copies
        try:
            outcomes += _done(works, begun)
            for worker, receiver in workers:
                outcomes += _told(receiver, worker)
        finally:
            for worker, receiver in workers:
                receiver.close()
                worker.kill()
                worker.join()
                worker.close()
        ordered = sorted(outcomes, key=lambda outcome: outcome[0])
        if (error := next((raised for _, _, raised in ordered if raised is not None), None)) is not None:
            raise error
        return [found for _, found, _ in ordered]

    def in_threads(self, works: Sequence[Work], size: int, /) -> list[Any]:
        """What each work finds, in their order, in as many threads as there would be processes."""
        if size < self._worth:
            return one_after_the_other.side_by_side(works)
        with ThreadPoolExecutor(self._processes) as threads:
            # What is remembered, and by whom pieces are done, is known to the context.
            begun = [threads.submit(copy_context().run, work) for work in works]
            return [one.result() for one in begun]


@contextmanager
def _only_collected_once() -> Iterator[None]:
    """Keep copies from walking, and so from copying, all that exists when they collect garbage."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _work_and_tell(works: Sequence[Work], begun: Synchronized[int], sender: Connection) -> None:
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    sender.send_bytes(_packed(_done(works, begun)))


def _end_with_the_parent() -> None:
    """A copy holds the connections of its parent, and with them its locks: it must not outlive it."""
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _done(works: Sequence[Work], begun: Synchronized[int]) -> list[Outcome]:
    """Do works that nobody has begun, until there are none."""
    outcomes: list[Outcome] = []
    with mapping_by(one_after_the_other), threadpool_limits(1):
        while True:
            with begun.get_lock():
                number = begun.value
                begun.value += 1
            if number >= len(works):
                break
            try:
                with sharing():
                    outcomes.append((number, works[number](), None))
            except Exception as error:
                keep_place(error)
                outcomes.append((number, None, error))
    return outcomes


def _packed(outcomes: Sequence[Outcome]) -> bytes:
    """As bytes; what can't be packed becomes an error that tells its type."""
    packed = []
    for number, found, error in outcomes:
        try:
            one = pickle.dumps((number, found, error))
            pickle.loads(pickle.dumps(error))
        except (TypeError, AttributeError, pickle.PicklingError) as cause:
            failed = TypeError(f"{type(found if error is None else error).__name__} can't be sent")
            setattr(failed, PLACE, place_of(error or cause))
            one = pickle.dumps((number, None, failed))
        packed.append(one)
    return pickle.dumps(packed)


def _told(receiver: Connection, worker: Any) -> list[Outcome]:
    try:
        return [pickle.loads(one) for one in pickle.loads(receiver.recv_bytes())]
    except (EOFError, OSError):
        worker.join()
        raise WorkerLost(
            f"a process that did part of the work ended with {worker.exitcode} (-9: killed, most often for memory)",
            next_step="Run it again with more memory, or in one process: FAHR_SPARK_MASTER=local[1].",
        ) from None
