"""Who belongs to which level of a covariate: what curves and subgroups are split by."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from model.survival.covariates import QUARTERS, Covariate, cut_level_of, cut_levels, quarter_of, quartile_cuts


def level_of(members: pd.DataFrame, covariate: Covariate) -> NDArray[np.object_]:
    """The level of each member, (members,), None where it is not known; quarters are those of all who are known."""
    values = members[covariate.column].to_numpy()
    if covariate.kind not in ("quartile", "cut"):
        return values.astype(object)
    known = ~np.isnan(values.astype(float))
    levels = np.full(len(values), None, dtype=object)
    if known.any():
        own = values[known].astype(float)
        levels[known] = (
            quarter_of(own, covariate.points or quartile_cuts(own))
            if covariate.kind == "quartile"
            else cut_level_of(own, covariate.cuts)
        )
    return levels


def levels_of(members: pd.DataFrame, covariate: Covariate) -> dict[str, NDArray[np.bool_]]:
    """Which members have each level that somebody has, levels in the order of the declaration."""
    own = level_of(members, covariate)
    declared = {"quartile": QUARTERS, "cut": cut_levels(covariate.cuts) if covariate.cuts else ()}
    order = declared.get(covariate.kind, covariate.levels)
    places = pd.Index(order, dtype=object).get_indexer(pd.Index(own, dtype=object))
    within = {level: places == place for place, level in enumerate(order)}
    return {level: rows for level, rows in within.items() if rows.any()}
