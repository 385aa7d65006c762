"""Events: what one call of a program did to one block."""

from __future__ import annotations

import enum
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from slabheap import _core

__all__ = ["EVENT", "MOST_BYTES", "Events", "Operation", "as_events", "expect_sizes", "is_allocation", "renumber"]

#: No request is larger: sums of sizes stay far from wrapping around. Whatever compiles a trace for replay refuses it, too.
MOST_BYTES = 1 << 62


class Operation(enum.IntEnum):
    """What an event does."""

    ALLOCATE = 0
    ALLOCATE_ZEROED = 1
    REALLOCATE = 2
    FREE = 3


#: The dtype of an event. `time` is in nanoseconds since the trace began and never goes back. Blocks are numbered from 0 in order of
#: their allocation, and a number is never used again; a reallocation keeps it. `size` is what was asked for, in bytes; 0 for a free.
#: `align` is a power of two; 1 for a free, and for a reallocation, which keeps the block's. Threads are numbered from 0. `tag` is
#: whatever who made the trace wants to remember.
EVENT = np.dtype(
    {
        "names": ["time", "block", "size", "align", "thread", "tag", "operation"],
        "formats": ["<u8", "<u8", "<u8", "<u4", "<u4", "<u4", "u1"],
        "offsets": [0, 8, 16, 24, 28, 32, 36],
        "itemsize": 40,
    }
)
if _core.event_dtype != EVENT:  # pragma: no cover
    raise ImportError("the native module has another idea of an event; install slabheap anew")

#: A one-dimensional array of dtype EVENT.
Events: TypeAlias = npt.NDArray[np.void]


def as_events(array: npt.ArrayLike) -> Events:
    """The array as events, without a copy if it has the very layout of EVENT.

    Raises:
        ValueError: It is not one-dimensional, or has other fields.
    """
    events = np.asarray(array)
    if events.dtype.names != EVENT.names or events.ndim != 1:
        raise ValueError("events must be a one-dimensional array with the fields of slabheap.EVENT")
    return np.ascontiguousarray(events, dtype=EVENT)  # NumPy drops the padding when it joins arrays


def is_allocation(events: Events) -> npt.NDArray[np.bool_]:
    """Which of the events begin a block; shape (n,), bool."""
    return np.asarray(events["operation"] <= Operation.ALLOCATE_ZEROED)


def expect_sizes(events: Events) -> None:
    """Raises ValueError if an event asks for more bytes than any."""
    sizes = events["size"][events["operation"] != Operation.FREE]
    if sizes.size and sizes.max() > MOST_BYTES:
        raise ValueError(f"a request of {sizes.max()} bytes is larger than any")


def renumber(events: Events) -> Events:
    """A copy in which blocks have the numbers that a trace wants: from 0, in order of their allocation.

    A number may have been used again after its block was freed.

    Raises:
        ValueError: An event refers to a block that is not live, or allocates one that is; the message names the event.
    """
    return _core.BlockNumbering().number(as_events(events))
