"""Where pieces of work that need nothing of each other are done: here, one by one, or wherever a mapper sends them.

    with mapping_by(mapper):
        ...  # resamples, refits and subgroups, however deep inside, are handed to it

A piece's result depends on nothing else: whoever does it finds the same to the bit, and results come back in the order
of the pieces.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol, TypeVar

Piece = TypeVar("Piece")
Found = TypeVar("Found")


class Mapper(Protocol):
    """Does pieces of work."""

    def __call__(self, work: Callable[[Any], Any], pieces: Sequence[Any], size: int, /) -> list[Any]:
        """`work` of each piece, in their order; `size` is how much work all are, in rows that are gone through."""
        ...

    def side_by_side(self, works: Sequence[Callable[[], Any]], /) -> list[Any]:
        """What each of several larger works finds, in their order; they read what this process holds."""
        ...

    def in_threads(self, works: Sequence[Callable[[], Any]], size: int, /) -> list[Any]:
        """The same of works that find too much to be sent; `size` as above."""
        ...


class OneAfterTheOther:
    """Does everything here, in one thread."""

    def __call__(self, work: Callable[[Any], Any], pieces: Sequence[Any], size: int, /) -> list[Any]:
        """`work` of each piece, in their order."""
        return [work(piece) for piece in pieces]

    def side_by_side(self, works: Sequence[Callable[[], Any]], /) -> list[Any]:
        """What each work finds, in their order."""
        return [work() for work in works]

    def in_threads(self, works: Sequence[Callable[[], Any]], size: int, /) -> list[Any]:
        """What each work finds, in their order."""
        return self.side_by_side(works)


one_after_the_other = OneAfterTheOther()
"""The mapper where no other is named."""

_MAPPER: ContextVar[Mapper] = ContextVar("who does pieces of work", default=one_after_the_other)


@contextmanager
def mapping_by(mapper: Mapper) -> Iterator[None]:
    """Hand the work of the block to a mapper."""
    token = _MAPPER.set(mapper)
    try:
        yield
    finally:
        _MAPPER.reset(token)


def mapped(work: Callable[[Piece], Found], pieces: Sequence[Piece], *, size: int) -> list[Found]:
    """`work` of each piece, in the order of the pieces.

    Args:
        work: depends on its piece alone, and can be sent elsewhere with all it holds.
        pieces: what it is done with.
        size: how much work all of it is, in rows that are gone through; a mapper sends little nowhere.
    """
    return _MAPPER.get()(work, pieces, size)


def side_by_side(works: Sequence[Callable[[], Found]]) -> list[Found]:
    """What each of several larger works finds, in their order.

    Args:
        works: best the longest first. They may read whatever this process holds and are not sent away with it: they are
            done here, or in copies of this process. What they find must be small beside it.
    """
    return _MAPPER.get().side_by_side(works)


def in_threads(works: Sequence[Callable[[], Found]], *, size: int) -> list[Found]:
    """What each of several works finds, in their order, where it is too large to be sent: they stay in this process.

    Args:
        works: most of their time is spent in compiled code. They may share what they remember, and nothing else.
        size: how much work all of them are, in rows that are gone through.
    """
    return _MAPPER.get().in_threads(works, size)


def mapped_in_chunks(work: Callable[[Piece], Found], pieces: Sequence[Piece], *, size: int) -> list[Found]:
    """As `mapped`, for pieces so small that sending each by itself would cost more than doing it."""
    chunks = [pieces[start : start + CHUNK] for start in range(0, len(pieces), CHUNK)]
    return [found for some in mapped(_Each(work), chunks, size=size) for found in some]


CHUNK = 25
"""Pieces that are sent together."""

REFIT = 3
"""What refitting a model to a row costs, in rows that are gone through (ours; a concordance costs 1)."""


class _Each:
    def __init__(self, work: Callable[[Any], Any]) -> None:
        self.work = work

    def __call__(self, pieces: Sequence[Any]) -> list[Any]:
        return [self.work(piece) for piece in pieces]
