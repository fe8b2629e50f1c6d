"""Loops over rows that are compiled to machine code (numba), where numpy would go through memory many times.

    @compiled
    def total(values: Floats) -> float:
        ...  # plain loops over arrays

A function is compiled when it is first called with arrays of a kind, which takes a second or so, and kept in the cache:
NUMBA_CACHE_DIR, or beside its file, or the user's, whichever can be written to. It runs in one thread, and gives the
same bits every time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from numba import njit

Function = TypeVar("Function", bound=Callable[..., object])

FREE_ORDER = {"reassoc", "nsz", "contract"}
"""What lets a sum be added up in several places at once, as BLAS does; infinities and NaN are kept as they are.

Code in the cache was compiled with what stood here then: numba does not see a change of it."""


def compiled(function: Function) -> Function:
    """Compile a function of arrays and numbers.

    Sums may be added up in another order than the loop's, always the same one. Division by 0 gives what numpy's gives.
    """
    try:
        return _compiled(function, cache=True)
    except RuntimeError:
        # There is nowhere to keep it: each process compiles it anew.
        return _compiled(function, cache=False)


def _compiled(function: Function, *, cache: bool) -> Function:
    return cast(Function, njit(cache=cache, nogil=True, fastmath=FREE_ORDER, error_model="numpy")(function))
