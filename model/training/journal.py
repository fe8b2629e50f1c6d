"""What a training leaves to read: `log.csv`, a row a step, and `epochs.csv`, what validation said after each epoch."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

STEP_COLUMNS = ("step", "epoch", "loss", "rate", "seconds")


class Journal:
    """The two files of one training. Only the process that leads writes."""

    def __init__(self, folder: Path, *, leads: bool = True) -> None:
        self._steps, self._epochs, self._leads = folder / "log.csv", folder / "epochs.csv", leads

    def start(self, step: int, epoch: int) -> None:
        """Begin, or go on after `step` steps and `epoch` whole epochs: rows of work that will be done again go."""
        if not self._leads:
            return
        self._steps.parent.mkdir(parents=True, exist_ok=True)
        _rewrite(self._steps, [row for row in _rows(self._steps) if int(row["step"]) <= step], STEP_COLUMNS)
        if self._epochs.exists():
            kept = [row for row in _rows(self._epochs) if int(row["epoch"]) <= epoch]
            _rewrite(self._epochs, kept, tuple(kept[0]) if kept else ("epoch",))

    def step(self, step: int, epoch: int, loss: float, rate: float, seconds: float) -> None:
        """Note one step."""
        if self._leads:
            with self._steps.open("a", newline="") as stream:
                csv.writer(stream).writerow([step, epoch, repr(loss), repr(rate), f"{seconds:.3f}"])

    def epoch(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Note what validation said after an epoch."""
        if self._leads:
            new = {"epoch": str(epoch)} | {name: repr(value) for name, value in metrics.items()}
            _rewrite(self._epochs, [*_rows(self._epochs), new], tuple(new))

    def epochs(self) -> list[dict[str, float]]:
        """What validation said after each epoch so far."""
        return [{name: float(value) for name, value in row.items()} for row in _rows(self._epochs)]

    def losses(self) -> list[float]:
        """The loss of each step so far."""
        return [float(row["loss"]) for row in _rows(self._steps)]


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def _rewrite(path: Path, rows: list[dict[str, str]], columns: tuple[str, ...]) -> None:
    unfinished = path.with_suffix(".unfinished")
    with unfinished.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, columns)
        writer.writeheader()
        writer.writerows(rows)
    unfinished.replace(path)
