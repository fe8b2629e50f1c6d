"""How many before each number in a row are larger: the inversions of a sequence, counted exactly.

A resample of some thousand persons is counted by the hundred, a cohort of a million once or twice.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]

MANY = 2**15
"""More numbers are counted bit by bit (ours): the tables of blocks grow with the square of their number."""

BLOCK = 64
"""Places that are compared with one another, each with all: as many as a word has bits."""


def larger_before(numbers: Integers, size: int) -> Integers:
    """For each number, over the places where it stands, how many before it are larger; (size,).

    Args:
        numbers: 0 to size - 1, (places,).
        size: how many numbers there may be; at most twice as many as places.
    """
    return _block_by_block(numbers, size) if len(numbers) <= MANY else _bit_by_bit(numbers, size)


def _block_by_block(numbers: Integers, size: int) -> Integers:
    """Of some thousand.

    Numbers become ranks, equal ones in the order of their places, so that none is before a smaller one of its equals.
    Places and ranks are cut into blocks. A larger number before a place is in an earlier block of places and a later
    block of ranks (counted from a table of both), in the same block of places, or in the same block of ranks: the last
    two are compared one by one, 64 at a time.
    """
    count = len(numbers)
    blocks = -(-count // BLOCK)
    by_rank = np.argsort(numbers.astype(np.uint16), kind="stable")
    # The last block is filled up with places that come last and ranks that are highest: they count for nobody.
    place = np.arange(blocks * BLOCK, dtype=np.uint16)
    rank = place.copy()
    rank[by_rank] = place[:count]
    place[:count] = by_rank

    ranks = rank.reshape(blocks, BLOCK)
    found = _counted(ranks[:, None, :] > ranks[:, :, None], BEFORE)[:count].astype(np.int64)
    blocks_of_places = (place // BLOCK).reshape(blocks, BLOCK)
    earlier = _counted(blocks_of_places[:, None, :] < blocks_of_places[:, :, None], AFTER)
    found += earlier[rank[:count]]

    of_place, of_rank = np.arange(count) // BLOCK, rank[:count] // BLOCK
    table = np.zeros((blocks + 1, blocks + 1), dtype=np.int64)
    table[1:, :-1] = np.bincount(of_place * blocks + of_rank, minlength=blocks**2).reshape(blocks, blocks)
    np.cumsum(table, axis=0, out=table)
    found += np.cumsum(table[:, ::-1], axis=1)[:, ::-1][of_place, of_rank + 1]
    return np.bincount(numbers, weights=found, minlength=size).astype(np.int64)


def _words(mask: NDArray[np.bool_]) -> NDArray[np.uint64]:
    """Rows of 64 as the bits of a word."""
    return np.packbits(np.ascontiguousarray(mask).reshape(-1, BLOCK), axis=1).view(np.uint64)[:, 0]


BEFORE, AFTER = _words(np.tri(BLOCK, k=-1, dtype=bool)), _words(np.tri(BLOCK, k=-1, dtype=bool).T)
"""For each place of a block the places before it, and those after it."""


def _counted(mask: NDArray[np.bool_], among: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """For each place how many of its block are marked, among those that count for it; (places,)."""
    return np.bitwise_count(_words(mask).reshape(-1, BLOCK) & among).ravel()


def _bit_by_bit(ends: Integers, size: int) -> Integers:
    """Of very many.

    Bit by bit of the number, the highest first, as a wavelet matrix would be built (Claude and Navarro 2012): within a
    group of equal higher bits, every 1 that stands before a 0 is such a pair. O(n log size).
    """
    bits = (size - 1).bit_length()
    ends = ends.astype(np.uint16 if bits <= 16 else np.uint32)
    having = np.bincount(ends, minlength=size)
    number = np.arange(size)
    group_start = np.zeros(size, dtype=np.int64)
    found = np.zeros(size)
    for bit in reversed(range(bits)):
        is_one = (ends >> bit & 1).astype(bool)
        ones_before = np.zeros(len(ends) + 1, dtype=np.int64)
        np.cumsum(is_one, out=ones_before[1:])
        zeros = ~is_one
        of_zeros = ends[zeros]
        found += np.bincount(of_zeros, weights=ones_before[1:][zeros], minlength=size)
        ones_at_start = ones_before[group_start]
        has_one = (number >> bit & 1).astype(bool)
        found -= np.where(has_one, 0, having * ones_at_start)
        group_start = np.where(has_one, len(of_zeros) + ones_at_start, group_start - ones_at_start)
        ends = np.concatenate([of_zeros, ends[is_one]])
    return found.astype(np.int64)
