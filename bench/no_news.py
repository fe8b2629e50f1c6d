"""A night without news costs the same whatever the ledger holds: 1 thousand photos against 1 million."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from bench.ledgers import LAST_NIGHT, fill_ledger
from bench.rounds import each, in_turn, middle, write_results
from bench.warehouses import Warehouse, new_warehouse, stop_server
from jobs.nightly import nightly

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
    nights = [_Nights(home, size) for size in SIZES]
    seconds = in_turn([one.without_comparison for one in nights], rounds=rounds)
    compared = [one.run(LAST_NIGHT + timedelta(days=7)) for one in nights]
    stop_server(home)
    return [
        NoNewsResult(
            photos=size,
            seconds=middle(of_size),
            all_seconds=each(of_size),
            comparison_seconds=round(comparison, 3),
        )
        for size, of_size, comparison in zip(SIZES, seconds, compared, strict=True)
    ]


class _Nights:
    """One warehouse, and nights over it."""

    def __init__(self, home: Path, photos: int) -> None:
        self.warehouse: Warehouse = new_warehouse(home, f"ledger_{photos}")
        fill_ledger(self.warehouse, photos=photos)

    def without_comparison(self, number: int) -> float:
        """Seconds of one of the six nights in seven that look at what is new alone."""
        return self.run(LAST_NIGHT + timedelta(days=1 + number % 6))

    def run(self, night: date) -> float:
        """Seconds of a night; a night that found something is a mistake of this bench."""
        started = time.perf_counter()
        counts = nightly(settings=self.warehouse.settings, engine=self.warehouse.engine, night=night)
        seconds = time.perf_counter() - started
        if counts != EMPTY:
            raise RuntimeError(f"The night was not without news: {counts}")
        return seconds


def as_markdown(results: list[NoNewsResult]) -> str:
    """The ratio and what it is of."""
    small, large = results
    return (
        f"A night without news: {small.seconds:.2f} s with {small.photos:,} photos in the ledger, {large.seconds:.2f} s"
        f" with {large.photos:,}: {_ratio(results):.2f} times. One night in seven compares everything:"
        f" {small.comparison_seconds:.2f} s and {large.comparison_seconds:.2f} s."
    )


def write(results: list[NoNewsResult]) -> Path:
    """Keep the results as JSON."""
    return write_results("no-news", {"ratio": _ratio(results)}, results)


def _ratio(results: list[NoNewsResult]) -> float:
    small, large = results
    return round(large.seconds / small.seconds, 2)
