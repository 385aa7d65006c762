"""Replay: the same calls on this heap and on others.

A replay runs twice over: once measured, counting bytes after every event, and then timed, calling and writing one byte a block. On a
slabheap heap it runs in this process, with the interpreter's lock released; on the system's malloc, or one from a shared library,
in a process of its own, so that nothing else is counted.
"""

from __future__ import annotations

import dataclasses
import os
import statistics
import struct
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from slabheap import _core
from slabheap.formats import open_trace
from slabheap.heap import ClassStats, Stats
from slabheap.options import OPTIONS, choice_of
from slabheap.trace import Trace, compile_trace

__all__ = ["PRESETS", "Result", "allocator_label", "compare", "replay"]

#: Names of presets, which `compare` takes for allocators.
PRESETS = ("classic", "compact")

_HOST = Path(__file__).parent / "bin" / "slabheap-replay-host"
_ANSWER = struct.Struct("<QQQQd")  # HostAnswer
_HOST_ENDS = {
    3: "the system gave it no memory",
    4: "the kernel gave it no figures",
    6: "the program could not be mapped",
    7: "the library has no malloc and free",
}


@dataclasses.dataclass(frozen=True, eq=False)
class Result:
    """What a replay showed. Bytes and counts are the same each time; times are not.

    Attributes:
        allocator: "slabheap", "system", or the path of a library.
        options: The options of the heap, as they were given.
        events: Events replayed.
        peak_requested_bytes: The most bytes live at once, as they were asked for.
        peak_used_bytes: The most bytes live at once, as the allocator rounds them.
        peak_held_bytes: The most bytes that the allocator kept from others: for slabheap, pages in use and the metadata for them; for
            others, resident anonymous memory, looked at at each sample.
        failures: Requests that there was no memory for, or, for a library, no function.
        all_seconds: The time of each timed replay.
        timeline: Samples evenly spread over the events, the last event among them; a structured array with the fields `event`, `time`
            (nanoseconds, of the event in the trace), `requested`, `used` and `held` (bytes), all uint64.
        occupancy: For slabheap, at each sample the blocks of each size class: shape (samples, classes), with the fields `total_blocks` and
            `used_blocks`, uint64. None for others.
        snapshots: For slabheap, by event: the runs of the heap after it, like those of `Heap.runs`, addresses counted from the
            first page.
        class_stats: For slabheap, the size classes after the last event.
        stats: For slabheap, the heap after the last event.
    """

    allocator: str
    options: dict[str, Any]
    events: int
    peak_requested_bytes: int
    peak_used_bytes: int
    peak_held_bytes: int
    failures: int
    all_seconds: list[float]
    timeline: npt.NDArray[np.void]
    occupancy: npt.NDArray[np.void] | None = None
    snapshots: dict[int, npt.NDArray[np.void]] = dataclasses.field(default_factory=dict)
    class_stats: list[ClassStats] = dataclasses.field(default_factory=list)
    stats: Stats | None = None

    @property
    def seconds(self) -> float:
        """The median time of a timed replay; NaN if there was none."""
        return statistics.median(self.all_seconds) if self.all_seconds else float("nan")

    @property
    def operations_per_second(self) -> float:
        """Events a second, of the median replay."""
        return self.events / self.seconds if self.seconds else float("nan")

    @property
    def label(self) -> str:
        """The allocator in a word or two: "compact", "system", "libjemalloc"."""
        return allocator_label(self.allocator, self.options)

    def __repr__(self) -> str:
        """The result in a line."""
        return (
            f"<Result of {self.label}: {self.events} events, {self.operations_per_second:.3g} a second, "
            f"{self.peak_held_bytes} bytes held for {self.peak_requested_bytes} requested, {self.failures} failures>"
        )


def allocator_label(allocator: str, options: dict[str, Any]) -> str:
    """An allocator and its options in a few words."""
    if allocator == "slabheap":
        chosen = [f"{name}={value}" for name, value in options.items() if name not in ("preset", "bytes") and value is not None]
        return " ".join([str(options.get("preset") or "classic"), *chosen])
    return allocator if allocator == "system" else Path(allocator).name.split(".")[0]


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
        repeats: How many timed replays there are, each on a fresh heap.
        snapshot_events: For slabheap, after which events to keep the runs of the heap; the one of the peak unless given.
        progress: Called now and then with the events done and those to do, over all replays.
        **options: For slabheap, those of `Heap`: `bytes`, `preset`, `classes`, `set_blocks`, `page_bytes`, `pages`. `bytes` is
            eight times the peak unless given.

    Raises:
        ValueError: An option is out of range or of no meaning to this allocator, or the trace makes no sense.
        TooSmall: `bytes` cannot hold the heap's metadata and one page.
        FileNotFoundError: There is no such library.
        RuntimeError: The library could not be preloaded, has no malloc and free, or crashed.
    """
    if samples < 1 or repeats < 0:
        raise ValueError("there must be at least one sample, and no less than no repeats")
    program = _program_of(trace)
    total = program.events * (1 + repeats)
    report = (lambda done: progress(done, total)) if progress is not None else (lambda _: None)
    if allocator == "slabheap":
        return _replay_on_heap(program, samples, repeats, snapshot_events, report, options)
    if options or snapshot_events:
        names = ", ".join([*options, *(["snapshot_events"] if snapshot_events else [])])
        raise ValueError(f"the allocator {allocator!r} has no options, so not {names}")
    return _replay_in_host(program, allocator, samples, repeats, report)


def compare(
    trace: Trace | str | Path,
    allocators: Sequence[str] = ("slabheap", "system"),
    *,
    progress: Callable[[int, int], None] | None = None,
    **options: Any,
) -> list[Result]:
    """Replays a trace on several allocators, one `Result` each.

    Args:
        trace: The trace, or a file.
        allocators: As for `replay`; also "classic" and "compact" for slabheap with that preset.
        progress: As for `replay`, over all allocators.
        **options: Those of `replay`; options of `Heap` are for slabheap alone.
    """
    if isinstance(allocators, str):
        raise TypeError("allocators must be a sequence of names, not one")
    program_of_all = trace if isinstance(trace, Trace) else Trace.load(trace)
    shared = {name: options.pop(name) for name in ("samples", "repeats") if name in options}
    results = []
    for index, allocator in enumerate(allocators):

        def report(done: int, total: int, index: int = index) -> None:
            if progress is not None:
                progress(index * total + done, len(allocators) * total)

        if allocator in PRESETS:
            results.append(replay(program_of_all, progress=report, **shared, **options, preset=allocator))
        else:
            own = options if allocator == "slabheap" else {}
            results.append(replay(program_of_all, allocator, progress=report, **shared, **own))
    return results


def _replay_on_heap(
    program: _core.Program,
    samples: int,
    repeats: int,
    snapshot_events: Sequence[int] | None,
    report: Callable[[int], None],
    options: dict[str, Any],
) -> Result:
    for name in options:
        if name not in ("bytes", *OPTIONS):
            raise ValueError(f"there is no option {name!r}; those of a replay are bytes, {', '.join(OPTIONS)}")
    given = dict(options)
    heap_bytes = given.pop("bytes", None)
    choice = choice_of(default_bytes(program) if heap_bytes is None else heap_bytes, **given)
    events = [program.peak_event] if snapshot_events is None else sorted(set(snapshot_events))
    if events and not 0 <= events[0] <= events[-1] < max(1, program.events):
        raise ValueError(f"snapshot_events must be from 0 to {program.events - 1}")
    outcome = _core.replay_on_heap(program, choice, min(samples, program.events), events, repeats, report)
    return Result(
        allocator="slabheap",
        options=dict(options),
        events=program.events,
        peak_requested_bytes=program.peak_requested_bytes,
        peak_used_bytes=outcome["peak_used_bytes"],
        peak_held_bytes=outcome["peak_held_bytes"],
        failures=outcome["failures"],
        all_seconds=outcome["seconds"],
        timeline=outcome["timeline"],
        occupancy=outcome["occupancy"],
        snapshots=dict(zip(events, outcome["snapshots"], strict=False)),
        class_stats=[ClassStats(**stats) for stats in outcome["class_stats"]],
        stats=Stats(**outcome["stats"]),
    )


def _run_host(program: _core.Program, allocator: str, samples: int) -> tuple[tuple[Any, ...], bytes]:
    """The answer of a host process, and the samples behind it."""
    environment = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    if allocator != "system":
        environment["LD_PRELOAD"] = allocator
    arguments = [str(_HOST), *map(str, (program.fileno(), program.events, program.slots, samples))]
    host = subprocess.run(arguments, env=environment, capture_output=True, pass_fds=(program.fileno(),), check=False)
    errors = host.stderr.decode(errors="replace").strip()
    if "from LD_PRELOAD cannot be preloaded" in errors:
        raise RuntimeError(f"{allocator} could not be preloaded: {errors.splitlines()[0]}")
    if host.returncode != 0 or len(host.stdout) < _ANSWER.size:
        reason = _HOST_ENDS.get(host.returncode, f"it ended with status {host.returncode}")
        raise RuntimeError(f"the replay on {allocator} failed: {reason}" + (f"; it said: {errors}" if errors else ""))
    return _ANSWER.unpack_from(host.stdout), host.stdout[_ANSWER.size :]


def _replay_in_host(program: _core.Program, allocator: str, samples: int, repeats: int, report: Callable[[int], None]) -> Result:
    if allocator != "system":
        if not Path(allocator).is_file():
            raise FileNotFoundError(f"there is no allocator {allocator!r}: not slabheap, not system, and not the path of a library")
        allocator = str(Path(allocator).resolve())
    (failures, peak_used, peak_held, _, _), rows = _run_host(program, allocator, min(samples, program.events))
    report(program.events)
    seconds = []
    for repeat in range(repeats):
        seconds.append(_run_host(program, allocator, 0)[0][-1])
        report((repeat + 2) * program.events)
    return Result(
        allocator=allocator,
        options={},
        events=program.events,
        peak_requested_bytes=program.peak_requested_bytes,
        peak_used_bytes=peak_used,
        peak_held_bytes=peak_held,
        failures=failures,
        all_seconds=seconds,
        timeline=np.frombuffer(rows, _core.sample_dtype),
    )
