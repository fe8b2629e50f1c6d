"""Who belongs to which level of a covariate: what curves and subgroups are split by."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from model.survival.design import QUARTERS, Covariate, cut_level_of, cut_levels, quarter_of, quartile_cuts


def level_of(members: pd.DataFrame, covariate: Covariate) -> NDArray[np.object_]:
    """The level of each member, (members,); quarters are those of all members."""
    values = members[covariate.column].to_numpy()
    if covariate.kind == "quartile":
        return quarter_of(values, quartile_cuts(values)) if len(values) else values.astype(object)
    if covariate.kind == "cut":
        return cut_level_of(values, covariate.cuts)
    return values.astype(object)


def levels_of(members: pd.DataFrame, covariate: Covariate) -> dict[str, NDArray[np.bool_]]:
    """Which members have each level that somebody has, levels in the order of the declaration."""
    own = level_of(members, covariate)
    declared = {"quartile": QUARTERS, "cut": cut_levels(covariate.cuts) if covariate.cuts else ()}
    order = declared.get(covariate.kind, covariate.levels)
    return {level: own == level for level in order if (own == level).any()}
