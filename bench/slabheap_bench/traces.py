"""Recorded traces, replayed on slabheap and on the malloc of others."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import statistics
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import slabheap
from slabheap.replaying import PRESETS
from slabheap.results import Result, allocator_label

#: Libraries to compare with, where they are installed, and how each is found below the folders of libraries.
LIBRARIES = ("libmimalloc.so.*", "libjemalloc.so.*", "libtcmalloc_minimal.so.*")

#: What is replayed with huge pages, too: what can be told to ask for them.
WITH_HUGE_PAGES = (*PRESETS, "system")

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


@contextlib.contextmanager
def _glibc_asks_for_huge_pages() -> Iterator[None]:
    """Processes that are started meanwhile have their malloc advise the kernel so."""
    before = os.environ.get("GLIBC_TUNABLES")
    os.environ["GLIBC_TUNABLES"] = "glibc.malloc.hugetlb=1"
    try:
        yield
    finally:
        del os.environ["GLIBC_TUNABLES"]
        if before is not None:
            os.environ["GLIBC_TUNABLES"] = before


def _once(program: Any, allocator: str, samples: int, repeats: int, warm: bool = False, huge: bool = False) -> Result:
    name, options = allocator, dict[str, Any]()
    if allocator in PRESETS:
        name, options = "slabheap", {"preset": allocator, "huge_pages": "wanted" if huge else "system"}
    with _glibc_asks_for_huge_pages() if huge else contextlib.nullcontext():
        return slabheap.replay(program, name, samples=samples, repeats=repeats, warm=warm, costs=False, **options)


#: The ways to time a replay: the key of its seconds, in a fresh heap or a warm one, with huge pages or as the system has them.
_WAYS = (("seconds", False, False), ("warm_seconds", True, False), ("huge_seconds", False, True), ("huge_warm_seconds", True, True))


def replay_all(
    files: Sequence[Path], chosen: Sequence[str], rounds: int, samples: int, progress: Callable[[], None]
) -> list[dict[str, Any]]:
    """Replays every trace on every allocator in interleaved rounds, and calls `progress` after each replay.

    Returns:
        A row for each trace and allocator: `trace`, `events`, `peer`, `version`, `seconds` (one a round) and `operations_per_second` (of
        the median) in a fresh heap, those with `warm_` before them in one where the trace was replayed before, those with `huge_` with
        huge pages, for the allocators that can be told to ask for them, and the peaks of requested, used and held bytes.
    """
    rows = []
    for file in files:
        program = slabheap.Trace.load(file).program
        results: list[Result] = []
        seconds: list[dict[str, list[float]]] = [
            {key: [] for key, _, huge in _WAYS if not huge or allocator in WITH_HUGE_PAGES} for allocator in chosen
        ]
        for round_number in range(rounds):
            for turn in range(len(chosen)):
                index = (turn + round_number) % len(chosen)
                for key, warm, huge in _WAYS:
                    if key in seconds[index]:
                        seconds[index][key] += _once(program, chosen[index], samples=1, repeats=1, warm=warm, huge=huge).all_seconds
                progress()
        for allocator in chosen:
            results.append(_once(program, allocator, samples=samples, repeats=0))
            progress()
        for allocator, result, times in zip(chosen, results, seconds, strict=True):
            rates = {
                key.replace("seconds", "operations_per_second"): result.events / statistics.median(each) for key, each in times.items()
            }
            rows.append(
                {
                    "trace": file.stem,
                    "events": result.events,
                    "peer": f"slabheap-{allocator}" if allocator in PRESETS else allocator_label(allocator, {}),
                    "version": version_of(allocator),
                    **times,
                    **rates,
                    "peak_requested_bytes": result.peak_requested_bytes,
                    "peak_used_bytes": result.peak_used_bytes,
                    "peak_held_bytes": result.peak_held_bytes,
                    "failures": result.failures,
                }
            )
    return rows
