"""Loops over rows that are compiled to machine code (numba), where numpy would go through memory many times.

    @compiled
    def total(values: Floats) -> float:
        ...  # plain loops over arrays

A function is compiled when it is first called with arrays of a kind, and kept in the cache beside its file (or in the
user's, where that is read-only). It runs in one thread, and gives the same bits every time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from numba import njit

Function = TypeVar("Function", bound=Callable[..., object])

FREE_ORDER = {"reassoc", "nsz", "contract"}
"""What lets a sum be added up in several places at once, as BLAS does; infinities and NaN are kept as they are."""


def compiled(function: Function) -> Function:
    """Compile a function of arrays and numbers.

    Sums may be added up in another order than the loop's, always the same one. Division by 0 gives what numpy's gives.
    """
    return cast(Function, njit(cache=True, nogil=True, fastmath=FREE_ORDER, error_model="numpy")(function))
