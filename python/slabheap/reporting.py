"""Reports: a comparison as one page of HTML that needs nothing but itself."""

from __future__ import annotations

import dataclasses
import datetime
import io
import math
import platform
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from slabheap import _core
from slabheap.costs import OPERATIONS, PERCENTILES
from slabheap.files import replaced
from slabheap.machine import processors
from slabheap.markup import data_uri, rendered
from slabheap.merits import FIGURES
from slabheap.plot.calls import call_costs
from slabheap.plot.comparing import comparison
from slabheap.plot.merit import figures
from slabheap.plot.over_time import class_occupancy, timeline
from slabheap.plot.page_maps import page_strip
from slabheap.plot.sizes import lifetimes
from slabheap.plot.style import theme
from slabheap.results import Result
from slabheap.texts import bytes_text, counted, distinct_labels, fact_rows, size_text, time_text
from slabheap.trace import Trace

__all__ = ["report"]


@dataclasses.dataclass(frozen=True)
class _Picture:
    """A picture on light paper and on dark, with its words for who cannot see it."""

    light: str
    dark: str
    words: str
    caption: str


@dataclasses.dataclass(frozen=True)
class _Column:
    name: str
    note: str = ""
    is_number: bool = True


@dataclasses.dataclass(frozen=True)
class _Cell:
    """What stands in a table, and what it is sorted by; "" if there is no value."""

    text: str
    value: str | int | float


@dataclasses.dataclass(frozen=True)
class _Table:
    caption: str
    columns: list[_Column]
    rows: list[list[_Cell]]


@dataclasses.dataclass(frozen=True)
class _Heap:
    """What is shown of a replay on slabheap alone."""

    label: str
    anchor: str
    pictures: list[_Picture]
    classes: _Table


def _svg(figure: Figure) -> str:
    stream = io.BytesIO()
    figure.savefig(stream, format="svg", metadata={"Date": None})
    return data_uri(stream.getvalue(), "image/svg+xml")


class _Easel:
    """Draws pictures for both kinds of paper, and says how far it is."""

    def __init__(self, total: int, progress: Callable[[int, int], None] | None) -> None:
        self._total, self._progress, self._done = total, progress, 0

    def picture(self, draw: Callable[[], Figure], words: str, caption: str) -> _Picture:
        with theme("light"):
            light = _svg(draw())
        with theme("dark"):
            dark = _svg(draw())
        self._done += 1
        if self._progress is not None:
            self._progress(self._done, self._total)
        return _Picture(light, dark, words, caption)


def _cell(value: float | None, text: Callable[[float], str]) -> _Cell:
    """A figure, or a dash where there is none to give."""
    return _Cell("-", "") if value is None or math.isnan(value) else _Cell(text(value), value)


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else math.nan


_ALLOCATOR_COLUMNS = [
    _Column("allocator", is_number=False),
    _Column("million operations a second", "the median of the timed replays"),
    _Column("slowest to fastest", "the range of the timed replays, sorted by how wide it is"),
    _Column("peak used"),
    _Column("peak held"),
    _Column("peak held / requested", "of the two peaks"),
    _Column("mean held / requested", "over the samples of the timeline"),
    _Column("failures", "requests without memory"),
]


def _allocator_row(label: str, result: Result) -> list[_Cell]:
    rates = sorted(result.events / seconds / 1e6 for seconds in result.all_seconds if seconds)
    spread = _Cell(f"{rates[0]:.1f} to {rates[-1]:.1f}", rates[-1] - rates[0]) if len(rates) > 1 else _Cell("-", "")
    held, requested = (float(result.timeline[name].sum(dtype=np.float64)) for name in ("held", "requested"))
    return [
        _Cell(label, label),
        _cell(result.operations_per_second / 1e6, "{:.1f}".format),
        spread,
        _cell(result.peak_used_bytes, bytes_text),
        _cell(result.peak_held_bytes, bytes_text),
        _cell(_ratio(result.peak_held_bytes, result.peak_requested_bytes), "{:.3f}".format),
        _cell(_ratio(held, requested), "{:.3f}".format),
        _Cell(f"{result.failures:,}", result.failures),
    ]


# By the figures that they have.
_SPACE_COLUMNS = {
    "internal_fragmentation": _Column("internal", "slack / used, at the peak of the requested bytes"),
    "external_fragmentation": _Column("external", "(held - used) / held, at the peak of the requested bytes"),
    "occupancy": _Column("occupancy", "the used part of the blocks of slabs, by bytes, at the peak of the requested bytes"),
    "largest_free_bytes": _Column(
        "largest free", "the longest run of pages that one request would get, at the peak of the requested bytes"
    ),
    "mean_held_bytes": _Column("mean held", "over the events"),
    "mean_held_bytes_by_time": _Column("by time", "mean held over the time of the program"),
    "peak_live_pages": _Column("pages live", "pages of 4 KiB with a byte of a live block, at most"),
    "touched_pages": _Column("pages touched", "pages of 4 KiB that had a byte of a block at any time"),
}


def _space_row(label: str, result: Result) -> list[_Cell]:
    found = result.figures()
    return [_Cell(label, label), *(_cell(found[name], FIGURES[name].text) for name in _SPACE_COLUMNS)]


def _call_table(labels: Sequence[str], results: Sequence[Result]) -> _Table | None:
    """What calls cost, a row for each operation of each allocator; None if it was measured on none."""
    names = {"p50": "median", "p999": "p99.9", "max": "dearest"}
    columns = [_Column("call", is_number=False), _Column("allocator", is_number=False), _Column("calls"), _Column("mean")]
    columns += [_Column(names.get(name, name), f"{percent:g} in 100 calls cost no more") for name, percent in PERCENTILES.items()]
    summaries = [(label, {} if result.costs is None else result.costs.summary()) for label, result in zip(labels, results, strict=True)]
    rows = []
    for operation in OPERATIONS:
        for label, summary in summaries:
            if row := summary.get(operation):
                name = operation.replace("_", " ")
                times = [row["mean"], *(row[percentile] for percentile in PERCENTILES)]
                rows.append([_Cell(name, name), _Cell(label, label), _Cell(f"{row['count']:,}", row["count"])])
                rows[-1] += [_cell(time, time_text) for time in times]
    return _Table("What calls cost", columns, rows) if rows else None


def _class_table(result: Result) -> _Table:
    columns = [_Column(name) for name in ("block size", "allocations", "live blocks", "blocks", "sets", "partial sets")]
    rows = []
    for stats in (each for each in result.class_stats if each.allocations):
        counts = (stats.allocations, stats.used_blocks, stats.total_blocks, stats.sets, stats.partial_sets)
        rows.append([_Cell(size_text(stats.block_size), stats.block_size), *(_Cell(f"{count:,}", count) for count in counts)])
    return _Table("Size classes after the last event, without those that were never asked", columns, rows)


def _has_maps(result: Result) -> bool:
    return any(runs.size for runs in result.snapshots.values())


def _heap(easel: _Easel, number: int, label: str, result: Result) -> _Heap:
    pictures = []
    if _has_maps(result):
        words = f"Maps of the pages of {label} at {counted(len(result.snapshots), 'moment')}, below the timeline."
        caption = "The pages of the heap, row by row in order of address, at the numbered moments of the timeline."
        pictures.append(easel.picture(lambda: page_strip(result), words, caption))
    words = f"How full each size class of {label} was over the events; the table below has the end."
    caption = "The used part of the blocks of each class over time, and the most bytes that each class had at once."
    pictures.append(easel.picture(lambda: class_occupancy(result), words, caption))
    return _Heap(label, f"heap-{number}", pictures, _class_table(result))


def _held_words(labels: Sequence[str], results: Sequence[Result]) -> str:
    return ", ".join(f"{label} {bytes_text(result.peak_held_bytes)}" for label, result in zip(labels, results, strict=True))


def _pictures(easel: _Easel, trace: Trace, labels: Sequence[str], results: Sequence[Result]) -> dict[str, _Picture]:
    peak = bytes_text(results[0].peak_requested_bytes)
    return {
        "comparison": easel.picture(
            lambda: comparison(results),
            f"Bars: operations a second, and peak bytes held, of {counted(len(results), 'allocator')}; the table above has the figures.",
            "Speed, and the most bytes held over the most requested.",
        ),
        "timeline": easel.picture(
            lambda: timeline(results),
            f"Bytes over the events. At most {peak} are requested; at most held: {_held_words(labels, results)}.",
            "What the program has requested, and what each allocator holds for it. The dearest moment of one need not be that of another.",
        ),
        "figures": easel.picture(
            lambda: figures(results),
            f"Lines over the events: internal and external fragmentation, and live pages, of {counted(len(results), 'allocator')}; "
            "the table of space has them at the peak.",
            "What is lost within blocks, what is held outside of them, and the pages of 4 KiB that the program's blocks lie in.",
        ),
        "lifetimes": easel.picture(
            lambda: lifetimes(trace),
            "Heat map of the requests by size and lifetime, with the share of each size above and of each lifetime beside it.",
            "Each request of the program by its size and by how many events pass until it is freed or reallocated.",
        ),
    }


def _cost_picture(easel: _Easel, results: Sequence[Result]) -> _Picture | None:
    measured = [result for result in results if result.costs is not None]
    if not measured:
        return None
    return easel.picture(
        lambda: call_costs(measured),
        f"The percentiles of what each kind of call cost, of {counted(len(measured), 'allocator')}; the table above has the figures.",
        "What a call cost, by the processor's own counter, what a reading of it takes left out.",
    )


def _making(results: Sequence[Result], labels: Sequence[str], command: str) -> dict[str, Any]:
    now = datetime.datetime.now(datetime.UTC)
    options = [
        (label, " ".join(f"{name}={value}" for name, value in result.options.items()) or "no options")
        for label, result in zip(labels, results, strict=True)
    ]
    libraries = [("path", result.allocator) for result in results if result.allocator not in ("slabheap", "system")]
    facts = [
        *options,
        *libraries,
        ("timed replays", ", ".join(sorted({f"{len(result.all_seconds)}" for result in results})) + " each"),
        ("made", now.strftime("%Y-%m-%d %H:%M UTC")),
        ("slabheap", _core.version),
        ("Python, NumPy, matplotlib", f"{platform.python_version()}, {np.__version__}, {mpl.__version__}"),
        ("system", f"{platform.system()} {platform.release()} on {processors()}"),
    ]
    summary = f"{counted(results[0].events, 'event')} replayed on {counted(len(results), 'allocator')} by slabheap {_core.version}."
    return {"version": _core.version, "summary": summary, "command": command, "facts": facts}


def report(
    trace: Trace,
    results: Sequence[Result],
    output: str | Path | None = None,
    *,
    title: str = "",
    command: str = "",
    progress: Callable[[int, int], None] | None = None,
) -> str:
    """A comparison as one page of HTML, with everything in it: it opens from disk, in light and dark, and can be printed.

    It has sortable tables of the allocators, of space, and of what calls cost if that was measured, the pictures of `slabheap.plot`, the
    size classes of each replay on slabheap, what is in the trace, and how all of it was made.

    Args:
        trace: The trace.
        results: What `compare` or `replay` made of it. Those of slabheap have maps of their pages at `snapshot_events`, for which
            `plot.moments` gives good ones.
        output: A file to write it to, which is replaced once the page is whole, as UTF-8; "-" for standard output.
        title: What to write above it; the program unless given.
        command: The command that made it, to be shown.
        progress: Called with the pictures drawn and those to draw.

    Returns:
        The page.

    Raises:
        ValueError: There is no result, or one of another trace.
        OSError: The file cannot be written.

    Examples:
        >>> from slabheap import compare, plot, workloads
        >>> trace = workloads.steady_state(2000, workloads.log_normal(100, 1.0), 50_000)
        >>> results = compare(trace, ["classic", "system"], snapshot_events=plot.moments(trace, 4))
        >>> page = report(trace, results, title="Steady & small")
        >>> "<h1>Steady &amp; small</h1>" in page
        True
    """
    if not results:
        raise ValueError("there is no result to report")
    for result in results:
        if result.events != len(trace):
            raise ValueError(f"the result of {result.label} is not of this trace: it has {result.events:,} events, not {len(trace):,}")
    labels = distinct_labels([result.label for result in results])
    program = " ".join(trace.information.command) or trace.information.source or "a trace"
    rows = list(map(_allocator_row, labels, results))
    peak = bytes_text(results[0].peak_requested_bytes)
    of_heaps = [(label, result) for label, result in zip(labels, results, strict=True) if result.class_stats]
    has_costs = any(result.costs is not None for result in results)
    easel = _Easel(4 + has_costs + sum(1 + _has_maps(result) for _, result in of_heaps), progress)
    page = rendered(
        "report.html",
        title=title or f"Allocations of {program}",
        allocators=_Table(f"Allocators, for at most {peak} requested at once", _ALLOCATOR_COLUMNS, rows),
        space=_Table(
            "Fragmentation and pages",
            [_Column("allocator", is_number=False), *_SPACE_COLUMNS.values()],
            [_space_row(label, result) for label, result in zip(labels, results, strict=True)],
        ),
        calls=_call_table(labels, results),
        cost_picture=_cost_picture(easel, results),
        pictures=_pictures(easel, trace, labels, results),
        heaps=[_heap(easel, number, label, result) for number, (label, result) in enumerate(of_heaps)],
        facts=fact_rows(trace.summary()),
        made=_making(results, labels, command),
    )
    if output is not None:
        with replaced(output) as file:
            file.write(page.encode())
    return page
