"""What each row contributes to a Cox fit: dfbeta, and the variance that allows rows of one cluster to depend.

Both come from score residuals under Efron's ties, as R computes them; lifelines' are those of Breslow's, and differ
where many die at one time.
"""

from __future__ import annotations

import numpy as np

from model.survival.partial_likelihood import EfronSums
from model.survival.risk_sets import Floats, Integers


def dfbeta(sums: EfronSums, covariance: Floats) -> Floats:
    """How much each row moves each coefficient, to first order: weight x score residual x covariance; (terms, rows).

    Args:
        sums: the likelihood at its maximum.
        covariance: inverse of its information, (terms, terms).

    Returns:
        In the order of the data: the estimate less, approximately, that without the row.
    """
    weighted = sums.score_residuals() * sums.risk_sets.weights
    return sums.risk_sets.to_data_order(covariance @ weighted)


def robust_covariance(influence: Floats, clusters: Integers | None) -> Floats:
    """The sandwich estimate of Lin and Wei (1989), summed over clusters as in Lee, Wei and Amato (1992).

    Args:
        influence: `dfbeta`, (terms, rows).
        clusters: number of each row's cluster, 0 to clusters - 1, (rows,); None: each row is one.

    Returns:
        Sum over clusters of D D', with D the sum of the cluster's dfbeta; (terms, terms).
    """
    if clusters is not None:
        influence = np.stack([np.bincount(clusters, weights=row) for row in influence])
    covariance: Floats = influence @ influence.T
    return covariance
