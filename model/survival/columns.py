"""Columns of a design in the order of the risk sets, read some rows at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import overload

import numpy as np
from numba.typed import List

from model.survival.risk_sets import BLOCK, Floats, Integers

FEW_ROWS = 2 * BLOCK
"""Up to so many, the columns are put into one matrix."""


class Columns(Sequence[Floats]):
    """The columns of a design, one a term, (sorted rows,) each.

    They are not put into one matrix where rows are many: models share columns, and a million rows of twenty terms fill
    a cache many times over.
    """

    def __init__(self, columns: Sequence[Floats], rows: int) -> None:
        """Take columns of so many rows; there may be none."""
        self._columns = tuple(columns)
        self.rows = rows

    def __len__(self) -> int:
        return len(self._columns)

    @overload
    def __getitem__(self, term: int) -> Floats: ...

    @overload
    def __getitem__(self, term: slice) -> tuple[Floats, ...]: ...

    def __getitem__(self, term: int | slice) -> Floats | tuple[Floats, ...]:
        return self._columns[term]

    @cached_property
    def matrix(self) -> Floats | None:
        """The columns as one matrix, (terms, rows), where a processor's cache holds it."""
        return stacked(self._columns) if self._columns and self.rows <= FEW_ROWS else None

    @cached_property
    def compiled(self) -> List[Floats] | Floats:
        """The columns as compiled code takes them: as one matrix, or one by one."""
        if not self._columns:
            return np.empty((0, 0))
        return List(self._columns) if self.matrix is None else self.matrix

    def block(self, some: slice) -> Floats:
        """The columns of some rows, (terms, so many rows)."""
        if self.matrix is not None:
            return self.matrix[:, some]
        return stacked([column[some] for column in self._columns])

    def taken(self, rows: Integers) -> Floats:
        """The columns of rows by number, (terms, so many rows)."""
        return stacked([np.take(column, rows) for column in self._columns])

    def total(self, weights: Floats) -> Floats:
        """Sum of the columns over the rows, each times a weight, (terms,)."""
        return np.array([column @ weights for column in self._columns])

    def predictor(self, beta: Floats) -> Floats:
        """Linear predictor of each row, (rows,)."""
        eta = np.zeros(self.rows)
        for some in blocks_of(self.rows) if self._columns else ():
            np.matmul(beta, self.block(some), out=eta[some])
        return eta

    def products(self, weights: Floats) -> Floats:
        """Sum over rows of weight x column x column', (terms, terms)."""
        return weighted_products(self._columns if self.matrix is None else self.matrix, weights)


def blocks_of(rows: int) -> Iterator[slice]:
    """So many rows, some at a time."""
    for start in range(0, rows, BLOCK):
        yield slice(start, min(start + BLOCK, rows))


def stacked(columns: Sequence[Floats]) -> Floats:
    """Columns of the same rows as one matrix, (terms, rows)."""
    matrix = np.empty((len(columns), len(columns[0]) if columns else 0))
    for row, column in zip(matrix, columns, strict=True):
        row[:] = column
    return matrix


def weighted_products(columns: Sequence[Floats] | Floats, weights: Floats) -> Floats:
    """Sum over rows of weight x column x column', block by block, so that a block stays in the processor's cache.

    Args:
        columns: (rows,) each, or (terms, rows).
        weights: of any sign, (rows,).
    """
    total = np.zeros((len(columns), len(columns)))
    for some in blocks_of(len(weights)):
        block = columns[:, some] if isinstance(columns, np.ndarray) else stacked([column[some] for column in columns])
        total += (block * weights[some]) @ block.T
    return total
