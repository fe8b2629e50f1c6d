"""What is compared runs in turn, round by round, so that whatever else the machine does falls on all alike."""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from bench.scoring import RESULTS, machine

Measured = TypeVar("Measured")


def in_turn(contenders: Sequence[Callable[[int], Measured]], *, rounds: int) -> list[list[Measured]]:
    """What each contender returns of each round, given the round's number; round 0 warms up and is left out."""
    measured = [[contender(number) for contender in contenders] for number in range(rounds + 1)]
    return [list(of_one) for of_one in zip(*measured[1:], strict=True)]


def middle(seconds: Sequence[float]) -> float:
    """The median, to the millisecond."""
    return round(statistics.median(seconds), 3)


def each(seconds: Sequence[float]) -> list[float]:
    """All of them, to the millisecond."""
    return [round(one, 3) for one in seconds]


def write_results(name: str, facts: dict[str, object], results: Sequence[Any], folder: Path = RESULTS) -> Path:
    """Keep results (dataclasses) as JSON with the machine they are of; returns the file."""
    path = folder / f"{name}-{datetime.now(UTC).date()}-cpu{os.cpu_count()}.json"
    kept = machine() | facts | {"results": [asdict(result) for result in results]}
    path.write_text(json.dumps(kept, indent=2) + "\n")
    return path
