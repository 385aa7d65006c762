"""From the lives of blocks to a trace."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from slabheap.events import EVENT, Events, Operation
from slabheap.trace import Information, Trace
from slabheap.workloads.distributions import FOREVER, Numbers

__all__ = ["deaths_after", "joined", "made", "trace_of_lives"]

_NANOSECONDS_PER_EVENT = 1000


def made(name: str, events: Events) -> Trace:
    """A trace of events, a microsecond apart, that the call `name` made."""
    events["time"] = np.arange(events.size, dtype=np.uint64) * np.uint64(_NANOSECONDS_PER_EVENT)
    return Trace(events, Information(source="workload", command=[name]))


def trace_of_lives(
    name: str, births: Numbers, deaths: Numbers, sizes: Numbers, *, align: int | Numbers = 16, freeing_thread: int = 0
) -> Trace:
    """The trace of blocks that are born and die at given ticks; of one tick, frees come first. FOREVER is never."""
    dying = np.flatnonzero(deaths != FOREVER)
    order = np.argsort(births, kind="stable")
    numbers = np.empty(order.size, np.int64)
    numbers[order] = np.arange(order.size)
    events = np.zeros(births.size + dying.size, EVENT)
    begins, ends = events[: births.size], events[births.size :]
    begins["block"], begins["size"], begins["align"] = numbers, sizes, align
    ends["block"], ends["operation"], ends["align"], ends["thread"] = numbers[dying], Operation.FREE, 1, freeing_thread
    # A block that dies in the tick of its birth dies behind it.
    is_late = np.concatenate([np.ones(births.size, np.int8), np.where(deaths[dying] <= births[dying], 2, 0).astype(np.int8)])
    ticks = np.concatenate([births, np.maximum(deaths[dying], births[dying])])
    sequence = np.concatenate([numbers, numbers[dying]])
    return made(name, events[np.lexsort((sequence, is_late, ticks))])


def deaths_after(births: Numbers, lifetimes: Numbers) -> Numbers:
    """When blocks of these lifetimes die."""
    return np.where(lifetimes >= FOREVER - births, FOREVER, births + np.minimum(lifetimes, FOREVER - births))


def joined(parts: Sequence[Numbers]) -> Numbers:
    """One array of all parts; there may be none."""
    return np.concatenate([np.zeros(0, np.int64), *parts])
