"""What a heap raises: each refusal of the C interface is a class of its own.

Running out of memory is the builtin MemoryError, an argument out of range a ValueError, and an action on memory that a view
still looks at a BufferError.
"""

from __future__ import annotations

__all__ = [
    "Corrupt",
    "DoubleFree",
    "HeapError",
    "Misaligned",
    "NotOwned",
    "Overlap",
    "TooManyRegions",
    "TooSmall",
    "Unsupported",
    "WrongLayout",
]


class HeapError(Exception):
    """A call that the heap refused. Nothing has changed, except that a refused free is counted.

    Attributes:
        status: The number of the HeapStatus of the C interface.
    """

    status: int = -1


class NotOwned(HeapError):
    """No region of this heap holds the pointer."""

    status = 3


class DoubleFree(HeapError):
    """The pointer lies in this heap but in no live block: it was freed before, or never handed out (NOT_ALLOCATED)."""

    status = 4


class Misaligned(HeapError):
    """The pointer lies inside a live block, not at its start."""

    status = 5


class WrongLayout(HeapError):
    """A live block, but not of the class that this size and alignment belong to."""

    status = 6


class Overlap(HeapError):
    """The memory overlaps a region of this heap."""

    status = 7


class TooSmall(HeapError):
    """The memory cannot hold the heap's metadata and one page."""

    status = 8


class TooManyRegions(HeapError):
    """The heap has as many regions as it can number."""

    status = 9


class Corrupt(HeapError):
    """An invariant does not hold: something wrote over the heap's metadata."""

    status = 10


class Unsupported(HeapError):
    """This system, or this build, cannot do it."""

    status = 11


_BUILTIN: dict[int, type[Exception]] = {1: MemoryError, 2: ValueError}


def error_of(status: int, message: str) -> Exception:
    """The exception that stands for a status. Called by the native module."""
    for error in HeapError.__subclasses__():
        if error.status == status:
            return error(message)
    return _BUILTIN.get(status, HeapError)(message)
