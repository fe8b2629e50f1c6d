"""The study as a page of Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from model.survival.simulation.study import SEED, AlarmRow, EstimatorRow, Refusals

HEAD = """# Simulation study

Written by `python -m model.survival.simulation docs/simulation.md` ({minutes:.0f} minutes on one core); do not edit.
The worlds are in `model/survival/simulation/worlds.py`: 250 to 300 persons (120 where optimism is corrected), a
constant hazard of {rate:g} a year, censoring by chance between half a year and four years, log hazard ratios {truth}.
Each row says over how many draws it is. Seed {seed}.

## Estimators

**Bias** is the mean of estimate less truth, with its Monte-Carlo standard error; **SD** how much estimates vary;
**coverage** how many 95 % intervals hold the truth (Monte-Carlo error at 1,000 draws: 0.7 points); **power** how often
p < 0.05.

| estimator | draws | truth | bias | SD | coverage | power |
|---|---|---|---|---|---|---|
"""

TESTS = """
## Tests

How often a test says p < 0.05 where there is nothing to find; it should be 5 %. At 1,000 draws an exact test gives 3.6
to 6.4 % in 95 of 100 studies.

| test | draws | p < 0.05 |
|---|---|---|
"""

REFUSED = """
## Refused

Draws in which an estimator was refused and not counted:

| world | draws | refused |
|---|---|---|
"""


def page(
    estimators: Sequence[EstimatorRow],
    tests: Sequence[AlarmRow],
    refusals: Sequence[Refusals],
    *,
    minutes: float,
    rate: float,
    truth: dict[str, float],
    remarks: str,
) -> str:
    """Everything found, as Markdown."""
    told = " and ".join(f"{value:g} ({name})" for name, value in truth.items())
    text = HEAD.format(minutes=minutes, rate=rate, truth=told, seed=SEED)
    text += "".join(_estimator(row) for row in estimators)
    text += TESTS + "".join(f"| {row.name} | {row.draws:,} | {row.false_alarms:.1%} |\n" for row in tests)
    text += REFUSED + "".join(f"| {row.world} | {row.draws:,} | {row.refused} |\n" for row in refusals)
    return text + "\n" + remarks


def _estimator(row: EstimatorRow) -> str:
    coverage = "" if row.coverage is None else f"{row.coverage:.1%}"
    power = "" if row.power is None else f"{row.power:.1%}"
    return (
        f"| {row.name} | {row.draws:,} | {row.truth:.3f} | {row.bias:+.4f} ± {row.bias_error:.4f} | {row.spread:.3f}"
        f" | {coverage} | {power} |\n"
    )
