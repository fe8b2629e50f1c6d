"""P values adjusted for how many tests were made."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from model.errors import NotComputable
from model.survival.censoring import Floats


def holm(p_values: Sequence[float]) -> Floats:
    """Holm 1979: no true hypothesis among them is rejected at 5 % with more than 5 % probability, however they depend.

    Args:
        p_values: 0 to 1, (tests,), in any order.

    Returns:
        Adjusted p values in the same order, (tests,), as R's `p.adjust(method = "holm")`.

    Raises:
        NotComputable: a p value is missing or outside 0 to 1.
    """
    values = _checked(p_values)
    order = np.argsort(values, kind="stable")
    stepped = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    return _back_in_place(np.minimum(stepped, 1.0), order)


def benjamini_hochberg(p_values: Sequence[float]) -> Floats:
    """Benjamini and Hochberg 1995: of those rejected at 5 %, 5 % are false on average (if independent, or nearly so).

    Args, Returns, Raises: as `holm`; R's `p.adjust(method = "BH")`.
    """
    values = _checked(p_values)
    order = np.argsort(values, kind="stable")
    scaled = values[order] * len(values) / np.arange(1, len(values) + 1)
    stepped = np.minimum.accumulate(scaled[::-1])[::-1]
    return _back_in_place(np.minimum(stepped, 1.0), order)


def _checked(p_values: Sequence[float]) -> Floats:
    values = np.asarray(p_values, dtype=float)
    if not ((values >= 0) & (values <= 1)).all():
        raise NotComputable("a p value is missing or outside 0 to 1")
    return values


def _back_in_place(values: Floats, order: np.ndarray) -> Floats:
    placed = np.empty_like(values)
    placed[order] = values
    return placed
