"""The best size classes for a trace: the list that rounds its requests up to the fewest bytes. Native code searches; this counts."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from slabheap import _core
from slabheap.events import Operation, is_allocation
from slabheap.heap import Heap
from slabheap.trace import Trace

__all__ = ["SizeHistogram", "optimise_classes", "rounded_bytes", "rounded_bytes_on", "size_histogram"]

Weight: TypeAlias = Literal["peak", "requests"]

_MOST_CLASSES = 128
_LEAST_BLOCK_BYTES, _MOST_BLOCK_BYTES = 8, 65536
_LEAST_PAGE_BYTES, _MOST_PAGE_BYTES = 512, 65536


@dataclasses.dataclass(frozen=True, eq=False)
class SizeHistogram:
    """How often each size and alignment is asked for, ascending by size, then by alignment: three arrays of shape (n,), int64.

    Attributes:
        sizes: Bytes; what was asked for as 0 counts as 1.
        aligns: Bytes, powers of two.
        counts: Requests, or live blocks.
    """

    sizes: npt.NDArray[np.int64]
    aligns: npt.NDArray[np.int64]
    counts: npt.NDArray[np.int64]

    @property
    def total_bytes(self) -> int:
        """All that is asked for."""
        return int(self.sizes @ self.counts)


def _sizes_at_peak(trace: Trace) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint32]]:
    """Size and alignment of each block that is live when the most bytes are."""
    events = trace.events[: trace.program.peak_event + 1]
    begins = is_allocation(events)
    blocks = int(begins.sum())
    sizes = np.zeros(blocks, np.uint64)
    aligns = events["align"][begins]
    sized = events[events["operation"] != Operation.FREE]
    sizes[sized["block"]] = sized["size"]  # of several for a block, the last one counts
    is_live = np.ones(blocks, np.bool_)
    is_live[events["block"][events["operation"] == Operation.FREE]] = False
    return sizes[is_live], aligns[is_live]


def _sizes_requested(trace: Trace) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint32]]:
    """Size and alignment of each request; a reallocation keeps the alignment of its block."""
    events = trace.events
    aligns = events["align"][is_allocation(events)]
    sized = events[events["operation"] != Operation.FREE]
    return sized["size"], aligns[sized["block"]]


def _round_up(sizes: npt.NDArray[np.int64], steps: npt.NDArray[np.int64] | int) -> npt.NDArray[np.int64]:
    return (sizes + steps - 1) // steps * steps


def size_histogram(trace: Trace, weight: Weight = "peak", *, largest: int = 4096, page_bytes: int = 4096) -> SizeHistogram:
    """What slabs would be asked for.

    Args:
        trace: The trace.
        weight: "peak" counts the blocks that are live when the most bytes are; "requests" counts every request.
        largest: Sizes that are larger when rounded up to their alignment go to whole pages and are left out.
        page_bytes: So are larger alignments: no block of a slab is more aligned than a page.

    Raises:
        ValueError: There is no such weight, or a number is out of range.

    Examples:
        >>> from slabheap import workloads
        >>> trace = workloads.from_lifetimes(1000, workloads.constant(100), workloads.constant(10))
        >>> [column.tolist() for column in vars(size_histogram(trace)).values()]
        [[100], [16], [10]]
        >>> size_histogram(trace, "requests").counts.tolist()
        [1000]
    """
    if weight not in ("peak", "requests"):
        raise ValueError(f'weight must be "peak" or "requests", not {weight!r}')
    if not _LEAST_BLOCK_BYTES <= largest <= _MOST_BLOCK_BYTES:
        raise ValueError(f"largest must be from {_LEAST_BLOCK_BYTES} to {_MOST_BLOCK_BYTES}, as blocks of slabs are, not {largest}")
    if page_bytes.bit_count() != 1 or not _LEAST_PAGE_BYTES <= page_bytes <= _MOST_PAGE_BYTES:
        raise ValueError(f"page_bytes must be a power of two, {_LEAST_PAGE_BYTES} to {_MOST_PAGE_BYTES}, not {page_bytes}")
    all_sizes, all_aligns = _sizes_at_peak(trace) if weight == "peak" else _sizes_requested(trace)
    is_small = (all_sizes <= largest) & (all_aligns <= page_bytes)
    sizes, aligns = np.maximum(all_sizes[is_small], 1).astype(np.int64), all_aligns[is_small].astype(np.int64)
    fits = _round_up(sizes, aligns) <= largest
    # One number for both: numbers sort faster than pairs.
    shifts = np.log2(aligns[fits]).astype(np.int64)
    distinct, counts = np.unique(sizes[fits] << 5 | shifts, return_counts=True)
    return SizeHistogram(distinct >> 5, np.int64(1) << (distinct & 31), counts.astype(np.int64))


def rounded_bytes(histogram: SizeHistogram, classes: Sequence[int], *, page_bytes: int = 4096) -> int:
    """The bytes of all blocks of a histogram in a heap with these classes.

    Each gets the least class that holds it and is a multiple of its alignment; whole pages if there is none.

    Args:
        histogram: What is asked for.
        classes: Block sizes, ascending, one at least.
        page_bytes: Bytes of a page; alignments in the histogram are no larger.

    Examples:
        >>> from slabheap import workloads
        >>> trace = workloads.from_lifetimes(10, workloads.constant(100), workloads.constant(10))
        >>> rounded_bytes(size_histogram(trace), [64, 104, 128])  # blocks of 104 bytes are aligned to 8, not to 16
        1280
        >>> rounded_bytes(size_histogram(trace), [64])
        40960
    """
    bounds = np.asarray(classes, np.int64)
    total = 0
    for align in np.unique(histogram.aligns):
        wants = histogram.aligns == align
        sizes, counts = histogram.sizes[wants], histogram.counts[wants]
        aligned = bounds[bounds % align == 0]
        places = np.searchsorted(aligned, sizes)
        in_pages = places == aligned.size
        blocks = np.where(in_pages, _round_up(sizes, page_bytes), np.append(aligned, 0)[places])
        total += int(blocks @ counts)
    return total


def rounded_bytes_on(heap: Heap, histogram: SizeHistogram) -> int:
    """The bytes of all blocks of a histogram in a heap, as it says itself.

    Examples:
        >>> from slabheap import Heap, workloads
        >>> trace = workloads.from_lifetimes(10, workloads.constant(100), workloads.constant(10))
        >>> with Heap(1 << 24, classes=[64]) as coarse, Heap(1 << 24, classes=[64], page_bytes=1024) as fine:
        ...     rounded_bytes_on(coarse, size_histogram(trace)), rounded_bytes_on(fine, size_histogram(trace))
        (40960, 10240)
    """
    rows = zip(histogram.sizes.tolist(), histogram.aligns.tolist(), histogram.counts.tolist(), strict=True)
    return sum(heap.usable_size(size, align).max * number for size, align, number in rows)


def optimise_classes(trace: Trace, count: int, *, weight: Weight = "peak", largest: int = 4096, page_bytes: int = 4096) -> list[int]:
    """The size classes that round the requests of a trace up to the fewest bytes.

    Exact: among all lists of at most `count` classes, none above `largest`, that serve every request of the histogram, none takes fewer
    bytes. A block is aligned to the largest power of two that divides its size, so a request is served by the least class that
    holds it and is a multiple of its alignment.

    Cost: for requests of one alignment, as those of recorded programs nearly all are, `count` steps for each distinct size: a
    fraction of a second for all sizes up to 65,536. For a few of other alignments among them, a little more; where many alignments
    are as frequent as each other and matter, the search may take long.

    Args:
        trace: The trace.
        count: The most classes, 1 to 128.
        weight: What to count: the blocks that are live at the "peak", or all "requests".
        largest: No class is larger, 8 to 65,536 bytes; what is larger, rounded up to its alignment, goes to whole pages and does not count.
        page_bytes: Bytes of a page of the heap, a power of two, 512 to 65,536; requests of larger alignment go to whole pages, too.

    Returns:
        Block sizes in ascending order, at most `count`, as `Heap` and `replay` take them.

    Raises:
        ValueError: A number is out of range, or the trace asks for nothing that a slab could serve.

    Examples:
        >>> from slabheap import workloads
        >>> trace = workloads.from_lifetimes(1000, workloads.zipf([48, 100, 1000]), workloads.constant(100))
        >>> optimise_classes(trace, 3)
        [48, 112, 1008]
        >>> optimise_classes(trace, 2)
        [112, 1008]
    """
    if not 1 <= count <= _MOST_CLASSES:
        raise ValueError(f"count must be from 1 to {_MOST_CLASSES}, not {count}")
    histogram = size_histogram(trace, weight, largest=largest, page_bytes=page_bytes)
    if histogram.sizes.size == 0:
        raise ValueError(f"the trace has no request of at most {largest} bytes")
    sizes, aligns, counts = (column.astype(np.uint64) for column in (histogram.sizes, histogram.aligns, histogram.counts))
    return [int(size) for size in _core.best_classes(sizes, aligns, counts, count, largest)]
