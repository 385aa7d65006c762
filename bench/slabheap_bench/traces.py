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

#: How libraries are told to ask the kernel for huge pages, by a part of their name: variables of the environment. This is
#: mimalloc's name for it in 2.0, which later versions know, too. gperftools' tcmalloc asks for none: it can only take its memory from a
#: file system of them, for which the administrator has to set huge pages aside.
_ASKING = {
    "system": {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"},
    "mimalloc": {"MIMALLOC_LARGE_OS_PAGES": "1"},
    "jemalloc": {"MALLOC_CONF": "thp:always"},
}

#: The texts in libraries that tell their version: jemalloc's, tcmalloc's.
_VERSIONS = (rb"(\d+\.\d+\.\d+)-0-g[0-9a-f]{8}", rb"gperftools (\d+\.\d+)")


def allocators() -> list[str]:
    """Both presets, the system's malloc, and every library that this machine has, as `slabheap.replay` names them."""
    found = [sorted(path for folder in ("/usr/lib", "/usr/local/lib") for path in Path(folder).glob(f"**/{name}")) for name in LIBRARIES]
    return [*PRESETS, "system", *(str(paths[0].resolve()) for paths in found if paths)]


def mimalloc_version(number: int) -> str:
    """The version that mimalloc tells as a number: 209 is 2.0.9, and since a part may have two digits, 30302 is 3.3.2."""
    base = 100 if number >= 10_000 else 10
    return f"{number // base**2}.{number // base % base}.{number % base}"


def version_of(allocator: str) -> str:
    """The version of an allocator, as its file or the library itself tells."""
    if allocator in PRESETS:
        return slabheap.__version__
    if allocator == "system":
        version = ctypes.CDLL(None).gnu_get_libc_version
        version.restype = ctypes.c_char_p
        return f"glibc {version().decode()}"
    if "mimalloc" in allocator:
        return mimalloc_version(ctypes.CDLL(allocator).mi_version())
    content = Path(allocator).read_bytes()
    for pattern in _VERSIONS:
        if found := re.search(pattern, content):
            return found[1].decode()
    return Path(allocator).name.partition(".so.")[2]


def _settings_for_huge_pages(allocator: str) -> dict[str, str] | None:
    """What another allocator's environment must have, so that it asks for huge pages; None if it cannot."""
    return next((settings for name, settings in _ASKING.items() if name in Path(allocator).name), None)


def can_have_huge_pages(allocator: str) -> bool:
    """Whether an allocator can be told to ask for huge pages."""
    return allocator in PRESETS or _settings_for_huge_pages(allocator) is not None


@contextlib.contextmanager
def _environment(settings: dict[str, str]) -> Iterator[None]:
    """Processes that are started meanwhile have these variables."""
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _once(program: Any, allocator: str, samples: int, repeats: int, warm: bool = False, huge: bool = False) -> Result:
    """A replay, with huge pages for everyone or, whatever the system's mode, for nobody."""
    shared: dict[str, Any] = {"samples": samples, "repeats": repeats, "warm": warm, "costs": False}
    if allocator in PRESETS:
        return slabheap.replay(program, preset=allocator, huge_pages="wanted" if huge else "unwanted", **shared)
    settings = (_settings_for_huge_pages(allocator) or {}) if huge else {}
    with _environment(settings):
        return slabheap.replay(program, allocator, huge_pages="system" if huge else "unwanted", **shared)


#: The ways to time a replay: the key of its seconds, in a fresh heap or a warm one, with huge pages or as the system has them.
_WAYS = (("seconds", False, False), ("warm_seconds", True, False), ("huge_seconds", False, True), ("huge_warm_seconds", True, True))


def replay_all(
    files: Sequence[Path], chosen: Sequence[str], rounds: int, samples: int, progress: Callable[[], None]
) -> list[dict[str, Any]]:
    """Replays every trace on every allocator in interleaved rounds, and calls `progress` after each replay.

    Returns:
        A row for each trace and allocator: `trace`, `events`, `peer`, `version`, `seconds` (one a round) and `operations_per_second` (of
        the median) in a fresh heap, those with `warm_` before them in one where the trace was replayed before, those with `huge_` with
        huge pages, for the allocators that can be told to ask for them; and the peaks of requested, used, held and resident bytes, the
        last with huge pages, too.
    """
    rows = []
    for file in files:
        program = slabheap.Trace.load(file).program
        results: list[dict[str, Result]] = []
        seconds: list[dict[str, list[float]]] = [
            {key: [] for key, _, huge in _WAYS if not huge or can_have_huge_pages(allocator)} for allocator in chosen
        ]
        for round_number in range(rounds):
            for turn in range(len(chosen)):
                index = (turn + round_number) % len(chosen)
                for key, warm, huge in _WAYS:
                    if key in seconds[index]:
                        seconds[index][key] += _once(program, chosen[index], samples=1, repeats=1, warm=warm, huge=huge).all_seconds
                progress()
        for allocator in chosen:
            measured = {"": _once(program, allocator, samples=samples, repeats=0)}
            if can_have_huge_pages(allocator):
                measured["huge_"] = _once(program, allocator, samples=samples, repeats=0, huge=True)
            results.append(measured)
            progress()
        for allocator, measured, times in zip(chosen, results, seconds, strict=True):
            result = measured[""]
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
                    **{f"{way}peak_resident_bytes": each.peak_resident_bytes for way, each in measured.items()},
                    "failures": result.failures,
                }
            )
    return rows
