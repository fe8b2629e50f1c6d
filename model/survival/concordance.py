"""Concordance of a risk with survival times: Harrell's C, Uno's C, and the area under the time-dependent ROC curve.

A higher risk is expected to die sooner. All counts are exact, in O(n log n). Formulas and sources: docs/statistics.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.errors import NotComputable
from model.survival.censoring import Floats
from model.survival.compiled import compiled
from model.survival.pair_counts import Integers, Ranking
from model.survival.sharing import remembered
from model.survival.timeline import timeline_of


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
    return harrells_c_of(compared(durations, events, risk))


def harrells_c_of(ranking: Ranking) -> Concordance:
    """The same of persons who are ranked already.

    Raises:
        NotComputable: no events, or no comparable pairs.
    """
    pairs, deaths = ranking.pairs, ranking.timeline.deaths
    if not deaths.any():
        raise NotComputable("no events")
    comparable = int(pairs.comparable.sum())
    if comparable == 0:
        raise NotComputable("no comparable pairs: nobody was followed longer than the deaths")
    concordant, tied = int(pairs.lower.sum()), int(pairs.tied.sum())
    return Concordance(
        c_index=(concordant + 0.5 * tied) / comparable,
        concordant=concordant,
        discordant=comparable - concordant - tied,
        tied_risk=tied,
        tied_deaths=int((deaths * (deaths - 1) // 2).sum()),
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
    return unos_c_of(compared(durations, events, risk), tau=tau)


def unos_c_of(ranking: Ranking, *, tau: float | None = None) -> float:
    """The same of persons who are ranked already.

    Raises:
        NotComputable: no comparable pairs, no deaths before tau, or G is 0 at a death that counts.
    """
    timeline, pairs = ranking.timeline, ranking.pairs
    counts = timeline.deaths > 0
    if tau is not None:
        counts &= timeline.times < tau
    if not counts.any():
        raise NotComputable("no events" if tau is None else f"no deaths before {tau:g}")
    weights = timeline.censoring.inverse_where(counts) ** 2
    comparable = float((weights * pairs.comparable).sum())
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
    return dynamic_auc_of(compared(durations, events, risk), horizon)


def dynamic_auc_of(ranking: Ranking, horizon: float) -> float:
    """The same of persons who are ranked already.

    Raises:
        NotComputable: nobody died up to the horizon, nobody was followed beyond it, or G is 0 at a death that counts.
    """
    timeline = ranking.timeline
    within = timeline.places_up_to(horizon)
    counts = timeline.deaths > 0
    counts[within:] = False
    controls = int(timeline.ended[within:].sum())
    if not counts.any():
        raise NotComputable(f"nobody died within {horizon:g}")
    if not controls:
        raise NotComputable(f"nobody was followed beyond {horizon:g}")
    weights = timeline.censoring.inverse_where(counts)
    lower = _weight_above(ranking.in_order, ranking.bits, weights, within)
    return lower / (float(weights @ timeline.deaths) * controls)


@compiled
def _weight_above(in_order: Integers, bits: int, weights: Floats, within: int) -> float:
    """Of all pairs of a death and a control: the weight of those in which the death had the higher risk, ties half.

    Args:
        in_order: rank of risk and end of follow-up of each, ascending, (persons,).
        bits: of the end.
        weights: of a death at each time, (times,).
        within: who is followed to a later place among the times is a control.
    """
    mask = (1 << bits) - 1
    found, below, first, persons = 0.0, 0, 0, len(in_order)
    while first < persons:
        rank = in_order[first] >> bits
        deaths, controls = 0.0, 0
        while first < persons and in_order[first] >> bits == rank:
            end = in_order[first] & mask
            if end >> 1 >= within:
                controls += 1
            elif end % 2 == 0:
                deaths += weights[end >> 1]
            first += 1
        found += deaths * (below + 0.5 * controls)
        below += controls
    return found


def compared(durations: Floats, events: NDArray[np.bool_], risk: Floats) -> Ranking:
    """Persons by the end of follow-up and the rank of their risk, within `sharing()` once for all measures of them.

    Args, Raises: as `check_comparable`.
    """
    check_comparable(durations, events, risk)
    timeline = timeline_of(durations, events)
    return remembered("ranking", (durations, events, risk), lambda: Ranking.of(timeline, risk))


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
