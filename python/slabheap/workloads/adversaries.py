"""The worst for slabs, and for whatever cannot move blocks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from slabheap.events import EVENT, Operation
from slabheap.heap import Block, Heap
from slabheap.trace import Trace
from slabheap.workloads.distributions import FOREVER, Numbers
from slabheap.workloads.lives import joined, made, trace_of_lives

__all__ = ["doubling_holes", "robson", "robson_bound", "sparse_sets"]


def sparse_sets(sets: int, sizes: Sequence[int], *, set_blocks: int = 64, align: int = 16) -> Trace:
    """The worst for slabs: for each size, sets are filled, and then all but one block of each is freed, which holds the set.

    Args:
        sets: How many sets of each size.
        sizes: Block sizes, in bytes, one after the other.
        set_blocks: Blocks of a set.
        align: The alignment of every request, in bytes, a power of two.

    Raises:
        ValueError: A number is below 0, or `set_blocks` below 1.

    Examples:
        >>> from slabheap import replay
        >>> result = replay(sparse_sets(16, [64, 128]), preset="classic")
        >>> result.stats.used_bytes, result.stats.slab_total_bytes
        (3072, 196608)
    """
    if sets < 0 or set_blocks < 1 or any(size < 0 for size in sizes):
        raise ValueError(f"sets and sizes must not be below 0, and set_blocks not below 1: {sets}, {list(sizes)}, {set_blocks}")
    births: list[Numbers] = []
    deaths: list[Numbers] = []
    drawn: list[Numbers] = []
    tick = 0
    for size in sizes:
        count = sets * set_blocks
        born = np.arange(tick, tick + count, dtype=np.int64)
        tick += count
        births.append(born)
        deaths.append(np.where(np.arange(count) % set_blocks == 0, FOREVER, tick))
        drawn.append(np.full(count, size, np.int64))
    name = f"sparse_sets({sets}, {list(sizes)}, set_blocks={set_blocks})"
    return trace_of_lives(name, joined(births), joined(deaths), joined(drawn), align=align)


def doubling_holes(live_bytes: int, smallest: int = 16, doublings: int = 8, align: int = 16) -> Trace:
    """Holes that are too small: blocks of one size fill `live_bytes`, every other one is freed, then come blocks of twice the size.

    It knows no addresses, and so is the same whatever it is replayed on; `robson` is worse.

    Args:
        live_bytes: The most bytes that are live.
        smallest: The first size, in bytes, 1 or more.
        doublings: How many times the size is doubled.
        align: The alignment of every request, in bytes, a power of two.

    Raises:
        ValueError: A number is out of range.

    Examples:
        >>> trace = doubling_holes(1 << 20, 4096, 4)
        >>> trace.peak_requested_bytes, sorted(set(trace.request_sizes.tolist()))
        (1048576, [4096, 8192, 16384, 32768, 65536])
    """
    _check(live_bytes, smallest, doublings)
    births: list[int] = []
    deaths: list[int] = []
    drawn: list[int] = []
    live: list[int] = []
    used = 0
    for size in (smallest << step for step in range(doublings + 1)):
        for block in live[1::2]:
            deaths[block] = len(births)
            used -= drawn[block]
        live = live[::2]
        while used + size <= live_bytes:
            live.append(len(births))
            births.append(len(births))
            deaths.append(FOREVER)
            drawn.append(size)
            used += size
    name = f"doubling_holes({live_bytes}, {smallest}, {doublings})"
    return trace_of_lives(name, np.array(births, np.int64), np.array(deaths, np.int64), np.array(drawn, np.int64), align=align)


def _check(live_bytes: int, smallest: int, doublings: int) -> None:
    if live_bytes < 0 or smallest < 1 or doublings < 0:
        raise ValueError(
            f"live_bytes and doublings must not be below 0, nor the smallest size below 1: {live_bytes}, {smallest}, {doublings}"
        )


def robson_bound(live_bytes: int, unit: int = 4096, doublings: int = 6) -> int:
    """The bytes without which no allocator that leaves blocks where they are can serve `robson`, however it places them.

    With M units live at once and n = 2 ** doublings units in the largest block, M * (doublings / 2 + 1) - n + 1 units.

    Source: J. M. Robson, "An estimate of the store size necessary for dynamic storage allocation", Journal of the ACM 18(3), 1971,
    and "Bounds for some functions concerning dynamic storage allocation", Journal of the ACM 21(3), 1974.

    Args:
        live_bytes: The most bytes that are live; a multiple of the largest size, `unit << doublings`.
        unit: The smallest size, in bytes.
        doublings: How many times the size is doubled.

    Raises:
        ValueError: A number is out of range, or `live_bytes` is no such multiple.

    Examples:
        >>> robson_bound(64 * 4096, 4096, 6) // 4096  # to have 64 pages live, in blocks of 1 to 64 pages, takes 193 pages
        193
    """
    _check(live_bytes, unit, doublings)
    if live_bytes % (unit << doublings):
        raise ValueError(f"live_bytes must be a multiple of the largest size, {unit << doublings}, not {live_bytes}")
    units = live_bytes // unit
    return unit * (units + units * doublings // 2 - (1 << doublings) + 1)


class _Play:
    """A program that plays against a heap: it sees where its blocks are, and what it does becomes a trace."""

    def __init__(self, heap: Heap, align: int) -> None:
        self._heap = heap
        self._align = align
        self._happened: list[tuple[int, int, int]] = []
        self._count = 0
        self.blocks: dict[int, Block] = {}

    def allocate(self, size: int) -> None:
        """A block; raises MemoryError, as the heap does, but the request has happened."""
        self._happened.append((Operation.ALLOCATE, self._count, size))
        self._count += 1
        self.blocks[self._count - 1] = self._heap.allocate(size, self._align)

    def free(self, number: int) -> None:
        """Frees a block."""
        self._happened.append((Operation.FREE, number, 0))
        self._heap.deallocate(self.blocks.pop(number))

    def trace(self, name: str) -> Trace:
        """What happened."""
        events = np.zeros(len(self._happened), EVENT)
        events["operation"], events["block"], events["size"] = np.array(self._happened, np.uint64).reshape(-1, 3).T
        events["align"] = np.where(events["operation"] == Operation.ALLOCATE, self._align, 1)
        return made(name, events)


def _waste_at(blocks: dict[int, Block], offset: int, size: int) -> dict[int, int]:
    """Of blocks that have a byte at an address that is `offset` modulo `size`: the bytes that they keep a block of that size from."""
    return {number: size - block.size for number, block in blocks.items() if (offset - block.address) % size < block.size}


def robson(live_bytes: int, unit: int = 4096, doublings: int = 6, *, bytes: int | None = None, align: int = 16, **options: Any) -> Trace:  # noqa: A002
    """Robson's bad program, played against a heap: no allocator that leaves blocks where they are serves it in fewer than `robson_bound`.

    Blocks of one unit fill `live_bytes`. Then, for each doubled size, the program picks an offset, the old one or the one half a size
    on, whichever more bytes would be wasted at; frees every block that has no byte at an address of that offset modulo the
    size; and fills `live_bytes` again with blocks of the new size, none of which can lie where a block was left.

    What it frees depends on where blocks are, so the trace is the worst for the heap with these options, and for that of the same
    `bytes`; on others it is a program with holes like any. The program ends early if the heap has no memory left.

    Source: as `robson_bound`.

    Args:
        live_bytes: The most bytes that are live.
        unit: The first size, in bytes: that of a page plays against the page layer, a smaller one against slabs, too.
        doublings: How many times the size is doubled.
        bytes: The bytes of the heap; eight times `live_bytes`, and a MiB, unless given.
        align: The alignment of every request, in bytes, a power of two.
        **options: Those of `Heap`.

    Raises:
        ValueError: A number, or an option, is out of range.

    Examples:
        >>> trace = robson(1 << 20, pages="best_fit")
        >>> trace.peak_requested_bytes == 1 << 20
        True
        >>> from slabheap import replay
        >>> result = replay(trace, pages="best_fit", bytes=9 << 20)
        >>> result.peak_held_bytes > 1.5 * result.peak_requested_bytes
        True
    """
    _check(live_bytes, unit, doublings)
    heap_bytes = (8 * live_bytes + (1 << 20)) if bytes is None else bytes
    with Heap(heap_bytes, **options) as heap:
        play = _Play(heap, align)
        offset = live = 0
        try:
            for size in (unit << step for step in range(doublings + 1)):
                offset, left = max(
                    ((start, _waste_at(play.blocks, start, size)) for start in (offset, offset + size // 2)),
                    key=lambda choice: sum(choice[1].values()),
                )
                for number in [number for number in play.blocks if number not in left]:
                    live -= play.blocks[number].size
                    play.free(number)
                while live + size <= live_bytes:
                    play.allocate(size)
                    live += size
        except MemoryError:
            pass
        shown = "".join(f", {name}={value!r}" for name, value in options.items())
        return play.trace(f"robson({live_bytes}, {unit}, {doublings}, bytes={heap_bytes}{shown})")
