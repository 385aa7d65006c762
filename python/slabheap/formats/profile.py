"""What a stream of events comes to, by the place that allocated: the figures of heap profiles.

A block belongs to the place where it was allocated, also when it is reallocated, and a reallocation counts as another block of its new
size, as in valgrind's DHAT.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from slabheap.events import Events, Operation, is_allocation
from slabheap.formats.liveness import Changes, LiveBlocks
from slabheap.information import Information

__all__ = ["FIGURES", "PLACE", "Places", "Profile", "frames_of", "size_range"]

#: What tells places apart. `most_bytes` is the upper end of a range of sizes; see `size_range`.
PLACE = np.dtype([("tag", "<u4"), ("thread", "<u4"), ("most_bytes", "<u8")])

#: The figures of a place: bytes and blocks in all, the sum of the blocks' lifetimes in nanoseconds and in events, the most bytes at
#: once and the blocks then, and bytes and blocks when the whole program had the most, and at the end.
FIGURES = np.dtype(
    [
        (name, "<i8")
        for name in (
            *("total_bytes", "total_blocks", "lifetimes", "lifetimes_events"),
            *("max_bytes", "max_blocks", "peak_bytes", "peak_blocks", "end_bytes", "end_blocks"),
        )
    ]
)

_LEAST_RANGE = 16

#: Shape (n,), dtype PLACE.
Places: TypeAlias = npt.NDArray[np.void]


def size_range(sizes: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """The next power of two of each size, at least 16: sizes that share it are of one range, such as 33 to 64 bytes."""
    below = np.maximum(sizes, _LEAST_RANGE).astype(np.uint64) - np.uint64(1)
    for shift in (1, 2, 4, 8, 16, 32):  # every bit below the highest is set, too
        below |= below >> np.uint64(shift)
    return below + np.uint64(1)


def frames_of(information: Information, tag: int, thread: int, most_bytes: int) -> list[str]:
    """The stack that a place is shown as, innermost first. Without a tag, its sizes and its thread stand for it."""
    if tag == 0:
        least = most_bytes // 2 + 1 if most_bytes > _LEAST_RANGE else 0
        return [f"{least:,} to {most_bytes:,} bytes", f"thread {thread}"]
    return information.stack(tag) or [f"tag {tag}"]


class Profile:
    """Adds up the figures of places.

    Args:
        place_of: From allocations, shape (n,), dtype EVENT, to their places; shape (n,), dtype PLACE.

    Attributes:
        places: The places so far; in the order of their first allocation.
        peak_time: When the most bytes were live, for the first time; nanoseconds.
        peak_event: The same as the number of the event.
        peak_bytes: How many they were.
        time: When the last event was.
        live: The blocks that are live.
    """

    def __init__(self, place_of: Callable[[Events], Places]) -> None:
        self._place_of = place_of
        self._indices: dict[tuple[int, int, int], int] = {}
        self.live = LiveBlocks()
        self.peak_bytes = self.peak_time = self.peak_event = self.time = 0
        self._bytes = 0
        self._figures = np.zeros(0, FIGURES)
        self._now = np.zeros((2, 0), np.int64)  # bytes and blocks of each place

    @property
    def places(self) -> list[tuple[int, int, int]]:
        """Tag, thread and upper end of the range of sizes of each place."""
        return list(self._indices)

    def advance(self, events: Events) -> None:
        """Takes further events.

        Raises:
            ValueError: An event refers to a block that is not live, or blocks are not numbered in order; the message names the event.
        """
        begins = is_allocation(events)
        first = self.live.events
        changes = self.live.advance(events, self._indices_of(events[begins]))
        self._add_totals(events, changes, first)
        count = len(self._indices)
        deltas = np.stack([changes.after - changes.before, begins.astype(np.int64) - (events["operation"] == Operation.FREE)])
        running = self._bytes + np.cumsum(deltas[0])
        if running.size and int(running.max()) > self.peak_bytes:
            peak = int(running.argmax())
            self.peak_bytes, self.peak_event, self.peak_time = int(running[peak]), first + peak, int(events["time"][peak])
            for name, now, delta in zip(("peak_bytes", "peak_blocks"), self._now, deltas, strict=True):
                self._figures[name] = now + _sums(changes.key[: peak + 1], delta[: peak + 1], count)
        self._raise_most(changes.key, deltas)
        self._now += np.stack([_sums(changes.key, delta, count) for delta in deltas])
        self._bytes, self.time = int(running[-1]), int(events["time"][-1])

    def _indices_of(self, allocations: Events) -> npt.NDArray[np.int64]:
        """The indices of the places of allocations; places that are new are added."""
        places, inverse = np.unique(self._place_of(allocations), return_inverse=True)
        indices = [self._indices.setdefault(place, len(self._indices)) for place in places.tolist()]
        added = len(self._indices) - self._figures.size
        self._figures = np.concatenate([self._figures, np.zeros(added, FIGURES)])
        self._now = np.concatenate([self._now, np.zeros((2, added), np.int64)], axis=1)
        return np.asarray(indices, np.int64)[inverse.reshape(-1)] if indices else np.zeros(0, np.int64)

    def _add_totals(self, events: Events, changes: Changes, first: int) -> None:
        count = len(self._indices)
        requests = events["operation"] != Operation.FREE
        self._figures["total_bytes"] += _sums(changes.key[requests], changes.after[requests], count)
        self._figures["total_blocks"] += np.bincount(changes.key[requests], minlength=count)
        frees = ~requests
        ends = events["time"][frees].astype(np.int64)
        self._figures["lifetimes"] += _sums(changes.key[frees], ends - changes.born_time[frees], count)
        numbers = first + np.flatnonzero(frees)
        self._figures["lifetimes_events"] += _sums(changes.key[frees], numbers - changes.born[frees], count)

    def _raise_most(self, keys: npt.NDArray[np.int64], deltas: npt.NDArray[np.int64]) -> None:
        """Raises the most bytes of each place to those that it had after any event."""
        order = np.argsort(keys, kind="stable")
        sorted_keys = keys[order]
        starts = np.flatnonzero(np.diff(sorted_keys, prepend=-1))
        places = sorted_keys[starts]
        lengths = np.diff(starts, append=keys.size)
        sums = np.cumsum(deltas[:, order], axis=1)
        before = sums[:, starts] - deltas[:, order][:, starts]
        after = sums - np.repeat(before - self._now[:, places], lengths, axis=1)
        most = np.maximum.reduceat(after[0], starts)
        # The first event that reached it, to tell the blocks then.
        reached = np.flatnonzero(after[0] == np.repeat(most, lengths))
        at = reached[np.searchsorted(reached, starts)]
        is_more = most > self._figures["max_bytes"][places]
        self._figures["max_bytes"][places[is_more]] = most[is_more]
        self._figures["max_blocks"][places[is_more]] = after[1][at[is_more]]

    def figures(self) -> npt.NDArray[np.void]:
        """The figures of each place, shape (n,), dtype FIGURES, as if the program ended now; blocks live until then at the most."""
        figures, count = self._figures.copy(), len(self._indices)
        figures["end_bytes"], figures["end_blocks"] = self._now
        figures["lifetimes"] += _sums(self.live.keys, self.time - self.live.born_time, count)
        figures["lifetimes_events"] += _sums(self.live.keys, self.live.events - self.live.born, count)
        return figures


def _sums(keys: npt.NDArray[np.int64], values: npt.NDArray[np.int64], count: int) -> npt.NDArray[np.int64]:
    """The sum of the values of each key below `count`, exactly."""
    sums = np.zeros(count, np.int64)
    np.add.at(sums, keys, values)
    return sums
