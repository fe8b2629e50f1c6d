"""Reading several photos of one source at once, and holding no more of them than that."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any

from jobs.sources.base import PhotoReader, PhotoUnreadable

Task = dict[str, Any]


def read_ahead(
    reader: PhotoReader, tasks: Iterable[Task], limit_bytes: int, *, threads: int
) -> Iterator[tuple[Task, bytes | PhotoUnreadable]]:
    """Read each task's photo, `threads` at once.

    Args:
        reader: the reader of the tasks' source.
        tasks: with `locator`, and `refused_as` where the photo is not to be read.
        limit_bytes: of one photo.
        threads: 1 reads one after another, in order; with more, tasks come in the order in which they are done, and at
            most `threads` photos are held here.

    Yields:
        The task, and its bytes or the reason why there are none.
    """
    if threads == 1:
        for task in tasks:
            yield task, _read(reader, task, limit_bytes)
        return
    with ThreadPoolExecutor(threads) as pool:
        reading: dict[Future[bytes | PhotoUnreadable], Task] = {}
        for task in tasks:
            if len(reading) == threads:
                yield from _done(reading)
            reading[pool.submit(_read, reader, task, limit_bytes)] = task
        while reading:
            yield from _done(reading)


def _done(reading: dict[Future[bytes | PhotoUnreadable], Task]) -> Iterator[tuple[Task, bytes | PhotoUnreadable]]:
    """Wait for one at least, and take what is done out of `reading`."""
    finished, _ = wait(reading, return_when=FIRST_COMPLETED)
    for future in finished:
        yield reading.pop(future), future.result()


def _read(reader: PhotoReader, task: Task, limit_bytes: int) -> bytes | PhotoUnreadable:
    if task["refused_as"] is not None:
        return PhotoUnreadable(task["refused_as"])
    try:
        return reader.read(task["locator"], limit_bytes)
    except PhotoUnreadable as problem:
        return problem
