"""Traces: what a program allocated, reallocated and freed, call by call."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from slabheap import _core
from slabheap.events import EVENT, Events, Operation, as_events, is_allocation, renumber
from slabheap.tracefile import CHUNK_EVENTS, Information, TraceReader, TraceWriter

__all__ = ["Information", "Trace", "TraceReader", "TraceWriter", "compile_trace"]


class Trace:
    """A trace in memory.

    Args:
        events: Shape (n,), dtype EVENT. Blocks are numbered from 0 in order of their allocation; `from_events` sees to that.
        information: Where they come from.

    Attributes:
        events: The events.
        information: Where they come from, and how many were lost.

    Examples:
        >>> import numpy as np
        >>> from slabheap.events import EVENT, Operation
        >>> events = np.zeros(2, EVENT)
        >>> events["operation"] = Operation.ALLOCATE, Operation.FREE
        >>> events["size"], events["align"] = (100, 0), (8, 1)
        >>> Trace(events).peak_requested_bytes
        100
    """

    def __init__(self, events: Events, information: Information | None = None) -> None:
        self.events = as_events(events)
        self.information = Information() if information is None else information

    @classmethod
    def from_events(cls, events: Events, information: Information | None = None) -> Trace:
        """A trace of events whose blocks may have any numbers, used again or not; they get new ones.

        Raises:
            ValueError: An event refers to a block that is not live, or allocates one that is; the message names the event.
        """
        return cls(renumber(events), information)

    @classmethod
    def load(cls, path: str | Path) -> Trace:
        """The trace in a file; "-" is standard input.

        Raises:
            ValueError: The file is malformed; the message names the offset.
        """
        with TraceReader(path) as reader:
            chunks = list(reader)
            return cls(np.concatenate(chunks) if chunks else np.zeros(0, EVENT), reader.information)

    def save(self, path: str | Path) -> None:
        """Writes the trace to a file, which is replaced; "-" is standard output."""
        with TraceWriter(path, self.information) as writer:
            writer.write(self.events)

    def __len__(self) -> int:
        """The number of events."""
        return int(self.events.size)

    def chunks(self) -> Iterator[Events]:
        """The events in pieces, as a reader would give them."""
        for start in range(0, len(self), CHUNK_EVENTS):
            yield self.events[start : start + CHUNK_EVENTS]

    @property
    def block_count(self) -> int:
        """How many blocks are allocated in it."""
        return int(is_allocation(self.events).sum())

    @property
    def thread_count(self) -> int:
        """How many threads there are."""
        return int(np.unique(self.events["thread"]).size)

    @property
    def duration(self) -> float:
        """The seconds from the beginning to the last event."""
        return float(self.events["time"][-1]) / 1e9 if len(self) else 0.0

    @functools.cached_property
    def program(self) -> _core.Program:
        """The trace compiled for replay, in memory.

        Raises:
            ValueError: An event makes no sense; the message names it.
        """
        return compile_trace(self)

    @property
    def peak_requested_bytes(self) -> int:
        """The most bytes that were allocated at once, as they were asked for."""
        return int(self.program.peak_requested_bytes)

    @property
    def request_sizes(self) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
        """The bytes of every request, reallocations included, in order; shape (m,), uint64."""
        return np.asarray(self.events["size"][self.events["operation"] != Operation.FREE])

    def __repr__(self) -> str:
        """The trace in a line."""
        program = self.information.command[0] if self.information.command else self.information.source or "unknown origin"
        return f"<Trace of {program}: {len(self)} events, {self.block_count} blocks, {self.duration:.3g} s>"


def compile_trace(source: Trace | Iterable[Events], folder: str = "") -> _core.Program:
    """A trace, or the events of a reader, compiled for replay; the steps are kept in an unnamed file in `folder`, or in memory.

    Raises:
        ValueError: An event makes no sense; the message names it.
    """
    program = _core.Program(folder)
    for chunk in source.chunks() if isinstance(source, Trace) else source:
        program.append(chunk)
    return program
