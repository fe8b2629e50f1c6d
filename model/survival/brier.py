"""The Brier score of predicted survival probabilities under censoring, at a time and integrated over time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model.errors import NotComputable
from model.survival.censoring import CensoringDistribution, Floats


def brier_scores(
    durations: Floats,
    events: NDArray[np.bool_],
    survival: Floats,
    times: Floats,
    *,
    censoring: CensoringDistribution | None = None,
) -> Floats:
    """Mean squared error of survival probabilities, by inverse probability of censoring (Graf et al. 1999).

    At time t who died up to t counts with (0 - S(t))² / G(own time), who was followed beyond t with (1 - S(t))² / G(t),
    and who was censored before t not at all.

    Args:
        durations: follow-up, (persons,).
        events: whether it ended in death, (persons,).
        survival: predicted probability to be alive at each time, (persons, times), 0 to 1.
        times: ascending, (times,), before the longest follow-up.
        censoring: distribution of the same persons' censoring, where it is known already.

    Returns:
        A score a time, (times,); 0 is perfect, 0.25 is what 0.5 for everybody gets.

    Raises:
        NotComputable: no events; nobody was followed beyond a time; a probability is missing or outside 0 to 1.
    """
    if not events.any():
        raise NotComputable("no events")
    if times.max() >= durations.max():
        raise NotComputable(f"nobody was followed beyond {times.max():g}")
    if not ((survival >= 0) & (survival <= 1)).all():
        raise NotComputable("a predicted survival probability is missing or outside 0 to 1")
    known = CensoringDistribution.of(durations, events) if censoring is None else censoring
    g_own, g_at = known.at(durations), known.at(times)
    # Where G is 0 everybody was censored, and nobody of them is dead within an earlier time.
    weight_of_dead = np.divide(1.0, g_own, out=np.zeros_like(g_own), where=events & (g_own > 0))
    scores = np.empty(len(times))
    for column, time in enumerate(times):
        alive = durations > time
        predicted = survival[:, column]
        of_dead = np.where(alive, 0.0, weight_of_dead) @ predicted**2
        scores[column] = of_dead + ((1.0 - predicted[alive]) ** 2).sum() / g_at[column]
    return scores / len(durations)


def integrated_brier_score(durations: Floats, events: NDArray[np.bool_], survival: Floats, times: Floats) -> float:
    """The mean of `brier_scores` over time: trapezoid rule over `times`, divided by their span.

    Args, Raises: as `brier_scores`; at least two times.
    """
    if len(times) < 2:
        raise NotComputable("fewer than two times to integrate over")
    scores = brier_scores(durations, events, survival, times)
    return float(np.trapezoid(scores, times) / (times[-1] - times[0]))
