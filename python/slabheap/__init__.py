"""slabheap: a heap that tells you exactly what it holds, and a laboratory for allocation."""

from slabheap._core import version as __version__
from slabheap.errors import (
    Corrupt,
    DoubleFree,
    HeapError,
    Misaligned,
    NotOwned,
    Overlap,
    TooManyRegions,
    TooSmall,
    Unsupported,
    WrongLayout,
)
from slabheap.events import EVENT, Operation
from slabheap.heap import Block, ClassStats, Heap, Stats, UsableSize
from slabheap.trace import Information, Trace

__all__ = [
    "EVENT",
    "Block",
    "ClassStats",
    "Corrupt",
    "DoubleFree",
    "Heap",
    "HeapError",
    "Information",
    "Misaligned",
    "NotOwned",
    "Operation",
    "Overlap",
    "Stats",
    "TooManyRegions",
    "TooSmall",
    "Trace",
    "Unsupported",
    "UsableSize",
    "WrongLayout",
    "__version__",
]
