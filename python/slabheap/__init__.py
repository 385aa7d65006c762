"""slabheap: a heap that tells you exactly what it holds, and a laboratory for allocation."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from slabheap._core import version as __version__
from slabheap.classes import optimise_classes
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
from slabheap.formats import convert
from slabheap.heap import Block, ClassStats, Heap, Stats, UsableSize
from slabheap.information import Information, Site
from slabheap.recording import Recorded, RecordedProcess, record
from slabheap.replaying import Result, compare, replay
from slabheap.trace import Trace

if TYPE_CHECKING:
    from slabheap import plot, workloads
    from slabheap.reporting import report
    from slabheap.sweeping import sweep

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
    "Recorded",
    "RecordedProcess",
    "Result",
    "Site",
    "Stats",
    "TooManyRegions",
    "TooSmall",
    "Trace",
    "Unsupported",
    "UsableSize",
    "WrongLayout",
    "__version__",
    "compare",
    "convert",
    "optimise_classes",
    "plot",
    "record",
    "replay",
    "report",
    "sweep",
    "workloads",
]

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """Loads a module when it is wanted: matplotlib and pandas take longer to load than all of the rest."""
        if name in ("plot", "workloads"):
            return importlib.import_module(f"slabheap.{name}")
        if name in ("report", "sweep"):
            return getattr(importlib.import_module("slabheap.reporting" if name == "report" else "slabheap.sweeping"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
