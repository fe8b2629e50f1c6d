"""Harrell's C of a fitted Cox model on its own persons, with strata, case weights and late entry, as R's `concordance`.

Only pairs of one stratum are compared, and only where both were at risk at the death of the one who died first. A pair
counts with the product of its weights. Without strata, weights and late entry it is `concordance.harrells_c`.
"""

from __future__ import annotations

import numpy as np

from model.survival.errors import FitRefused
from model.survival.pair_counts import pair_counts
from model.survival.ranges import weight_below
from model.survival.risk_sets import Floats, Integers, Outcome
from model.survival.timeline import Timeline, timeline_of


def fitted_concordance(outcome: Outcome, risk: Floats) -> float:
    """Share of comparable pairs in which the higher risk died first; equal risks count half.

    Args:
        outcome: follow-up of the rows.
        risk: higher is worse, (rows,).

    Raises:
        FitRefused: no two rows can be compared.
    """
    plain = outcome.entry is None and bool((outcome.weights == 1).all())
    if plain and not outcome.strata.any():
        concordant, comparable = _of_plain(timeline_of(outcome.durations, outcome.events), risk)
        return _share(concordant, comparable)
    concordant = comparable = 0.0
    order = np.argsort(outcome.strata, kind="stable")
    bounds = np.flatnonzero(np.diff(outcome.strata[order])) + 1
    for rows in np.split(order, bounds):
        if plain:
            better, pairs = _of_plain(Timeline.of(outcome.durations[rows], outcome.events[rows]), risk[rows])
        else:
            better, pairs = _of_stratum(outcome, risk, rows)
        concordant += better
        comparable += pairs
    return _share(concordant, comparable)


def _share(concordant: float, comparable: float) -> float:
    if comparable <= 0:
        raise FitRefused("no comparable pairs: nobody was followed longer than the deaths")
    return concordant / comparable


def _of_plain(timeline: Timeline, risk: Floats) -> tuple[float, float]:
    """Number of the concordant pairs, ties half, and of all comparable pairs."""
    pairs = pair_counts(timeline, risk)
    return float(pairs.lower.sum() + pairs.tied.sum() / 2), float(pairs.comparable.sum())


def _of_stratum(outcome: Outcome, risk: Floats, rows: Integers) -> tuple[float, float]:
    """Weight of the concordant pairs, ties half, and of all comparable pairs."""
    rows = rows[np.lexsort((~outcome.events[rows], outcome.durations[rows]))]
    durations, dies, weights = outcome.durations[rows], outcome.events[rows], outcome.weights[rows]
    _, ranks = np.unique(risk[rows], return_inverse=True)
    deaths = np.flatnonzero(dies)
    if len(deaths) == 0:
        return 0.0, 0.0
    # Deaths come before censorings of the same time: whoever follows the deaths of a time outlived them.
    at_death = durations[deaths]
    last = np.searchsorted(at_death, at_death, side="right") - np.searchsorted(at_death, at_death, side="left")
    outlived_from = np.searchsorted(durations, at_death, side="left") + last
    lower, tied, longer = _compared(ranks, weights, outlived_from, ranks[deaths])
    if outcome.entry is not None:
        entry = outcome.entry[rows]
        by_entry = np.argsort(entry, kind="stable")
        not_yet = np.searchsorted(entry[by_entry], at_death, side="left")
        of_late = _compared(ranks[by_entry], weights[by_entry], not_yet, ranks[deaths])
        lower, tied, longer = lower - of_late[0], tied - of_late[1], longer - of_late[2]
    return float(weights[deaths] @ (lower + tied / 2)), float(weights[deaths] @ longer)


def _compared(ranks: Integers, weights: Floats, start: Integers, own: Integers) -> tuple[Floats, Floats, Floats]:
    """For each query, the weight of those from `start` on with a lower rank, with the same, and of all."""
    lower = weight_below(ranks, weights, start, own)
    up_to = weight_below(ranks, weights, start, own + 1)
    before = np.concatenate([[0.0], np.cumsum(weights)])
    return lower, up_to - lower, before[-1] - before[start]
