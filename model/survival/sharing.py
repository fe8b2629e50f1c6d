"""What fits to the same columns have in common: sorted risk sets and encoded columns, computed once and shared.

    with sharing():
        ...  # fits, however deep inside, to the same frame

A column is the same where it is the same piece of memory, so frames must be extended without copying them. Inside the
block nothing may change a column in place. What is shared is let go of with the block.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar, cast

from numpy.typing import NDArray

FEWEST_ROWS = 20_000
"""Less is quicker computed again; and refits to resamples, which nobody shares, must not pile up (ours)."""

Found = TypeVar("Found")
Memory = ChainMap[Hashable, tuple[tuple[NDArray[Any], ...], Any]]

_MEMORY: ContextVar[Memory | None] = ContextVar("shared between fits", default=None)


@contextmanager
def sharing() -> Iterator[None]:
    """Share between the fits of the block; a block within a block takes what is known, and lets go of its own."""
    outer = _MEMORY.get()
    token = _MEMORY.set(ChainMap() if outer is None else outer.new_child())
    try:
        yield
    finally:
        _MEMORY.reset(token)


def remembered(what: Hashable, arrays: tuple[NDArray[Any] | None, ...], compute: Callable[[], Found]) -> Found:
    """`compute()`, or what it gave before for the same `what` and the same memory.

    Args:
        what: everything the result depends on besides the arrays.
        arrays: (rows, ...) each, or None.
        compute: its result is handed to several: nobody may change it.
    """
    memory = _MEMORY.get()
    present = tuple(array for array in arrays if array is not None)
    if memory is None or not present or len(present[0]) < FEWEST_ROWS:
        return compute()
    key = (what, tuple(None if array is None else _place(array) for array in arrays))
    if key not in memory:
        # The arrays are kept too: no other may come to lie in their place.
        memory[key] = (present, compute())
    return cast(Found, memory[key][1])


def _place(array: NDArray[Any]) -> Hashable:
    return array.__array_interface__["data"][0], array.shape, array.strides, array.dtype.str
