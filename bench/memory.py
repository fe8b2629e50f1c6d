"""Peak resident memory of a process and all its descendants, sampled while it runs."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psutil

SAMPLE_EVERY_S = 0.2
"""Asking the kernel stops a process for a tenth of a second where it has many gigabytes: then ask less often."""


@dataclass
class PeakMemory:
    """The largest sums seen, bytes. Pages that processes share are counted once (proportional set size)."""

    total: int = 0
    by_program: dict[str, int] = field(default_factory=dict)


@contextmanager
def peak_memory_of(pid: int, *, every_s: float = SAMPLE_EVERY_S) -> Iterator[PeakMemory]:
    """Sample the process tree under `pid` until the block ends, with so many seconds in between."""
    peak = PeakMemory()
    stop = threading.Event()

    def sample() -> None:
        while not stop.is_set():
            _sample(pid, peak)
            time.sleep(every_s)

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        stop.set()
        thread.join()


def _sample(pid: int, peak: PeakMemory) -> None:
    try:
        root = psutil.Process(pid)
        tree = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    by_program: dict[str, int] = {}
    for process in tree:
        try:
            by_program[process.name()] = by_program.get(process.name(), 0) + process.memory_full_info().pss
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    peak.total = max(peak.total, sum(by_program.values()))
    for name, size in by_program.items():
        peak.by_program[name] = max(peak.by_program.get(name, 0), size)
