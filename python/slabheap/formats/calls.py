"""What the readers of other formats share: calls that speak of addresses become events that speak of blocks, a chunk at a time."""

from __future__ import annotations

import abc
import itertools
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import NoReturn, Protocol, Self, TypeAlias

import numpy as np

from slabheap import _core
from slabheap.events import EVENT, Events, Operation
from slabheap.files import Closing, Input
from slabheap.information import Information, SiteTable
from slabheap.tracefile import CHUNK_EVENTS

__all__ = [
    "ALLOCATE",
    "ALLOCATE_ZEROED",
    "FREE",
    "MALLOC_ALIGN",
    "REALLOCATE",
    "REALLOCATE_BEGINS",
    "Call",
    "CallReader",
    "EventReader",
    "Numbers",
    "decimal",
]

#: The alignment of a block of malloc, in bytes, which logs of its calls do not tell.
MALLOC_ALIGN = 16

_BLOCK_BYTES = 1 << 17
_MOST_LINE_BYTES = 1 << 20
_MOST_NUMBER, _MOST_DIGITS = (1 << 64) - 1, 20

# The operations as bare numbers: those of an enumeration take several times as long to compare and to store.
ALLOCATE, ALLOCATE_ZEROED, REALLOCATE, FREE = map(int, Operation)

#: Of calls only: the address that a reallocation gives up. `Operation.REALLOCATE` of the same thread then tells the new one.
REALLOCATE_BEGINS = _core.reallocate_begins

#: The fields of EVENT in their order, the block's address in place of its number.
Call: TypeAlias = tuple[int, int, int, int, int, int, int]


def decimal(digits: bytes) -> int | None:
    """A number of 64 bits from its digits; None for what is none, or has more than 20 digits, however many those are.

    Examples:
        >>> decimal(b"640"), decimal(b"-1"), decimal(b"9" * 5000)
        (640, None, None)
    """
    number = int(digits) if digits.isdigit() and len(digits) <= _MOST_DIGITS else None
    return number if number is not None and number <= _MOST_NUMBER else None


class EventReader(Protocol):
    """Reads a file as a stream: iterate over it, once, for one array of events after another.

    Attributes:
        information: What is known about the trace: where it comes from after the first array, what was lost after the last. Sites are added
            before the events that refer to them.
        source: The file that is read.
    """

    information: Information
    source: Input

    @property
    def progress(self) -> tuple[int, int]:
        """How much is read, and how much there is, which is 0 if it is not known; in bytes, or rows of a table."""

    def __iter__(self) -> Iterator[Events]: ...

    def close(self) -> None:
        """Closes the file."""

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None: ...


class Numbers:
    """Gives names, such as the system's numbers of threads, numbers from 0 in order of their first use."""

    def __init__(self) -> None:
        self._numbers: dict[object, int] = {}

    def __getitem__(self, name: object) -> int:
        """The number of a name."""
        return self._numbers.setdefault(name, len(self._numbers))


class CallReader(Closing):
    """A reader of a format that tells calls and addresses. What the format has to say is `calls`.

    Args:
        source: The file.
        name: What `information.source` says.
    """

    def __init__(self, source: Input, name: str) -> None:
        self.source = source
        self.information = Information(source=name)
        self.sites = SiteTable(self.information)
        self.threads = Numbers()
        self._numbering = _core.AddressNumbering()

    @abc.abstractmethod
    def calls(self) -> Iterable[Call]:
        """The calls of the file in order; `information` is kept up to date."""

    def fail(self, line: int, what: str) -> NoReturn:
        """Refuses a line of the file, counted from 1."""
        raise ValueError(f"{self.source.name}: line {line}: {what}")

    def lines(self, *, may_lack_end: bool = False) -> Iterator[tuple[int, bytes]]:
        """The lines of the file with their numbers, from 1, without their ends.

        Args:
            may_lack_end: Whether the last line may have no end; else such a line may have been longer.

        Raises:
            ValueError: The last one has no end and needs it; or one is longer than any.
        """
        number, rest = 1, b""
        while block := self.source.file.read(_BLOCK_BYTES):
            lines = (rest + block).split(b"\n")
            rest = lines.pop()
            yield from enumerate(lines, number)
            number += len(lines)
            if len(rest) > _MOST_LINE_BYTES:
                self.fail(number, "the line is longer than any")
        if rest and may_lack_end:
            yield number, rest
        elif rest:
            self.fail(number, f"the line is cut short: {rest[:100]!r}")

    def numbered(self, calls: Events) -> Events:
        """The events that further calls come to."""
        events = self._numbering.number(calls)
        self.information.foreign, self.information.implied_frees = self._numbering.foreign, self._numbering.implied_frees
        return events

    @property
    def progress(self) -> tuple[int, int]:
        """The bytes of the file that are read, and those that there are, 0 if that is not known."""
        return self.source.done, self.source.total

    def __iter__(self) -> Iterator[Events]:
        calls = iter(self.calls())
        time = np.uint64(0)
        while batch := list(itertools.islice(calls, CHUNK_EVENTS // 2)):  # a call is at most two events
            given = np.zeros(len(batch), EVENT)  # with its padding, so that the same events are the same bytes
            given[...] = np.array(batch, EVENT)
            events = self.numbered(given)
            if events.size == 0:
                continue
            # Threads may have written their lines a moment later than others.
            events["time"] = np.maximum.accumulate(np.maximum(events["time"], time))
            time = events["time"][-1]
            yield events

    def close(self) -> None:
        """Closes the file."""
        self.source.close()
