"""Recorded traces, replayed on slabheap and on the malloc of others."""

from __future__ import annotations

import ctypes
import re
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import slabheap
from slabheap.replaying import PRESETS
from slabheap.results import Result, allocator_label

#: Libraries to compare with, where they are installed, and how each is found below the folders of libraries.
LIBRARIES = ("libmimalloc.so.*", "libjemalloc.so.*", "libtcmalloc_minimal.so.*")

#: The texts in libraries that tell their version: jemalloc's, tcmalloc's.
_VERSIONS = (rb"(\d+\.\d+\.\d+)-0-g[0-9a-f]{8}", rb"gperftools (\d+\.\d+)")


def allocators() -> list[str]:
    """Both presets, the system's malloc, and every library that this machine has, as `slabheap.replay` names them."""
    found = [sorted(path for folder in ("/usr/lib", "/usr/local/lib") for path in Path(folder).glob(f"**/{name}")) for name in LIBRARIES]
    return [*PRESETS, "system", *(str(paths[0].resolve()) for paths in found if paths)]


def version_of(allocator: str) -> str:
    """The version of an allocator, as its file or the library itself tells."""
    if allocator in PRESETS:
        return slabheap.__version__
    if allocator == "system":
        version = ctypes.CDLL(None).gnu_get_libc_version
        version.restype = ctypes.c_char_p
        return f"glibc {version().decode()}"
    if "mimalloc" in allocator:
        number = ctypes.CDLL(allocator).mi_version()
        return f"{number // 100}.{number // 10 % 10}.{number % 10}"
    content = Path(allocator).read_bytes()
    for pattern in _VERSIONS:
        if found := re.search(pattern, content):
            return found[1].decode()
    return Path(allocator).name.partition(".so.")[2]


def _once(program: Any, allocator: str, samples: int, repeats: int, warm: bool = False) -> Result:
    name, options = allocator, dict[str, Any]()
    if allocator in PRESETS:
        name, options = "slabheap", {"preset": allocator}
    return slabheap.replay(program, name, samples=samples, repeats=repeats, warm=warm, costs=False, **options)


def replay_all(
    files: Sequence[Path], chosen: Sequence[str], rounds: int, samples: int, progress: Callable[[], None]
) -> list[dict[str, Any]]:
    """Replays every trace on every allocator in interleaved rounds, and calls `progress` after each replay.

    Returns:
        A row for each trace and allocator: `trace`, `events`, `peer`, `version`, `seconds` (one a round) and `operations_per_second` (of
        the median) in a fresh heap, `warm_seconds` and `warm_operations_per_second` in one where the trace was replayed before, and the
        peaks of requested, used and held bytes.
    """
    rows = []
    for file in files:
        program = slabheap.Trace.load(file).program
        results: list[Result] = []
        seconds: list[list[float]] = [[] for _ in chosen]
        warm_seconds: list[list[float]] = [[] for _ in chosen]
        for round_number in range(rounds):
            for turn in range(len(chosen)):
                index = (turn + round_number) % len(chosen)
                seconds[index] += _once(program, chosen[index], samples=1, repeats=1).all_seconds
                warm_seconds[index] += _once(program, chosen[index], samples=1, repeats=1, warm=True).all_seconds
                progress()
        for allocator in chosen:
            results.append(_once(program, allocator, samples=samples, repeats=0))
            progress()
        for allocator, result, times, warm_times in zip(chosen, results, seconds, warm_seconds, strict=True):
            rows.append(
                {
                    "trace": file.stem,
                    "events": result.events,
                    "peer": f"slabheap-{allocator}" if allocator in PRESETS else allocator_label(allocator, {}),
                    "version": version_of(allocator),
                    "seconds": times,
                    "operations_per_second": result.events / statistics.median(times),
                    "warm_seconds": warm_times,
                    "warm_operations_per_second": result.events / statistics.median(warm_times),
                    "peak_requested_bytes": result.peak_requested_bytes,
                    "peak_used_bytes": result.peak_used_bytes,
                    "peak_held_bytes": result.peak_held_bytes,
                    "failures": result.failures,
                }
            )
    return rows
