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
from slabheap.heap import Block, ClassStats, Heap, Stats, UsableSize

__all__ = [
    "Block",
    "ClassStats",
    "Corrupt",
    "DoubleFree",
    "Heap",
    "HeapError",
    "Misaligned",
    "NotOwned",
    "Overlap",
    "Stats",
    "TooManyRegions",
    "TooSmall",
    "Unsupported",
    "UsableSize",
    "WrongLayout",
    "__version__",
]
