"""What the events of a stream do to the bytes of blocks: the blocks that are live are kept from one chunk to the next, and no others."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from slabheap.events import MOST_BYTES, Events, Operation, is_allocation

__all__ = ["Changes", "LiveBlocks"]

_Ints: TypeAlias = npt.NDArray[np.int64]


class Changes(NamedTuple):
    """What each event of a chunk did; arrays of shape (n,), int64.

    Attributes:
        before: Bytes of its block before it; 0 before an allocation.
        after: Bytes of its block after it; 0 after a free.
        key: What was given as the block's key when it was allocated.
        born: When the block was allocated: the number of the event, from the first of the stream.
        born_time: The same in nanoseconds of the trace.
    """

    before: _Ints
    after: _Ints
    key: _Ints
    born: _Ints
    born_time: _Ints


class LiveBlocks:
    """The live blocks of a stream of events, in order of their numbers.

    Attributes:
        events: How many events there have been.
        sizes: The bytes of each live block; int64.
        keys: Their keys; int64.
        born: The numbers of the events that allocated them; int64.
        born_time: The same in nanoseconds; int64.
    """

    def __init__(self) -> None:
        self.events = 0
        self._next_block = 0
        self._numbers = np.zeros(0, np.int64)
        self.sizes = self.keys = self.born = self.born_time = self._numbers

    def advance(self, events: Events, keys: _Ints) -> Changes:
        """Takes further events.

        Args:
            events: Shape (n,), dtype EVENT.
            keys: For each allocation among them, in order, a number to remember its block by; int64.

        Raises:
            ValueError: An event refers to a block that is not live, or asks for too many bytes, or blocks are not numbered in order; the
                message names the event.
        """
        begins, frees = is_allocation(events), events["operation"] == Operation.FREE
        self._expect((events["size"] > MOST_BYTES) & ~frees, events, f"is larger than any: {MOST_BYTES} bytes are the most")
        blocks, after = events["block"].astype(np.int64), np.where(frees, 0, events["size"].astype(np.int64))
        old = self._numbers.size
        rows = self._append(events, begins, blocks, keys)
        # Events of a block stand beside each other, in order; what one leaves is what the next finds.
        order = np.argsort(rows, kind="stable")
        sorted_rows = rows[order]
        is_first = np.ones(events.size, np.bool_)
        is_first[1:] = sorted_rows[1:] != sorted_rows[:-1]
        is_dead = np.where(is_first, (sorted_rows >= old) & ~begins[order], np.roll(frees[order], 1))
        self._expect(is_dead[np.argsort(order)], events, "is not live")
        before = np.empty_like(after)
        before[order] = np.where(is_first, self.sizes[sorted_rows], np.roll(after[order], 1))
        changes = Changes(before, after, self.keys[rows], self.born[rows], self.born_time[rows])
        is_last = np.roll(is_first, -1)
        self.sizes[sorted_rows[is_last]] = after[order[is_last]]
        self._remove(rows[frees])
        self.events += events.size
        return changes

    def _append(self, events: Events, begins: npt.NDArray[np.bool_], blocks: _Ints, keys: _Ints) -> _Ints:
        """Adds the blocks that are allocated, as yet of no bytes, and finds the row of each event's block."""
        new = np.arange(self._next_block, self._next_block + int(begins.sum()))
        is_wrong = np.zeros(events.size, np.bool_)
        is_wrong[begins] = blocks[begins] != new
        self._expect(is_wrong, events, "does not have the next number")
        self._next_block += new.size
        self._numbers = np.concatenate([self._numbers, new])
        self.sizes = np.concatenate([self.sizes, np.zeros(new.size, np.int64)])
        self.keys = np.concatenate([self.keys, keys])
        self.born = np.concatenate([self.born, self.events + np.flatnonzero(begins)])
        self.born_time = np.concatenate([self.born_time, events["time"][begins].astype(np.int64)])
        if self._numbers.size == 0:
            self._expect(np.ones(events.size, np.bool_), events, "is not live")
        rows = np.minimum(np.searchsorted(self._numbers, blocks), self._numbers.size - 1)
        self._expect(self._numbers[rows] != blocks, events, "is not live")
        return rows

    def _remove(self, rows: _Ints) -> None:
        is_live = np.ones(self._numbers.size, np.bool_)
        is_live[rows] = False
        self._numbers, self.sizes, self.keys = self._numbers[is_live], self.sizes[is_live], self.keys[is_live]
        self.born, self.born_time = self.born[is_live], self.born_time[is_live]

    def _expect(self, is_wrong: npt.NDArray[np.bool_], events: Events, what: str) -> None:
        """Raises ValueError, naming the first event that is wrong, if any is."""
        if is_wrong.any():
            index = int(is_wrong.argmax())
            raise ValueError(f"event {self.events + index}: block {events['block'][index]} {what}")
