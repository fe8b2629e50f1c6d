"""What one prediction tells apart that another does not: the difference of their concordances, with its interval."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from model.errors import NotComputable
from model.survival.bootstrap import Resampling, interval_of, resamples
from model.survival.censoring import Floats
from model.survival.concordance import compared, harrells_c_of
from model.survival.mapping import mapped_in_chunks
from model.survival.pair_counts import Ranking
from model.survival.sharing import remembered

RESAMPLING = Resampling(repeats=500, largest=5_000)
"""A second or two a comparison, however many the persons."""


@dataclass(frozen=True)
class DeltaConcordance:
    """Harrell's C of the larger model's predictions, of the smaller's, and the gain.

    Attributes:
        ci_lower, ci_upper: 95 % interval of the gain; missing where too many resamples have no comparable pairs.
    """

    larger: float
    smaller: float
    gain: float
    ci_lower: float | None
    ci_upper: float | None


def delta_concordance(
    durations: Floats,
    events: NDArray[np.bool_],
    larger: Floats,
    smaller: Floats,
    *,
    people: NDArray[np.int64] | None = None,
    resampling: Resampling = RESAMPLING,
) -> DeltaConcordance:
    """Compare two predictions of the same persons; both cross-fitted, or a larger model wins by its size alone.

    The interval counts that other persons would have been drawn, not that the models would then have been others.

    Args:
        durations: years of follow-up, (rows,), > 0.
        events: whether it ended with the event, (rows,).
        larger, smaller: log-risks (higher is worse), (rows,).
        people: whose row it is, (rows,), whole numbers; all rows of one are drawn together. None: a person each.
        resampling: percentile bootstrap, the same resamples for both.

    Raises:
        NotComputable: no events, no comparable pairs, or values that are no numbers.
    """
    ranked_larger, ranked_smaller = compared(durations, events, larger), compared(durations, events, smaller)
    whole_larger, whole_smaller = harrells_c_of(ranked_larger).c_index, harrells_c_of(ranked_smaller).c_index
    persons = np.arange(len(durations)) if people is None else people

    def by_resample(risk: Floats, ranking: Ranking) -> Floats:
        """Missing where a resample has no comparable pairs."""

        def computed() -> Floats:
            drawn = list(resamples(persons, resampling))
            return np.array(mapped_in_chunks(partial(_concordance, ranking), drawn, size=sum(map(len, drawn))))

        return remembered(("C by resample", resampling), (risk, durations, events, persons), computed)

    gains = by_resample(larger, ranked_larger) - by_resample(smaller, ranked_smaller)
    interval = interval_of(gains[np.isfinite(gains)], whole_larger - whole_smaller, persons, resampling)
    return DeltaConcordance(
        larger=whole_larger,
        smaller=whole_smaller,
        gain=whole_larger - whole_smaller,
        ci_lower=interval.lower if interval else None,
        ci_upper=interval.upper if interval else None,
    )


def _concordance(ranking: Ranking, rows: NDArray[np.int64]) -> float:
    try:
        return harrells_c_of(ranking.of_rows(rows)).c_index
    except NotComputable:
        return np.nan
