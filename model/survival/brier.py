"""The Brier score of predicted survival probabilities under censoring, at a time and integrated over time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from model.errors import NotComputable
from model.survival.censoring import Floats
from model.survival.compiled import compiled
from model.survival.timeline import Integers, Timeline, timeline_of


def brier_scores(durations: Floats, events: NDArray[np.bool_], survival: Floats, times: Floats) -> Floats:
    """Mean squared error of survival probabilities, by inverse probability of censoring (Graf et al. 1999).

    At time t who died up to t counts with (0 - S(t))² / G(own time), who was followed beyond t with (1 - S(t))² / G(t),
    and who was censored before t not at all.

    Args:
        durations: follow-up, (persons,).
        events: whether it ended in death, (persons,).
        survival: predicted probability to be alive at each time, (persons, times), 0 to 1.
        times: ascending, (times,), before the longest follow-up.

    Returns:
        A score a time, (times,); 0 is perfect, 0.25 is what 0.5 for everybody gets.

    Raises:
        NotComputable: no events; nobody was followed beyond a time; a probability is missing or outside 0 to 1.
    """
    timeline = timeline_of(durations, events)
    return np.array([brier_score_of(timeline, of_time, time) for of_time, time in zip(survival.T, times, strict=True)])


def brier_score_of(timeline: Timeline, survival: Floats, time: float) -> float:
    """The score at one time, of persons whose follow-up is known as numbers.

    Args:
        timeline: of the persons.
        survival: predicted probability to be alive at the time, (persons,), 0 to 1.
        time: before the longest follow-up.

    Raises:
        NotComputable: as `brier_scores`.
    """
    if not timeline.deaths.any():
        raise NotComputable("no events")
    if time >= timeline.times[-1]:
        raise NotComputable(f"nobody was followed beyond {time:g}")
    within, known = timeline.places_up_to(time), timeline.censoring
    # Where G is 0 everybody was censored, and nobody of them is dead within an earlier time.
    weights = np.zeros(2 * len(timeline.times))
    weights[0 : 2 * within : 2] = np.divide(
        1.0, known.probability[:within], out=np.zeros(within), where=known.probability[:within] > 0
    )
    weights[2 * within :] = 1.0 / float(known.at(np.array(time)))
    error, outside = _squared_error(timeline.ends, np.ascontiguousarray(survival), weights, 2 * within)
    if outside:
        raise NotComputable("a predicted survival probability is missing or outside 0 to 1")
    return error / len(timeline.ends)


def integrated_brier_score(durations: Floats, events: NDArray[np.bool_], survival: Floats, times: Floats) -> float:
    """The mean of `brier_scores` over time: trapezoid rule over `times`, divided by their span.

    Args, Raises: as `brier_scores`; at least two times.
    """
    return integrated_brier_score_of(timeline_of(durations, events), list(survival.T), times)


def integrated_brier_score_of(timeline: Timeline, survival: Sequence[Floats], times: Floats) -> float:
    """The same of persons whose follow-up is known as numbers; `survival`: at each time, (persons,)."""
    if len(times) < 2:
        raise NotComputable("fewer than two times to integrate over")
    scores = np.array([brier_score_of(timeline, of_time, time) for of_time, time in zip(survival, times, strict=True)])
    return float(np.trapezoid(scores, times) / (times[-1] - times[0]))


@compiled
def _squared_error(ends: Integers, survival: Floats, weights: Floats, alive_from: int) -> tuple[float, int]:
    """The weighted squared errors of all persons added up, and how many predictions are no probabilities.

    Args:
        ends: of follow-up, (persons,).
        survival: predicted, (persons,).
        weights: of each end, (2 times,).
        alive_from: who has this end or a later one is alive.
    """
    error, outside = 0.0, 0
    for row in range(len(ends)):
        end, predicted = ends[row], survival[row]
        miss = (1.0 if end >= alive_from else 0.0) - predicted
        error += weights[end] * miss * miss
        outside += not 0.0 <= predicted <= 1.0
    return error, outside
