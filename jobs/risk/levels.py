"""Who belongs to which level of a covariate: what curves and subgroups are split by."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from model.survival.covariates import Covariate, quartile_cuts
from model.survival.encoding import Codes, coded, declared_levels, source_of
from model.survival.sharing import remembered

Mask = NDArray[np.bool_]


def level_of(members: pd.DataFrame, covariate: Covariate) -> NDArray[np.object_]:
    """The level of each member, (members,), None where it is not known; quarters are those of all who are known."""
    source = source_of(covariate, members)
    if covariate.kind not in ("quartile", "cut"):
        return np.asarray(source, dtype=object)

    def named() -> NDArray[np.object_]:
        names = np.array([*declared_levels(covariate), None], dtype=object)
        return names[_places(members, covariate)]

    return remembered(("level", covariate), (source,), named)


def levels_of(members: pd.DataFrame, covariate: Covariate) -> dict[str, Mask]:
    """Which members have each level that somebody has, levels in the order of the declaration."""
    if not declared_levels(covariate):
        return {}

    def split() -> dict[str, Mask]:
        places = _places(members, covariate)
        within = {level: places == place for place, level in enumerate(declared_levels(covariate))}
        return {level: rows for level, rows in within.items() if rows.any()}

    return dict(remembered(("levels", covariate), (source_of(covariate, members),), split))


def _places(members: pd.DataFrame, covariate: Covariate) -> Codes:
    """The place of each member's level among the declared ones, -1 where it is none of them or not known."""
    if covariate.kind not in ("quartile", "cut"):
        return coded(covariate, (), source_of(covariate, members)).codes
    values = members[covariate.column].to_numpy(dtype=float)
    known = ~np.isnan(values)
    places = np.full(len(values), -1, dtype=np.int16)
    if known.any():
        cuts = covariate.cuts if covariate.kind == "cut" else covariate.points or quartile_cuts(values[known])
        places[known] = np.searchsorted(np.asarray(cuts), values[known], side="left")
    return places
