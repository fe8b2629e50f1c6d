"""From measures to findings: the number, its interval, how many it is about, or why there is none."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from model.errors import NotComputable
from model.evaluation.findings import WHOLE, Finding
from model.survival.bootstrap import Measure, Resampling, bootstrap_intervals, count_of

FEWEST_PEOPLE = 10
"""A group of fewer people gets no number (ours): it would say little, and might say it of somebody."""


def measure_all(
    measures: Mapping[str, Measure],
    people: NDArray[np.int64],
    resampling: Resampling,
    *,
    group_name: str = WHOLE,
    level: str = WHOLE,
    counts_photos: bool = True,
    events: int | None = None,
    notes: Mapping[str, str] | None = None,
) -> list[Finding]:
    """A finding for each measure, over all rows.

    Args:
        measures: by metric; they are handed row numbers 0 … len(people) - 1.
        people: whose row it is, (rows,).
        resampling: of the intervals.
        group_name, level: what the rows are.
        counts_photos: whether a row is a photo (else a person, or a session).
        events: deaths among them, where survival is concerned.
        notes: what must be known to read a metric.
    """
    persons = count_of(people)
    photos = len(people) if counts_photos else None
    is_small = persons < FEWEST_PEOPLE
    intervals = {} if is_small else bootstrap_intervals(measures, people, resampling)
    everyone = np.arange(len(people))
    found = []
    for metric, measure in measures.items():
        estimate, note = None, (notes or {}).get(metric)
        try:
            if is_small:
                raise NotComputable(f"fewer than {FEWEST_PEOPLE} people")
            estimate = float(measure(everyone))
        except NotComputable as reason:
            note = str(reason)
        interval = intervals.get(metric) if estimate is not None else None
        if estimate is not None and interval is None and resampling.repeats:
            note = "; ".join(filter(None, [note, "no interval: too many resamples do not determine the number"]))
        found.append(
            Finding(
                metric=metric,
                estimate=estimate,
                group_name=group_name,
                level=level,
                photos=photos,
                people=persons,
                events=events,
                lower_95=interval.lower if interval else None,
                upper_95=interval.upper if interval else None,
                note=note,
            )
        )
    return found
