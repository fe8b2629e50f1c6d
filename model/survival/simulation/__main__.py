"""Draw, measure, write the page: `python -m model.survival.simulation FILE [SHARE]`."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from model.survival.simulation import estimators, false_alarms, worlds
from model.survival.simulation.page import page
from model.survival.simulation.remarks import REMARKS
from model.survival.simulation.study import World, run

STUDY: tuple[tuple[World, int], ...] = (
    (estimators.cox_models, 1000),
    (estimators.curves, 1000),
    (estimators.performance, 1000),
    (estimators.adjusted, 300),
    (estimators.imputed, 1000),
    (estimators.corrected, 100),
    (false_alarms.of_cox_models, 1000),
    (false_alarms.of_other_fits, 1000),
    (false_alarms.of_competing_events, 1000),
    (false_alarms.of_imputed_data, 1000),
)
"""Worlds, and how many draws of each."""


def main(file: Path, share: float = 1.0) -> None:
    """Write the study to `file`; `share` below 1 takes that part of the draws, to try it."""
    started = time.monotonic()
    estimator_rows, test_rows, refusals = [], [], []
    for world, draws in STUDY:
        began = time.monotonic()
        of_estimators, of_tests, refused = run(world, max(2, round(draws * share)))
        estimator_rows += of_estimators
        test_rows += of_tests
        refusals.append(refused)
        print(f"{world.__module__.rpartition('.')[2]}.{world.__name__}: {time.monotonic() - began:.0f} s", flush=True)
    text = page(
        estimator_rows,
        test_rows,
        refusals,
        minutes=(time.monotonic() - started) / 60,
        rate=worlds.RATE,
        truth=worlds.TRUTH,
        remarks=REMARKS,
    )
    file.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 1.0)
