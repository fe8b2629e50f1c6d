"""What a partial likelihood adds up at each moment, in one compiled pass over the rows or over the deaths.

Sums of products are of z = (1, columns), and kept as the upper triangle of z z', row by row: first the sum of theta and
those of theta x, then those of theta x x'.
"""

from __future__ import annotations

import math

import numpy as np
from numba.typed import List
from numpy.typing import NDArray

from model.survival.compiled import compiled

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

PIECE = 128
"""Rows of a moment that are worked on at a time: with twenty terms the processor's nearest cache holds them."""


def triangle(terms: int) -> int:
    """How many products of z = (1, columns) there are."""
    return (terms + 1) * (terms + 2) // 2


def symmetric(products: Floats) -> Floats:
    """Sums of products as a matrix; (triangle,) to (terms + 1, terms + 1)."""
    size = int(math.sqrt(2 * len(products)))
    matrix = np.empty((size, size))
    upper = np.triu_indices(size)
    matrix[upper] = products
    matrix.T[upper] = products
    return matrix


@compiled
def products_by_moment(
    columns: List[Floats] | Floats,
    beta: Floats,
    weights: Floats,
    segments: Integers,
    shift: Floats,
    eta: Floats,
    theta: Floats,
    of_deaths: Floats,
    of_others: Floats,
) -> float:
    """Linear predictors, and sums of theta z z' over the own rows of each moment: those that die at it, and the others.

    A row is read once for all of it. Rows of no moment have neither predictor nor theta here.

    Args:
        columns: (rows,) each, or (terms, rows).
        beta: (terms,).
        weights: of the rows, (rows,).
        segments: of each moment where its deaths begin, its other rows begin, and these end, (moments, 3).
        shift: what is taken off the predictors of each moment's rows before theta is taken of them, (moments,).
        eta, theta: take the linear predictor and weight x exp(eta - shift), (rows,).
        of_deaths, of_others: take the sums, (moments, triangle).

    Returns:
        The largest absolute predictor, less the shift.
    """
    terms = len(beta)
    # Two rows and four columns of the products are added up together: some of a block may lie beyond the last.
    z, weighted = np.zeros((terms + 5, PIECE)), np.zeros((terms + 5, PIECE))
    total = np.zeros((terms + 5, terms + 5))
    z[0] = 1.0
    farthest = 0.0
    for moment in range(len(segments)):
        for part in range(2):
            total[:] = 0.0
            for start in range(segments[moment, part], segments[moment, part + 1], PIECE):
                count = min(PIECE, segments[moment, part + 1] - start)
                predictor = eta[start : start + count]
                predictor[:] = 0.0
                for term in range(terms):
                    column, kept, effect = columns[term][start : start + count], z[term + 1], beta[term]
                    for row in range(count):
                        kept[row] = column[row]
                        predictor[row] += effect * column[row]
                for row in range(count):
                    centred = predictor[row] - shift[moment]
                    farthest = max(farthest, abs(centred))
                    weighted[0, row] = weights[start + row] * math.exp(centred)
                    theta[start + row] = weighted[0, row]
                for term in range(1, terms + 1):
                    of_term, kept = weighted[term], z[term]
                    for row in range(count):
                        of_term[row] = weighted[0, row] * kept[row]
                add_products(weighted, z, count, total)
            place = 0
            for one in range(terms + 1):
                for other in range(one, terms + 1):
                    if part == 0:
                        of_deaths[moment, place] = total[one, other]
                    else:
                        of_others[moment, place] = total[one, other]
                    place += 1
    return farthest


@compiled
def add_products(weighted: Floats, z: Floats, count: int, total: Floats) -> None:
    """Add the sums over some rows of `weighted` times `z`, of each pair of columns, to the upper triangle of `total`.

    Args:
        weighted, z: (columns + 4, at least `count`): the last four belong to none.
        count: of the rows.
        total: (columns + 4, columns + 4).
    """
    size = len(z) - 4
    for one in range(0, size, 2):
        a, b = weighted[one], weighted[one + 1]
        for other in range(one, size, 4):
            p, q, r, s = z[other], z[other + 1], z[other + 2], z[other + 3]
            ap = aq = ar = as_ = bp = bq = br = bs = 0.0
            for row in range(count):
                ap += a[row] * p[row]
                aq += a[row] * q[row]
                ar += a[row] * r[row]
                as_ += a[row] * s[row]
                bp += b[row] * p[row]
                bq += b[row] * q[row]
                br += b[row] * r[row]
                bs += b[row] * s[row]
            total[one, other] += ap
            total[one, other + 1] += aq
            total[one, other + 2] += ar
            total[one, other + 3] += as_
            total[one + 1, other] += bp
            total[one + 1, other + 1] += bq
            total[one + 1, other + 2] += br
            total[one + 1, other + 3] += bs


@compiled
def sums_of_slots(
    deaths: Integers, weighted_deaths: Floats, at_risk: Floats, dying: Floats
) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Sums over the slots of each moment, whose denominators are c = S - (l/d) D, l = 0 .. d - 1.

    Args:
        deaths: d, (moments,).
        weighted_deaths: sum of their weights, (moments,); m is their mean.
        at_risk: S, (moments,).
        dying: D, (moments,).

    Returns:
        Of each moment, (moments,), the sums of m log c, m / c, m (l/d) / c, m (l/d) / c^2, and m (l/d)^2 / c^2.
    """
    moments = len(deaths)
    logs, increments, left = np.zeros(moments), np.zeros(moments), np.zeros(moments)
    squared, left_twice = np.zeros(moments), np.zeros(moments)
    for moment in range(moments):
        weight = weighted_deaths[moment] / deaths[moment]
        for turn in range(deaths[moment]):
            share = turn / deaths[moment]
            denominator = at_risk[moment] - share * dying[moment]
            logs[moment] += weight * math.log(denominator)
            increment = weight / denominator
            increments[moment] += increment
            left[moment] += increment * share
            squared[moment] += increment * share / denominator
            left_twice[moment] += increment * share * share / denominator
    return logs, increments, left, squared, left_twice
