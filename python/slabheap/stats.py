"""Figures of a heap: all of it, each size class, and what a request would get."""

from __future__ import annotations

import dataclasses

from slabheap.markup import card
from slabheap.texts import bytes_text

__all__ = ["ClassStats", "Stats", "UsableSize"]


def _figure_text(name: str, value: int) -> str:
    return f"{value:,} ({bytes_text(value)})" if name.endswith("_bytes") and value >= 1024 else f"{value:,}"


@dataclasses.dataclass(frozen=True)
class Stats:
    """What a heap holds, in bytes and counts.

    At every moment total = slab total + buddy total, used = slab used + buddy used and available = total - used; total, metadata
    and the edges that no page fits into are the bytes given.

    Attributes:
        total_bytes: All pages of all regions.
        used_bytes: Live blocks, each counted as what it holds, not as what was asked for.
        available_bytes: `total_bytes` - `used_bytes`, wherever they lie.
        slab_total_bytes: Pages lent to slabs.
        slab_used_bytes: Live blocks of slabs.
        buddy_total_bytes: Pages that the page layer, buddy or best fit, has not lent to slabs.
        buddy_used_bytes: Live large blocks.
        metadata_bytes: What the heap needs for itself.
        used_metadata_bytes: The part of it that belongs to pages handed out so far and to those passed over between them, or to the heap
            as a whole.
        peak_page_bytes: The most bytes of pages that were in use at once.
        largest_free_bytes: The longest run of pages that one request is sure to get: one at an alignment up to a page succeeds if its
            block would hold no more (`Heap.usable_size`). Sets that are kept back empty and kept runs count as free. With the buddy it is
            a power of two of pages, aligned to its length, and so may be shorter than the longest free run that `Heap.runs` shows. Best
            fit files free runs by their length, four bins to a doubling, and compares eight of a bin at the most: of a bin that has more,
            this figure may pass over a longer one. A larger request gets that one, perhaps, or a free block of a set.
        region_count: Regions.
        live_blocks: Blocks allocated and not freed.
        allocations: Blocks handed out so far.
        deallocations: Blocks taken back so far.
        failed_allocations: Requests that failed for want of memory.
        rejected_frees: Frees and reallocations that were refused.
    """

    total_bytes: int
    used_bytes: int
    available_bytes: int
    slab_total_bytes: int
    slab_used_bytes: int
    buddy_total_bytes: int
    buddy_used_bytes: int
    metadata_bytes: int
    used_metadata_bytes: int
    peak_page_bytes: int
    largest_free_bytes: int
    region_count: int
    live_blocks: int
    allocations: int
    deallocations: int
    failed_allocations: int
    rejected_frees: int

    def __repr__(self) -> str:
        """Every figure in a line of its own, as a call that makes the same."""
        lines = (f"    {field.name}={getattr(self, field.name):_},\n" for field in dataclasses.fields(self))
        return f"Stats(\n{''.join(lines)})"

    def _repr_html_(self) -> str:
        """A table for Jupyter."""
        figures = [(field.name, getattr(self, field.name)) for field in dataclasses.fields(self)]
        return card("Stats", [(name.replace("_", " "), _figure_text(name, value)) for name, value in figures])


@dataclasses.dataclass(frozen=True)
class ClassStats:
    """What one size class holds.

    Attributes:
        block_size: Bytes of a block.
        total_blocks: Blocks in all sets.
        used_blocks: Live blocks.
        sets: Sets.
        partial_sets: Sets with a used and a free block.
        allocations: Blocks handed out so far.
        deallocations: Blocks taken back so far.
    """

    block_size: int
    total_blocks: int
    used_blocks: int
    sets: int
    partial_sets: int
    allocations: int
    deallocations: int


@dataclasses.dataclass(frozen=True)
class UsableSize:
    """What a request asks for (`min`) and what its block would hold (`max`), in bytes."""

    min: int
    max: int
