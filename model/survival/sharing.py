"""What fits to the same columns have in common: sorted risk sets and encoded columns, computed once and shared.

    with sharing():
        ...  # fits, however deep inside, to the same frame

Threads of the block share too: what one of them computes, the others wait for, and then have the same of.

A column is the same where it is the same piece of memory, so frames must be extended without copying them. Inside the
block nothing may change a column in place. What is shared is let go of with the block.
"""

from __future__ import annotations

import threading
from collections import ChainMap
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from numpy.typing import NDArray

FEWEST_ROWS = 20_000
"""Less is quicker computed again; and refits to resamples, which nobody shares, must not pile up (ours)."""

Found = TypeVar("Found")


@dataclass
class _Kept:
    """What is remembered, once it is known; the arrays are kept too: no other may come to lie in their place."""

    arrays: tuple[NDArray[Any], ...]
    computing: threading.RLock = field(default_factory=threading.RLock)
    is_known: bool = False
    value: Any = None


Memory = ChainMap[Hashable, _Kept]

_ADDING = threading.Lock()

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
    with _ADDING:
        kept = memory.get(key)
        if kept is None:
            kept = memory[key] = _Kept(present)
    with kept.computing:
        if not kept.is_known:
            kept.value = compute()
            kept.is_known = True
    return cast(Found, kept.value)


def _place(array: NDArray[Any]) -> Hashable:
    return array.__array_interface__["data"][0], array.shape, array.strides, array.dtype.str
