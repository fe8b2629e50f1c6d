"""A night without news costs the same whatever the ledger holds: 1 thousand photos against 1 million."""

from __future__ import annotations

import json
import os
import statistics
import time
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from pydantic import SecretStr
from sqlalchemy import Engine

from bench.ledgers import LAST_NIGHT, fill_ledger, new_warehouse
from bench.scoring import RESULTS, machine
from jobs.nightly import nightly
from jobs.releases import DEFAULT_MODEL, locate_release
from jobs.settings import Settings
from jobs.warehouse import embedded
from jobs.warehouse.connection import connect

SIZES = (1_000, 1_000_000)
EMPTY = {"pull": {"listed": 0, "landed": 0}, "validate": {}, "score": {}, "publish": {}, "archive": {}}


@dataclass(frozen=True)
class NoNewsResult:
    """Nights without news over one ledger."""

    photos: int
    seconds: float
    """Median of the rounds."""
    all_seconds: list[float]
    comparison_seconds: float
    """The night, one in seven, that compares the whole source with the ledger."""


def run(*, home: Path, rounds: int) -> list[NoNewsResult]:
    """Fill a ledger of each size; then run nights without news over them in turn, in this process."""
    home = home / "no-news"
    nights = {size: _Nights(home, size) for size in SIZES}
    seconds: dict[int, list[float]] = {size: [] for size in SIZES}
    for night in range(rounds + 1):
        for size in SIZES:
            seconds[size].append(nights[size].run(LAST_NIGHT + timedelta(days=1 + night % 6)))
    compared = {size: nights[size].run(LAST_NIGHT + timedelta(days=7)) for size in SIZES}
    embedded.stop(home / "server")
    return [
        NoNewsResult(
            photos=size,
            seconds=round(statistics.median(seconds[size][1:]), 3),  # the first round warms up
            all_seconds=[round(one, 3) for one in seconds[size][1:]],
            comparison_seconds=round(compared[size], 3),
        )
        for size in SIZES
    ]


class _Nights:
    """One warehouse, and nights over it."""

    def __init__(self, home: Path, photos: int) -> None:
        url = new_warehouse(home / "server", f"ledger_{photos}")
        folder = home / f"home-{photos}"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.settings = Settings(home=folder, warehouse_url=SecretStr(url))
        self.engine: Engine = connect(url, role="fahr_loader")
        fill_ledger(home / "server", url, locate_release(self.settings, DEFAULT_MODEL), photos=photos)

    def run(self, night: date) -> float:
        """Seconds of a night; a night that found something is a mistake of this bench."""
        started = time.perf_counter()
        counts = nightly(settings=self.settings, engine=self.engine, night=night)
        seconds = time.perf_counter() - started
        if counts != EMPTY:
            raise RuntimeError(f"The night was not without news: {counts}")
        return seconds


def as_markdown(results: list[NoNewsResult]) -> str:
    """The ratio and what it is of."""
    small, large = results
    return (
        f"A night without news: {small.seconds:.2f} s with {small.photos:,} photos in the ledger, {large.seconds:.2f} s"
        f" with {large.photos:,}: {large.seconds / small.seconds:.2f} times. One night in seven compares everything:"
        f" {small.comparison_seconds:.2f} s and {large.comparison_seconds:.2f} s."
    )


def write(results: list[NoNewsResult], folder: Path = RESULTS) -> Path:
    """Keep the results as JSON."""
    small, large = results
    path = folder / f"no-news-{datetime.now(UTC).date()}-cpu{os.cpu_count()}.json"
    facts = {"ratio": round(large.seconds / small.seconds, 2), "results": [asdict(result) for result in results]}
    path.write_text(json.dumps(machine() | facts, indent=2) + "\n")
    return path
