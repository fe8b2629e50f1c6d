"""Reading several photos of one source at once, and holding no more of them than that."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any

from jobs.sources.base import PhotoReader, PhotoUnreadable

Task = dict[str, Any]
Reading = Future[bytes | PhotoUnreadable]


def read_ahead(
    reader: PhotoReader, tasks: Iterable[Task], limit_bytes: int, *, threads: int
) -> Iterator[tuple[Task, bytes | PhotoUnreadable]]:
    """Read each task's photo, `threads` at once.

    Args:
        reader: the reader of the tasks' source.
        tasks: with `locator`, and `refused_as` where the photo is not to be read.
        limit_bytes: of one photo.
        threads: 1 reads one after another, in order; with more, tasks come in the order in which they are done, and at
            most twice as many photos are held here: a thread need not wait until its photo is taken.

    Yields:
        The task, and its bytes or the reason why there are none.
    """
    if threads == 1:
        for task in tasks:
            yield task, _read(reader, task, limit_bytes)
        return
    with ThreadPoolExecutor(threads) as pool:
        done: SimpleQueue[Reading] = SimpleQueue()
        reading: dict[Reading, Task] = {}
        for task in tasks:
            if len(reading) == 2 * threads:
                yield _next(done, reading)
            future = pool.submit(_read, reader, task, limit_bytes)
            reading[future] = task
            future.add_done_callback(done.put)
        while reading:
            yield _next(done, reading)


def _next(done: SimpleQueue[Reading], reading: dict[Reading, Task]) -> tuple[Task, bytes | PhotoUnreadable]:
    """Wait for the next one that is done, and forget it."""
    future = done.get()
    return reading.pop(future), future.result()


def _read(reader: PhotoReader, task: Task, limit_bytes: int) -> bytes | PhotoUnreadable:
    if task["refused_as"] is not None:
        return PhotoUnreadable(task["refused_as"])
    try:
        return reader.read(task["locator"], limit_bytes)
    except PhotoUnreadable as problem:
        return problem
