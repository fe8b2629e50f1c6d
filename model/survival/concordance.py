"""Concordance of a risk with survival times: Harrell's C, Uno's C, and the area under the time-dependent ROC curve.

A higher risk is expected to die sooner. All counts are exact, in O(n log n). Formulas and sources: docs/statistics.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.errors import NotComputable
from model.survival.censoring import CensoringDistribution, Floats
from model.survival.ranges import weight_below


@dataclass(frozen=True, slots=True)
class Concordance:
    """How often of two people the one with the higher risk died first.

    A pair is comparable when one died and the other was followed longer, or just as long without dying. Two deaths at
    the same time are not comparable. Equal risks count half.
    """

    c_index: float
    """(concordant + tied_risk / 2) / comparable, 0 to 1; 0.5 is chance."""
    concordant: int
    discordant: int
    tied_risk: int
    tied_deaths: int
    """Pairs of deaths at the same time, which are left out."""

    @property
    def comparable(self) -> int:
        """Pairs that count."""
        return self.concordant + self.discordant + self.tied_risk


def harrells_c(durations: Floats, events: NDArray[np.bool_], risk: Floats) -> Concordance:
    """Harrell's C (Harrell et al. 1982, 1996).

    Args:
        durations: follow-up, (persons,), > 0.
        events: whether it ended in death, (persons,).
        risk: higher is worse, (persons,), finite.

    Raises:
        NotComputable: fewer than two persons, no events, no comparable pairs, or values that are no numbers.
    """
    pairs = _compare(durations, events, risk)
    if pairs.longer.sum() == 0:
        raise NotComputable("no comparable pairs: nobody was followed longer than the deaths")
    concordant, tied = int(pairs.lower.sum()), int(pairs.tied.sum())
    comparable = int(pairs.longer.sum())
    return Concordance(
        c_index=(concordant + 0.5 * tied) / comparable,
        concordant=concordant,
        discordant=comparable - concordant - tied,
        tied_risk=tied,
        tied_deaths=pairs.tied_deaths,
    )


def unos_c(durations: Floats, events: NDArray[np.bool_], risk: Floats, *, tau: float | None = None) -> float:
    """Uno's C (Uno et al. 2011): each death weighted by 1 / G(t)², so that it does not depend on who was censored.

    Args:
        durations, events, risk: as for `harrells_c`.
        tau: only deaths before this time count; None: all.

    Returns:
        C up to tau, 0 to 1.

    Raises:
        NotComputable: as `harrells_c`; no deaths before tau; or G is 0 at a death that counts (take a smaller tau).
    """
    pairs = _compare(durations, events, risk)
    counts = pairs.times < tau if tau is not None else np.ones(len(pairs.times), dtype=bool)
    if not counts.any():
        raise NotComputable(f"no deaths before {tau:g}")
    weights = np.zeros(len(pairs.times))
    weights[counts] = _inverse(CensoringDistribution.of(durations, events).at(pairs.times[counts])) ** 2
    comparable = float((weights * pairs.longer).sum())
    if comparable == 0:
        raise NotComputable("no comparable pairs: nobody was followed longer than the deaths")
    return float((weights * (pairs.lower + 0.5 * pairs.tied)).sum() / comparable)


def dynamic_auc(durations: Floats, events: NDArray[np.bool_], risk: Floats, horizon: float) -> float:
    """Cumulative/dynamic AUC at one time (Uno et al. 2007; Hung and Chiang 2010).

    How well the risk tells those who died up to `horizon`, each weighted by 1 / G(t), from those followed beyond it.

    Args:
        durations, events, risk: as for `harrells_c`.
        horizon: in the unit of `durations`.

    Returns:
        AUC, 0 to 1; 0.5 is chance.

    Raises:
        NotComputable: nobody died up to the horizon, nobody was followed beyond it, or values that are no numbers.
    """
    _check(durations, events, risk)
    case, control = events & (durations <= horizon), durations > horizon
    if not case.any():
        raise NotComputable(f"nobody died within {horizon:g}")
    if not control.any():
        raise NotComputable(f"nobody was followed beyond {horizon:g}")
    weights = _inverse(CensoringDistribution.of(durations, events).at(durations[case]))
    controls = np.sort(risk[control])
    lower = np.searchsorted(controls, risk[case], side="left")
    up_to = np.searchsorted(controls, risk[case], side="right")
    return float((weights * (lower + up_to)).sum() / (2 * weights.sum() * len(controls)))


@dataclass(frozen=True, slots=True)
class _Pairs:
    """For each death: among those who outlived it, how many there are, with a lower risk, and with the same."""

    times: Floats
    longer: NDArray[np.int64]
    lower: NDArray[np.int64]
    tied: NDArray[np.int64]
    tied_deaths: int


def _compare(durations: Floats, events: NDArray[np.bool_], risk: Floats) -> _Pairs:
    _check(durations, events, risk)
    # By time, deaths before censorings of the same time: whoever comes after a death's own time block outlived it.
    order = np.lexsort((~events, durations))
    times, died = durations[order], events[order]
    _, ranks = np.unique(risk[order], return_inverse=True)
    at_death = times[died]
    first = np.searchsorted(times, at_death, side="left")
    _, block, deaths_in_block = np.unique(at_death, return_inverse=True, return_counts=True)
    outlived_from = first + deaths_in_block[block]
    own = ranks[died]
    return _Pairs(
        times=at_death,
        longer=len(times) - outlived_from,
        lower=weight_below(ranks, None, outlived_from, own),
        tied=_count_equal(ranks, outlived_from, own),
        tied_deaths=int((deaths_in_block * (deaths_in_block - 1) // 2).sum()),
    )


def _count_equal(ranks: NDArray[np.int64], start: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each query, how many of `ranks[start:]` equal `wanted`: by place among those of equal rank."""
    size = len(ranks)
    places = np.sort(ranks * size + np.arange(size))
    return np.searchsorted(places, (wanted + 1) * size) - np.searchsorted(places, wanted * size + start)


def _inverse(probabilities: Floats) -> Floats:
    if (probabilities == 0).any():
        raise NotComputable("everybody left was censored at the time of a death: take an earlier end")
    return 1.0 / probabilities


def _check(durations: Floats, events: NDArray[np.bool_], risk: Floats) -> None:
    if len(durations) < 2:
        raise NotComputable("fewer than two persons")
    if not (np.isfinite(durations).all() and np.isfinite(risk).all()):
        raise NotComputable("a follow-up or a risk is missing or infinite")
    if not events.any():
        raise NotComputable("no events")
