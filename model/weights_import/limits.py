"""What the process that reads a foreign file may use, and the fences it puts up around itself."""

from __future__ import annotations

import os
import re
import resource
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

GIB = 2**30


@dataclass(frozen=True)
class Limits:
    """Limits of one import."""

    largest_file_bytes: int = 16 * GIB
    """A ViT-H with its optimizer state is 8 GB."""
    seconds: int = 600
    """Of the clock, and of the processor."""
    spare_bytes: int = GIB
    """Memory beside four times the file: the mapped file, its weights in float32 (twice a file of half precision)."""


REFUSED_EVENTS = re.compile(
    r"socket\..*|subprocess\.Popen|os\.(system|exec|posix_spawn|fork|forkpty|spawn|kill|putenv)|pty\.spawn"
    r"|ctypes\.dlopen|shutil\..*|os\.(remove|rename|rmdir|chmod|chown|link|symlink|truncate)"
)
"""Audit events that no conversion causes, beside opening a file to write it: safetensors writes the weights from its
own compiled code. A second fence only: files are read so that nothing in them runs."""


def put_up_fences(file_bytes: int, limits: Limits) -> None:
    """Limit this process for good: memory, processor time, size of what it writes; no network, no other program.

    To be called after everything was imported and before the first byte of the file is read.
    """
    in_use = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    memory = 4 * file_bytes + limits.spare_bytes
    _limit(resource.RLIMIT_AS, in_use + memory)
    _limit(resource.RLIMIT_CPU, limits.seconds)
    _limit(resource.RLIMIT_FSIZE, memory)
    _limit(resource.RLIMIT_CORE, 0)
    sys.addaudithook(_refuse)


def _limit(what: int, amount: int) -> None:
    _, hard = resource.getrlimit(what)
    amount = amount if hard == resource.RLIM_INFINITY else min(amount, hard)
    resource.setrlimit(what, (amount, amount))


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    if writes or REFUSED_EVENTS.fullmatch(event):
        raise PermissionError(f"{event} is not allowed while a foreign file is read")
