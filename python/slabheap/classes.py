"""The best size classes for a trace.

The bytes that rounding up wastes depend on the classes alone, so the best list is a shortest path over the sizes that occur: the
k-th class ends at one of them, and what lies between two classes is rounded up to the upper. The cost of a step is the upper size times the
requests below it, so the steps from one class to the next are lines in the size, and the lower envelope of the lines gives the best of
them in constant time each (the convex hull trick): count times sizes steps in all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from slabheap.events import Operation, is_allocation
from slabheap.trace import Trace

__all__ = ["optimise_classes", "rounded_bytes", "size_histogram"]

Weight: TypeAlias = Literal["peak", "requests"]

_MOST_CLASSES = 128
_LEAST_BLOCK_BYTES = 8
_Histogram: TypeAlias = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]


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


def size_histogram(trace: Trace, weight: Weight = "peak", largest: int = 4096) -> _Histogram:
    """What slabs would be asked for.

    Args:
        trace: The trace.
        weight: "peak" counts the blocks that are live when the most bytes are; "requests" counts every request.
        largest: Larger sizes and alignments go to whole pages and are left out.

    Returns:
        The distinct sizes in ascending order, each rounded up to a multiple of its alignment, and how often each occurs: two arrays of
        shape (n,), int64.
    """
    if weight not in ("peak", "requests"):
        raise ValueError(f'weight must be "peak" or "requests", not {weight!r}')
    sizes, aligns = _sizes_at_peak(trace) if weight == "peak" else _sizes_requested(trace)
    steps = aligns.astype(np.int64)
    rounded = (np.maximum(sizes, 1).astype(np.int64) + steps - 1) // steps * steps
    distinct, counts = np.unique(rounded[rounded <= largest], return_counts=True)
    return distinct, counts.astype(np.int64)


def rounded_bytes(histogram: _Histogram, classes: Sequence[int]) -> int:
    """The bytes of all blocks of a histogram, each rounded up to its class; sizes above the last class are left out."""
    sizes, counts = histogram
    bounds = np.asarray(classes, np.int64)
    fitting = sizes <= bounds[-1]
    return int((bounds[np.searchsorted(bounds, sizes[fitting])] * counts[fitting]).sum())


def _best_ends(sizes: Sequence[int], below: Sequence[int], count: int) -> list[int]:
    """Where the classes of the best list end: indices of sizes. `below[i]` is the weight of the sizes up to the i-th."""
    best = [size * weight for size, weight in zip(sizes, below, strict=True)]
    origins: list[list[int]] = []
    for _ in range(count - 1):
        # A class that starts behind i costs best[i] - sizes[j] * below[i] up to j, plus what depends on j alone: a line in sizes[j].
        hull: list[int] = []
        start = 0
        chosen, costs = [-1] * len(sizes), list(best)
        for j, size in enumerate(sizes):
            while start + 1 < len(hull) and _line(best, below, hull[start + 1], size) <= _line(best, below, hull[start], size):
                start += 1
            if start < len(hull):
                cost = size * below[j] + _line(best, below, hull[start], size)
                if cost < costs[j]:
                    chosen[j], costs[j] = hull[start], cost
            while len(hull) - start >= 2 and _is_hidden(best, below, hull[-2], hull[-1], j):
                hull.pop()
            hull.append(j)
        origins.append(chosen)
        best = costs
    ends = [len(sizes) - 1]
    for chosen in reversed(origins):
        if chosen[ends[-1]] >= 0:
            ends.append(chosen[ends[-1]])
    return ends[::-1]


def _line(best: Sequence[int], below: Sequence[int], i: int, size: int) -> int:
    return best[i] - size * below[i]


def _is_hidden(best: Sequence[int], below: Sequence[int], a: int, b: int, c: int) -> bool:
    """Whether line b is nowhere below both a and c; slopes -below descend from a to c."""
    return (best[c] - best[a]) * (below[b] - below[a]) <= (best[b] - best[a]) * (below[c] - below[a])


def optimise_classes(trace: Trace, count: int, *, weight: Weight = "peak", largest: int = 4096) -> list[int]:
    """The size classes that round the requests of a trace up to the fewest bytes.

    Exact if all requests have the same alignment, as those of recorded programs nearly all have: no list of as many classes gives fewer
    bytes. A request of a larger alignment may find its class not aligned enough, and then goes to the next.

    Args:
        trace: The trace.
        count: The most classes, 1 to 128.
        weight: What to count: the blocks that are live at the "peak", or all "requests".
        largest: The last class ends here, or at the largest size below it that occurs; what is larger goes to whole pages.

    Returns:
        Block sizes in ascending order, at most `count`, as `Heap` and `replay` take them.

    Raises:
        ValueError: The count is out of range, or the trace asks for nothing that a slab could serve.

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
    sizes, counts = size_histogram(trace, weight, largest)
    if sizes.size == 0:
        raise ValueError(f"the trace has no request of at most {largest} bytes")
    sizes = np.maximum(sizes, _LEAST_BLOCK_BYTES)
    ends = _best_ends(sizes.tolist(), np.cumsum(counts).tolist(), count)
    return sorted({int(sizes[end]) for end in ends})
