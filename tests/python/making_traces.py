"""Small traces for tests, and strategies that make them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st

from slabheap import EVENT, Information, Operation, Trace
from slabheap.events import Events
from slabheap.information import Site

ALLOCATE, ZEROED, REALLOCATE, FREE = Operation

#: What happens to a block: operation, number of the block, size, and alignment.
Happening = tuple[Operation, int, int, int]


def events_of(happenings: Iterable[Sequence[int]]) -> Events:
    """Events a microsecond apart; each (operation, block), (…, size) or (…, size, alignment)."""
    given = list(happenings)
    events = np.zeros(len(given), EVENT)
    events["align"] = 1
    for index, (operation, block, *rest) in enumerate(given):
        size, align = (*rest, *(0, 8)[len(rest) :])
        events[index] = (1000 * index, block, size, align if operation < REALLOCATE else 1, 0, 0, operation)
    return events


def trace_of(*happenings: Sequence[int]) -> Trace:
    """A trace of events a microsecond apart."""
    return Trace(events_of(happenings))


def is_same(one: Trace, other: Trace) -> bool:
    """Whether two traces have the same events and come from the same place."""
    return np.array_equal(one.events, other.events) and one.information == other.information


@st.composite
def event_arrays(draw: st.DrawFn, most: int = 200) -> Events:
    """Events that make sense: blocks live from an allocation to a free."""
    events: list[tuple[Any, ...]] = []
    live: list[int] = []
    blocks = time = 0
    for choice in draw(st.lists(st.integers(0, 9), max_size=most)):
        time += draw(st.sampled_from([0, 1, 255, 70_000, 1 << 33]))
        thread, tag = draw(st.sampled_from([(0, 0), (1, 0), (300, 7), (0xFFFF_FFFF, 0xFFFF_FFFF)]))
        size = draw(st.one_of(st.integers(0, 300), st.sampled_from([65_535, 65_536, 1 << 33])))
        if choice < 5 or not live:
            align = 1 << draw(st.integers(0, 31))
            events.append((time, blocks, size, align, thread, tag, ALLOCATE if choice else ZEROED))
            live.append(blocks)
            blocks += 1
        elif choice < 7:
            events.append((time, live[choice % len(live)], size, 1, thread, tag, REALLOCATE))
        else:
            events.append((time, live.pop(draw(st.integers(0, len(live) - 1))), 0, 1, thread, tag, FREE))
    return np.array(events, EVENT)


def random_trace(seed: int, count: int, largest: int = 5000, align: int = 8) -> Trace:
    """A trace of random events, the same for the same arguments."""
    randomness = np.random.default_rng(seed)
    happenings: list[Sequence[int]] = []
    live: list[int] = []
    blocks = 0
    for choice in randomness.random(count):
        size = int(largest ** randomness.random())
        if choice < 0.5 or not live:
            happenings.append((ALLOCATE if choice < 0.45 else ZEROED, blocks, size, align))
            live.append(blocks)
            blocks += 1
        elif choice < 0.6:
            happenings.append((REALLOCATE, live[int(randomness.integers(len(live)))], size))
        else:
            happenings.append((FREE, live.pop(int(randomness.integers(len(live))))))
    return Trace(events_of(happenings))


#: Sites with and without callers, places, and letters of all kinds; and all else that may be known.
SITES = {1: Site("main (app.c:9)"), 2: Site("parse (json.c:71)", 1), 3: Site("lib.so+0x10"), 7: Site('odd "name"; \udcff ü', 2)}
INFORMATION = Information("recorder", ["./app", "a b"], 71, 3, 2, 1, SITES)


def tagged(events: Events) -> Trace:
    """A trace of events some of which have tags, with and without names."""
    events = events.copy()
    events["tag"] = np.arange(events.size) * 7 % 9
    return Trace(events, Information(**vars(INFORMATION)))
