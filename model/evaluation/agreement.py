"""How far photos of one session disagree: within-session SD, mean absolute difference, and ICC(1,1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.errors import NotComputable
from model.survival.bootstrap import Measure, Rows

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Sessions:
    """What agreement is computed from, one row a session of two photos or more.

    Everything below is a sum over sessions, so that a session drawn twice in a resample counts as two.
    """

    person: NDArray[np.int64]
    """(s,) whose session it is."""
    photos: NDArray[np.int64]
    """(s,) at least 2."""
    mean: Floats
    """(s,) of the photos' values."""
    sum_of_squares: Floats
    """(s,) of the photos' deviations from `mean`."""
    sum_of_differences: Floats
    """(s,) of |difference| over the session's pairs of photos."""

    @classmethod
    def of(cls, values: Floats, session: NDArray[np.int64], person: NDArray[np.int64]) -> Sessions:
        """Sum up photos: their values, their session and their person, (photos,) each; lone photos are left out."""
        order = np.lexsort((values, session))
        values, session, person = values[order], session[order], person[order]
        _, first, number, count = np.unique(session, return_index=True, return_inverse=True, return_counts=True)
        mean = _summed(number, values) / count
        squares = _summed(number, (values - mean[number]) ** 2)
        # Sorted within the session, value number i of k is added i times and subtracted k - 1 - i times.
        place = np.arange(len(values)) - first[number]
        differences = _summed(number, (2 * place - count[number] + 1) * (values - mean[number]))
        several = count >= 2
        return cls(person[first][several], count[several], mean[several], squares[several], differences[several])

    def within_sd(self, rows: Rows) -> float:
        """SD of one photo's value around its session's: square root of the pooled within-session variance."""
        self._check(rows)
        return float(np.sqrt(self.sum_of_squares[rows].sum() / (self.photos[rows] - 1).sum()))

    def mean_difference(self, rows: Rows) -> float:
        """Mean |difference| of two photos of one session, over all such pairs."""
        self._check(rows)
        pairs = self.photos[rows] * (self.photos[rows] - 1) / 2
        return float(self.sum_of_differences[rows].sum() / pairs.sum())

    def icc(self, rows: Rows) -> float:
        """ICC(1,1), one-way random effects (Shrout and Fleiss 1979), for sessions of unequal size.

        (MSB - MSW) / (MSB + (k0 - 1) MSW) with k0 = (N - Σk² / N) / (s - 1) photos a session (Donner and Koval 1980).
        """
        self._check(rows)
        photos, mean, squares = self.photos[rows], self.mean[rows], self.sum_of_squares[rows]
        sessions, total = len(rows), int(photos.sum())
        if sessions < 2:
            raise NotComputable("fewer than two sessions of two photos")
        grand = (photos * mean).sum() / total
        between = (photos * (mean - grand) ** 2).sum() / (sessions - 1)
        within = squares.sum() / (total - sessions)
        typical = (total - (photos**2).sum() / total) / (sessions - 1)
        if between + (typical - 1) * within == 0:
            raise NotComputable("the value is the same on every photo")
        return float((between - within) / (between + (typical - 1) * within))

    def measures(self, name: str, unit: str) -> dict[str, Measure]:
        """The three as measures of a score: `<name>_within_session_…`."""
        return {
            f"{name}_within_session_sd_{unit}": self.within_sd,
            f"{name}_within_session_difference_{unit}": self.mean_difference,
            f"{name}_within_session_icc": self.icc,
        }

    def _check(self, rows: Rows) -> None:
        if len(rows) == 0:
            raise NotComputable("no session has two photos")


def _summed(number: NDArray[np.int64], values: Floats) -> Floats:
    """Sums of `values` by session number."""
    return np.bincount(number, weights=values).astype(np.float64)
