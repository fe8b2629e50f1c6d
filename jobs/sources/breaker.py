"""A worker stops asking a server that has stopped answering, instead of waiting for every photo of the night."""

from __future__ import annotations

import functools
import threading

FAILURES = 3
"""Ours: photos in a row, each tried several times, after which the rest of the pull is left to the next night."""


class Breaker:
    """Counts failures in a row. Shared by the threads of a process that read for one pull."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failures = 0
        self._waits = 0

    @staticmethod
    @functools.lru_cache(maxsize=16)
    def of(pull: str) -> Breaker:
        """The breaker of a pull in this process."""
        return Breaker()

    @property
    def is_open(self) -> bool:
        """Whether nothing more is to be asked."""
        return self._failures >= FAILURES

    @property
    def is_patient(self) -> bool:
        """Whether a busy server is worth waiting for."""
        return self._waits < FAILURES

    def waited_in_vain(self) -> None:
        """The server is there, and had no time for a photo to the end."""
        with self._lock:
            self._waits += 1

    def failed(self) -> None:
        """A photo could not be had, because the server could not be reached."""
        with self._lock:
            self._failures += 1

    def answered(self) -> None:
        """The server answered, whatever it said. Once open, a breaker stays open for its pull."""
        with self._lock:
            if self._failures < FAILURES:
                self._failures = 0
