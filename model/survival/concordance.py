"""Concordance of a risk with survival times: Harrell's C, Uno's C, and the area under the time-dependent ROC curve.

A higher risk is expected to die sooner. All counts are exact, in O(n log n). Formulas and sources: docs/statistics.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.errors import NotComputable
from model.survival.censoring import CensoringDistribution, Floats
from model.survival.pair_counts import PairCounts, Timeline, pair_counts
from model.survival.sharing import remembered


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
    return harrells_c_of(*compared(durations, events, risk))


def harrells_c_of(timeline: Timeline, pairs: PairCounts) -> Concordance:
    """The same from pairs that are counted already.

    Raises:
        NotComputable: no comparable pairs.
    """
    comparable = int(pairs.comparable.sum())
    if comparable == 0:
        raise NotComputable("no comparable pairs: nobody was followed longer than the deaths")
    concordant, tied = int(pairs.lower.sum()), int(pairs.tied.sum())
    return Concordance(
        c_index=(concordant + 0.5 * tied) / comparable,
        concordant=concordant,
        discordant=comparable - concordant - tied,
        tied_risk=tied,
        tied_deaths=int((timeline.deaths * (timeline.deaths - 1) // 2).sum()),
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
    return unos_c_of(*compared(durations, events, risk), tau=tau)


def unos_c_of(timeline: Timeline, pairs: PairCounts, *, tau: float | None = None) -> float:
    """The same from pairs that are counted already.

    Raises:
        NotComputable: no comparable pairs, no deaths before tau, or G is 0 at a death that counts.
    """
    counts = timeline.deaths > 0
    if tau is not None:
        counts &= timeline.times < tau
    if not counts.any():
        raise NotComputable(f"no deaths before {tau:g}")
    weights = np.zeros(len(timeline.times))
    weights[counts] = _inverse(timeline.censoring.at(timeline.times[counts])) ** 2
    comparable = float((weights * pairs.comparable).sum())
    if comparable == 0:
        raise NotComputable("no comparable pairs: nobody was followed longer than the deaths")
    return float((weights * (pairs.lower + 0.5 * pairs.tied)).sum() / comparable)


def dynamic_auc(
    durations: Floats,
    events: NDArray[np.bool_],
    risk: Floats,
    horizon: float,
    *,
    censoring: CensoringDistribution | None = None,
) -> float:
    """Cumulative/dynamic AUC at one time (Uno et al. 2007; Hung and Chiang 2010).

    How well the risk tells those who died up to `horizon`, each weighted by 1 / G(t), from those followed beyond it.

    Args:
        durations, events, risk: as for `harrells_c`.
        horizon: in the unit of `durations`.
        censoring: distribution of the same persons' censoring, where it is known already.

    Returns:
        AUC, 0 to 1; 0.5 is chance.

    Raises:
        NotComputable: nobody died up to the horizon, nobody was followed beyond it, or values that are no numbers.
    """
    check_comparable(durations, events, risk)
    case, control = events & (durations <= horizon), durations > horizon
    if not case.any():
        raise NotComputable(f"nobody died within {horizon:g}")
    if not control.any():
        raise NotComputable(f"nobody was followed beyond {horizon:g}")
    known = CensoringDistribution.of(durations, events) if censoring is None else censoring
    weights = _inverse(known.at(durations[case]))
    controls, cases = np.sort(risk[control]), risk[case]
    # In ascending order the search goes through memory but once.
    order = np.argsort(cases)
    cases, weights = cases[order], weights[order]
    lower = np.searchsorted(controls, cases, side="left")
    up_to = np.searchsorted(controls, cases, side="right")
    return float((weights * (lower + up_to)).sum() / (2 * weights.sum() * len(controls)))


def compared(durations: Floats, events: NDArray[np.bool_], risk: Floats) -> tuple[Timeline, PairCounts]:
    """Ends of follow-up as numbers, and the pairs counted.

    Args, Raises: as `check_comparable`.
    """
    check_comparable(durations, events, risk)
    timeline = timeline_of(durations, events)
    return timeline, remembered("pairs", (durations, events, risk), lambda: pair_counts(timeline, risk))


def timeline_of(durations: Floats, events: NDArray[np.bool_]) -> Timeline:
    """Ends of follow-up as numbers, once for all risks of the same persons."""
    return remembered("timeline", (durations, events), lambda: Timeline.of(durations, events))


def _inverse(probabilities: Floats) -> Floats:
    if (probabilities == 0).any():
        raise NotComputable("everybody left was censored at the time of a death: take an earlier end")
    return 1.0 / probabilities


def check_comparable(durations: Floats, events: NDArray[np.bool_], risk: Floats) -> None:
    """See that there is something to compare.

    Raises:
        NotComputable: fewer than two persons, no events, or values that are no numbers.
    """
    if len(durations) < 2:
        raise NotComputable("fewer than two persons")
    if not (np.isfinite(durations).all() and np.isfinite(risk).all()):
        raise NotComputable("a follow-up or a risk is missing or infinite")
    if not events.any():
        raise NotComputable("no events")
