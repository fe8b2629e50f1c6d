"""Many draws of a world, and what they say of an estimator or a test."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from model.errors import NotComputable
from model.survival.errors import FitRefused

SEED = 20260301


@dataclass(frozen=True)
class Estimated:
    """One draw's estimate of a number that is known; `p_value` is of no effect, where that is tested."""

    name: str
    truth: float
    estimate: float
    lower: float | None = None
    upper: float | None = None
    p_value: float | None = None


@dataclass(frozen=True)
class PValue:
    """One draw's p value of a hypothesis that is true."""

    name: str
    p_value: float


Found = Estimated | PValue
World = Callable[[np.random.Generator], Iterator[Found]]


@dataclass(frozen=True)
class EstimatorRow:
    """Over the draws: mean error, its Monte-Carlo error, share of intervals with the truth in, share with p < 0.05."""

    name: str
    draws: int
    truth: float
    bias: float
    bias_error: float
    spread: float
    coverage: float | None
    power: float | None


@dataclass(frozen=True)
class AlarmRow:
    """Over the draws: share of p values below 0.05 although nothing is there."""

    name: str
    draws: int
    false_alarms: float

    @property
    def error(self) -> float:
        """Monte-Carlo standard error, were the test exact."""
        return math.sqrt(0.05 * 0.95 / self.draws)


@dataclass(frozen=True)
class Refusals:
    """How many draws of a world were refused instead of estimated."""

    world: str
    draws: int
    refused: int


def run(world: World, draws: int) -> tuple[list[EstimatorRow], list[AlarmRow], Refusals]:
    """Draw a world again and again; each draw depends on the seed, the world's name and its number."""
    estimated: dict[str, list[Estimated]] = {}
    tested: dict[str, list[PValue]] = {}
    refused = 0
    name = world.__name__
    for number in range(draws):
        rng = np.random.default_rng((SEED, number, *name.encode()))
        try:
            found = list(world(rng))
        except (FitRefused, NotComputable):
            refused += 1
            continue
        for each in found:
            if isinstance(each, Estimated):
                estimated.setdefault(each.name, []).append(each)
            else:
                tested.setdefault(each.name, []).append(each)
    return (
        [_estimator_row(of_one, draws_of) for of_one, draws_of in estimated.items()],
        [
            AlarmRow(of_one, len(draws_of), float(np.mean([each.p_value < 0.05 for each in draws_of])))
            for of_one, draws_of in tested.items()
        ],
        Refusals(name, draws, refused),
    )


def _estimator_row(name: str, draws: list[Estimated]) -> EstimatorRow:
    errors = np.array([each.estimate - each.truth for each in draws])
    covered = [
        each.lower <= each.truth <= each.upper for each in draws if each.lower is not None and each.upper is not None
    ]
    significant = [each.p_value < 0.05 for each in draws if each.p_value is not None]
    return EstimatorRow(
        name=name,
        draws=len(draws),
        truth=float(np.mean([each.truth for each in draws])),
        bias=float(errors.mean()),
        bias_error=float(errors.std(ddof=1) / math.sqrt(len(errors))),
        spread=float(errors.std(ddof=1)),
        coverage=float(np.mean(covered)) if covered else None,
        power=float(np.mean(significant)) if significant else None,
    )
