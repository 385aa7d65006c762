"""Replay: the same calls on this heap and on others.

A replay runs several times over: once measured, counting bytes after every event; then timed, calling and writing one byte a block; and
once with each call timed by itself. On a slabheap heap it runs in this process, with the interpreter's lock released; on the system's
malloc, or one from a shared library, in a process of its own, so that nothing else is counted.
"""

from __future__ import annotations

import operator
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from slabheap import _core
from slabheap.costs import Costs
from slabheap.formats import open_trace
from slabheap.hosting import Host, expect_library
from slabheap.options import OPTIONS, choice_of, count
from slabheap.results import Moment, Result, block_occupancy
from slabheap.stats import ClassStats, Stats
from slabheap.trace import Trace, compile_trace

__all__ = ["PRESETS", "REPLAY_OPTIONS", "Result", "compare", "replay"]

#: Names of presets, which `compare` takes for allocators.
PRESETS = ("classic", "compact")

#: The options of a replay on slabheap.
REPLAY_OPTIONS = ("bytes", "regions", *OPTIONS)

# The options of a replay on any allocator.
_SHARED_OPTIONS = ("samples", "repeats", "warm", "costs")

_HUGE_PAGES = "unwanted"  # unless given, on every allocator: what one has and another has not would be compared with the allocators
_MOST_REGIONS = 64
_COST_WINDOWS = 50


def default_bytes(program: _core.Program) -> int:
    """The heap that a replay gets unless it is told: a power of two, at least eight times the peak, and 16 MiB.

    It is mapped, so what is not used costs nothing.
    """
    return 1 << max(24, (8 * program.peak_requested_bytes - 1).bit_length())


def _program_of(trace: Trace | str | Path | _core.Program) -> _core.Program:
    """The program of a trace. One in a file is compiled as a stream, into the folder for temporary files."""
    if isinstance(trace, _core.Program):
        return trace
    if isinstance(trace, Trace):
        return trace.program
    with open_trace(trace) as reader:
        return compile_trace(reader, folder=tempfile.gettempdir())


def replay(
    trace: Trace | str | Path | _core.Program,
    allocator: str = "slabheap",
    *,
    samples: int = 1000,
    repeats: int = 1,
    warm: bool = False,
    costs: bool | None = None,
    snapshot_events: Sequence[int] | None = None,
    progress: Callable[[int, int], None] | None = None,
    **options: Any,
) -> Result:
    """Replays a trace on an allocator.

    Same trace and same options give the same figures, times aside.

    Args:
        trace: The trace; or a file, which is then read as a stream and may be larger than memory; or what `compile_trace` made of one.
        allocator: "slabheap", "system" for the malloc of this machine, or the path of a shared library with malloc and free; what else it
            has of calloc, realloc, posix_memalign, aligned_alloc and malloc_usable_size is used.
        samples: How many points the timeline has, at the most.
        repeats: How many timed replays there are, each on a fresh heap, or in a fresh process.
        warm: Whether each timed replay follows one that is not timed on the same heap, or in the same process, of which no block is
            live any more. Otherwise the kernel's work, which maps each page when it is touched for the first time, is part of the time:
            in a short trace, most of it.
        costs: Whether to time each call in one replay more. Unless given, if there are timed replays.
        snapshot_events: For slabheap, after which events to keep the runs of the heap; the one of the peak unless given.
        progress: Called now and then with the events done and those to do, over all replays.
        **options: For slabheap, those of `Heap`: `bytes`, `preset`, `classes`, `set_blocks`, `page_bytes`, `pages`, `freed_runs`,
            `huge_pages`. Unless given, `bytes` is the least power of two, from 16 MiB on, that is eight times the peak of the requested
            bytes or more. Also `regions`, 1 to 64: how many regions the bytes are divided among, 1 unless given. For others,
            `huge_pages` alone. It is "unwanted" unless given, so that no allocator has any, whatever the mode of the system; or "system",
            as the allocator asks (others are told to by settings of their own, in the environment) and the system gives; or "wanted",
            which slabheap alone can be told.

    Returns:
        What it showed.

    Raises:
        ValueError: An option is out of range or of no meaning to this allocator, or the trace makes no sense.
        TypeError: An option is of another type.
        TooSmall: `bytes` cannot hold the heap's metadata and one page, or a region's share of them cannot.
        FileNotFoundError: There is no such library.
        RuntimeError: The library could not be preloaded, has no malloc and free, or crashed.

    Examples:
        >>> from slabheap import workloads
        >>> trace = workloads.from_lifetimes(500, workloads.log_normal(100, 1.0), workloads.exponential(40), seed=7)
        >>> classic, compact = replay(trace), replay(trace, preset="compact")
        >>> classic.peak_requested_bytes == compact.peak_requested_bytes
        True
        >>> classic.peak_used_bytes > compact.peak_used_bytes
        True
        >>> replay(trace, "system", repeats=0).failures
        0
    """
    samples, repeats = count("samples", samples), count("repeats", repeats)
    if samples == 0:
        raise ValueError("there must be at least one sample")
    snapshots = None if snapshot_events is None else sorted({operator.index(event) for event in snapshot_events})
    program = _program_of(trace)
    times_costs = repeats > 0 if costs is None else costs
    total = program.events * (1 + repeats * (1 + warm) + times_costs)
    report = (lambda done: progress(done, total)) if progress is not None else (lambda _: None)
    windows = min(_COST_WINDOWS, program.events) if times_costs else 0
    if allocator == "slabheap":
        return _replay_on_heap(program, samples, repeats, warm, windows, snapshots, report, options)
    foreign = [*(name for name in options if name != "huge_pages"), *(["snapshot_events"] if snapshots else [])]
    if foreign:
        raise ValueError(f"the allocator {allocator!r} has no options, so not {', '.join(foreign)}")
    expect_huge_pages(allocator, **options)
    host = Host(program, allocator, has_huge_pages=options.get("huge_pages", _HUGE_PAGES) == "system")
    return _replay_in_host(host, samples, repeats, warm, windows, report, options)


def expect_huge_pages(allocator: str, huge_pages: str = _HUGE_PAGES) -> None:
    """Raises ValueError if another allocator than slabheap is to be given something else than none, or what it asks for."""
    if huge_pages not in ("system", "unwanted"):
        raise ValueError(f"for the allocator {allocator!r}, huge_pages must be one of 'system', 'unwanted', not {huge_pages!r}")


def compare(
    trace: Trace | str | Path | _core.Program,
    allocators: Sequence[str] = ("slabheap", "system"),
    *,
    progress: Callable[[int, int], None] | None = None,
    **options: Any,
) -> list[Result]:
    """Replays a trace on several allocators, one `Result` each.

    Args:
        trace: As for `replay`.
        allocators: As for `replay`; also "classic" and "compact" for slabheap with that preset.
        progress: As for `replay`, over all allocators.
        **options: Those of `replay`; options of `Heap` are for slabheap alone, but for `huge_pages`, which is for every allocator: no
            allocator has any unless it is given.

    Returns:
        The results, in the order of the allocators.

    Raises:
        TypeError: `allocators` is a name by itself, or an option is of another type.
        ValueError: As for `replay`; also if there is no such option, or `preset` is given beside an allocator that is one.
        TooSmall, FileNotFoundError, RuntimeError: As for `replay`.

    Examples:
        >>> from slabheap import workloads
        >>> trace = workloads.producer_consumer(300, workloads.zipf([64, 100, 5000]))
        >>> [result.label for result in compare(trace, ["classic", "compact", "system"])]
        ['classic', 'compact', 'system']
    """
    if isinstance(allocators, str):
        raise TypeError("allocators must be a sequence of names, not one")
    expect_allocators(allocators)
    _expect_options(options, (*REPLAY_OPTIONS, *_SHARED_OPTIONS, "snapshot_events"))
    presets = [allocator for allocator in allocators if allocator in PRESETS]
    if presets and "preset" in options:
        raise ValueError(f"the allocator {presets[0]!r} is a preset by itself; leave out preset={options['preset']!r}, or name 'slabheap'")
    everywhere = {name: options[name] for name in ("huge_pages",) if name in options}
    for allocator in allocators:
        if allocator not in (*PRESETS, "slabheap"):
            expect_huge_pages(allocator, **everywhere)
    program = _program_of(trace)
    shared = {name: options.pop(name) for name in _SHARED_OPTIONS if name in options}
    results = []
    for index, allocator in enumerate(allocators):

        def report(done: int, total: int, index: int = index) -> None:
            if progress is not None:
                progress(index * total + done, len(allocators) * total)

        if allocator in PRESETS:
            results.append(replay(program, progress=report, **shared, **options, preset=allocator))
        else:
            own = options if allocator == "slabheap" else everywhere
            results.append(replay(program, allocator, progress=report, **shared, **own))
    return results


def expect_allocators(allocators: Iterable[str]) -> None:
    """Raises before anything long is done if one of the allocators that `compare` is to take is not there.

    Raises:
        FileNotFoundError: It is none of the names, and no file.
    """
    names = (*PRESETS, "slabheap", "system")
    for allocator in allocators:
        if allocator not in names:
            expect_library(allocator, names)


def _expect_options(options: Iterable[str], known: Sequence[str]) -> None:
    """Raises ValueError if there is another option than those that are known."""
    for name in options:
        if name not in known:
            raise ValueError(f"there is no option {name!r}; those of a replay are {', '.join(known)}")


def region_count(regions: Any) -> int:
    """How many regions a heap is to have, checked.

    Raises:
        TypeError: It is no integer.
        ValueError: It is not from 1 to 64.
    """
    number = count("regions", regions)
    if not 1 <= number <= _MOST_REGIONS:
        raise ValueError(f"regions must be from 1 to {_MOST_REGIONS}, not {number}")
    return number


def _expect_events(program: _core.Program, snapshots: Sequence[int]) -> None:
    """Raises ValueError if one of the events, in order, after which to take snapshots is none of the program."""
    if snapshots and not 0 <= snapshots[0] <= snapshots[-1] < max(1, program.events):
        if program.events == 0:
            raise ValueError("the trace has no events, so there are none to take snapshots after")
        raise ValueError(f"snapshot_events must be from 0 to {program.events - 1}")


def _replay_on_heap(
    program: _core.Program,
    samples: int,
    repeats: int,
    warm: bool,
    cost_windows: int,
    snapshots: Sequence[int] | None,
    report: Callable[[int], None],
    options: dict[str, Any],
) -> Result:
    _expect_options(options, REPLAY_OPTIONS)
    given = {"huge_pages": _HUGE_PAGES, **options}
    heap_bytes, regions = given.pop("bytes", None), given.pop("regions", None)
    choice = choice_of(default_bytes(program) if heap_bytes is None else heap_bytes, **given)
    parts = 1 if regions is None else region_count(regions)
    events = [program.peak_event] if snapshots is None else snapshots
    _expect_events(program, events)
    outcome = _core.replay_on_heap(program, choice, parts, min(samples, program.events), events, repeats, warm, cost_windows, report)
    classes = [ClassStats(**stats) for stats in outcome["class_stats"]]
    return Result(
        allocator="slabheap",
        options=dict(options),
        events=program.events,
        peak_requested_bytes=program.peak_requested_bytes,
        peak_used_bytes=outcome["peak_used_bytes"],
        peak_held_bytes=outcome["peak_held_bytes"],
        peak_resident_bytes=outcome["peak_resident_bytes"],
        peak_slack_bytes=outcome["peak_slack_bytes"],
        peak_live_pages=outcome["peak_live_pages"],
        touched_pages=outcome["touched_pages"],
        failures=outcome["failures"],
        at_peak=_moment_of(outcome["at_peak"], classes),
        is_warm=warm,
        stretch_seconds=_by_stretch(outcome["seconds"]),
        costs=Costs(outcome["costs"], *outcome["cost_clock"]) if cost_windows else None,
        timeline=outcome["timeline"]["samples"],
        occupancy=outcome["timeline"]["occupancy"],
        largest_free=outcome["timeline"]["largest_free"],
        snapshots=dict(zip(events, outcome["snapshots"], strict=False)),
        class_stats=classes,
        stats=Stats(**outcome["stats"]),
    )


def _moment_of(rows: dict[str, npt.NDArray[Any]], classes: list[ClassStats]) -> Moment | None:
    """The first of some moments of a heap; None if there is none."""
    if not rows["samples"].size:
        return None
    return Moment.of(rows["samples"][0], int(rows["largest_free"][0]), float(block_occupancy(rows["occupancy"], classes)[0]))


def _by_stretch(seconds: Sequence[npt.ArrayLike]) -> npt.NDArray[np.float64]:
    return np.array(seconds, np.float64).reshape(len(seconds), -1) if seconds else np.zeros((0, 0))


def _replay_in_host(
    host: Host,
    samples: int,
    repeats: int,
    warm: bool,
    cost_windows: int,
    report: Callable[[int], None],
    options: dict[str, Any],
) -> Result:
    program = host.program
    measured = host.measure(samples)
    report(program.events)
    seconds = []
    for repeat in range(repeats):
        seconds.append(host.time(warm))
        report((1 + (repeat + 1) * (1 + warm)) * program.events)
    costs = None
    if cost_windows:
        costs = Costs(*host.measure_costs(cost_windows))
        report((2 + repeats * (1 + warm)) * program.events)
    return Result(
        allocator=host.allocator,
        options=dict(options),
        events=program.events,
        peak_requested_bytes=program.peak_requested_bytes,
        peak_used_bytes=measured.answer.peak_used_bytes,
        peak_held_bytes=measured.answer.peak_held_bytes,
        peak_resident_bytes=measured.answer.peak_held_bytes,
        peak_slack_bytes=measured.answer.peak_slack_bytes,
        peak_live_pages=measured.answer.peak_live_pages,
        touched_pages=int(measured.timeline["touched_pages"][-1]) if program.events else 0,
        failures=measured.answer.failures,
        at_peak=None if measured.at_peak is None else Moment.of(measured.at_peak),
        is_warm=warm,
        stretch_seconds=_by_stretch(seconds),
        costs=costs,
        timeline=measured.timeline,
    )
