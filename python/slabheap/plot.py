"""Pictures: what a replay did over time, and what a heap's pages look like.

Every function returns a matplotlib Figure and draws no window; `figure.savefig("x.png")` writes it. Pictures can be told apart without
colour: lines by their dashes, pages by their darkness.
"""

from __future__ import annotations

import contextlib
import math
import statistics
from collections.abc import Iterator, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import EngFormatter, FuncFormatter, MultipleLocator

from slabheap.heap import RUN_KINDS
from slabheap.replaying import Result

__all__ = ["comparison", "page_map", "timeline"]

_STYLE: dict[Any, Any] = {
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "figure.constrained_layout.use": True,
    "figure.dpi": 150,
    "font.size": 9,
    "grid.alpha": 0.3,
    "legend.frameon": False,
    "lines.linewidth": 1.3,
}

_COLOURS = ("#1b6ca8", "#c8553d", "#2f7d4f", "#7a4f9e", "#8c6d1f", "#4a4a4a")
_DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 3)))

_FREE, _LARGE = "#ffffff", "#16202c"
_SET_COLOURS = LinearSegmentedColormap.from_list("occupancy", ["#bcd6ec", "#17568a"])


def _figure(width: float, height: float) -> Figure:
    return Figure(figsize=(width, height))


@contextlib.contextmanager
def _styled() -> Iterator[None]:
    with mpl.rc_context(_STYLE):
        yield


def bytes_text(value: float) -> str:
    """A number of bytes for people: "1.5 MiB"."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(value) < 1024:
            return f"{value:.0f} B" if unit == "B" else f"{value:.3g} {unit}"
        value /= 1024
    return f"{value:.4g} TiB"


def _count_bytes(axis: Axis, most: float) -> None:
    """Ticks on an axis of bytes from 0 to `most`: at most eight, at multiples of a power of two."""
    axis.set_major_locator(MultipleLocator(2.0 ** max(0, math.ceil(math.log2(max(most, 1) / 8)))))
    axis.set_major_formatter(FuncFormatter(lambda value, _: bytes_text(value)))


def _name_axes(axes: Axes, x: str, y: str) -> None:
    axes.set_xlabel(x)
    axes.set_ylabel(y)


def timeline(results: Result | Sequence[Result], title: str = "") -> Figure:
    """Bytes over the events of a replay: requested, used and held, or, of several replays, what each holds.

    Args:
        results: One result, or several of the same trace.
        title: What to write above it; a description of the results unless given.
    """
    several = [results] if isinstance(results, Result) else list(results)
    if not several:
        raise ValueError("there is no result to draw")
    with _styled():
        figure = _figure(8, 4)
        axes = figure.add_subplot()
        first = several[0].timeline
        axes.fill_between(first["event"], first["requested"], color="#d9d9d9", label="requested")
        if len(several) == 1:
            names = (("used", "used by live blocks"), ("held", "held by the heap"))
            lines = [(label, first["event"], first[name]) for name, label in names]
        else:
            lines = [(f"held by {r.label}", r.timeline["event"], r.timeline["held"]) for r in several]
        for index, (label, x, y) in enumerate(lines):
            axes.plot(x, y, label=label, color=_COLOURS[index % 6], linestyle=_DASHES[index % 6])
        axes.set_title(title or f"Bytes over {several[0].events:,} events" + (f", {several[0].label}" if len(several) == 1 else ""))
        _name_axes(axes, "event", "bytes")
        _count_bytes(axes.yaxis, max(float(y.max(initial=0)) for y in (first["requested"], *(y for _, _, y in lines))))
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
        axes.set_xlim(0, max(1, several[0].events))
        axes.set_ylim(0)
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
        return figure


def _page_bytes_of(runs: npt.NDArray[np.void]) -> int:
    """The longest length that can be a page: all runs are multiples of it."""
    return math.gcd(*runs["bytes"].tolist())


def page_occupancy(runs: npt.NDArray[np.void]) -> tuple[npt.NDArray[np.float64], int]:
    """What each page of a heap holds, up to the last that is in use.

    Args:
        runs: As `Heap.runs` or `Result.snapshots` give them.

    Returns:
        An array with a value for each page, shape (pages,): -1 for a free page, 2 for one of a large block, and the used part, from 0
        to 1, of one of a set; and the bytes of a page.
    """
    if runs.size == 0:
        raise ValueError("there is no run to draw")
    page_bytes = _page_bytes_of(runs)
    used = np.flatnonzero(runs["kind"] != RUN_KINDS.index("free"))
    runs = runs[: used[-1] + 1] if used.size else runs[:0]
    pages: list[npt.NDArray[np.float64]] = []
    for run in runs:
        count = int(run["bytes"]) // page_bytes
        if run["kind"] != RUN_KINDS.index("set"):
            pages.append(np.full(count, -1.0 if run["kind"] == RUN_KINDS.index("free") else 2.0))
            continue
        bits = (np.uint64(run["used"]) >> np.arange(run["total_blocks"], dtype=np.uint64)) & np.uint64(1)
        # The bytes used up to any offset are a line through the edges of the blocks.
        edges = np.arange(run["total_blocks"] + 1) * float(run["block_size"])
        below = np.concatenate([[0.0], np.cumsum(bits) * float(run["block_size"])])
        at_pages = np.interp(np.arange(count + 1) * float(page_bytes), edges, below)
        pages.append(np.diff(at_pages) / page_bytes)
    return np.concatenate(pages) if pages else np.zeros(0), page_bytes


def _page_colours(occupancy: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    colours = _SET_COLOURS(np.clip(occupancy, 0, 1))[..., :3]
    colours[occupancy < 0] = to_rgb(_FREE)
    colours[occupancy > 1] = to_rgb(_LARGE)
    colours[np.isnan(occupancy)] = to_rgb("#eeeeee")
    return np.asarray(colours)


def page_map(runs: npt.NDArray[np.void], title: str = "", columns: int | None = None) -> Figure:
    """The pages of a heap, row by row in order of address: free ones white, large blocks black, sets the darker the fuller they are.

    Free pages behind the last that is in use are left out. Regions follow each other without a gap.

    Args:
        runs: As `Heap.runs` or `Result.snapshots` give them.
        title: What to write above it.
        columns: Pages in a row; chosen to suit unless given.
    """
    occupancy, page_bytes = page_occupancy(runs)
    count = max(1, occupancy.size)
    columns = columns or max(16, 1 << math.ceil(math.log2(math.sqrt(count * 2.5))))
    rows = math.ceil(count / columns)
    grid = np.full(rows * columns, np.nan)
    grid[: occupancy.size] = occupancy
    with _styled():
        figure = _figure(9, min(9, max(2.6, 7 * rows / columns + 1.6)))
        axes = figure.add_subplot()
        axes.grid(visible=False)
        axes.imshow(
            _page_colours(grid.reshape(rows, columns)),
            aspect="auto",
            interpolation="nearest",
            extent=(0, columns, rows * columns * page_bytes, 0),
        )
        for spine in axes.spines.values():
            spine.set_visible(True)
        sets = occupancy[(occupancy >= 0) & (occupancy <= 1)]
        mean = f", {100 * sets.mean():.0f} % used on average" if sets.size else ""
        legend = [
            Patch(facecolor=_LARGE, edgecolor="black", label=f"large blocks: {(occupancy > 1).sum():,} pages"),
            Patch(facecolor=_SET_COLOURS(1.0), edgecolor="black", label=f"sets: {sets.size:,} pages{mean}"),
            Patch(facecolor=_FREE, edgecolor="black", label=f"free between them: {(occupancy < 0).sum():,} pages"),
        ]
        axes.legend(handles=legend, loc="upper center", bbox_to_anchor=(0.5, -0.12 - 0.35 / figure.get_figheight()), ncols=3)
        colours = mpl.cm.ScalarMappable(norm=mpl.colors.Normalize(0, 100), cmap=_SET_COLOURS)
        figure.colorbar(colours, ax=axes, label="used part of a set's page, %", fraction=0.03, pad=0.015)
        axes.set_title(title or "Pages of the heap")
        _name_axes(axes, f"page in its row (pages of {bytes_text(page_bytes)})", "offset of the row")
        _count_bytes(axes.yaxis, rows * columns * page_bytes)
        return figure


def _rates(result: Result) -> list[float]:
    """Million operations a second of the median, the slowest and the fastest replay; 0 if none was timed."""
    seconds = result.all_seconds or [0.0]
    return [result.events / each / 1e6 if each else 0.0 for each in (statistics.median(seconds), max(seconds), min(seconds))]


def comparison(results: Sequence[Result], title: str = "") -> Figure:
    """Bars side by side: operations a second, with the spread of the repeats, and peak bytes held over the peak requested.

    Args:
        results: Of the same trace.
        title: What to write above it.
    """
    if not results:
        raise ValueError("there is no result to draw")
    with _styled():
        figure = _figure(9, 1.4 + 0.42 * len(results))
        speed, space = figure.subplots(1, 2, sharey=True)
        places = np.arange(len(results))[::-1]
        labels = [result.label for result in results]
        rates, slowest, fastest = np.array([_rates(result) for result in results]).T
        errors = [rates - slowest, fastest - rates]
        speed.barh(places, rates, xerr=errors, color=_COLOURS[0], edgecolor="black", error_kw={"lw": 0.8, "capsize": 2})
        _name_axes(speed, "million operations a second; more is better", "")
        speed.set_yticks(places, labels)
        held = np.array([result.peak_held_bytes for result in results])
        ratio = held / max(1, results[0].peak_requested_bytes)
        space.barh(places, ratio, color=_COLOURS[1], edgecolor="black", hatch="//")
        for place, value, size in zip(places, ratio, held, strict=True):
            space.annotate(f" {value:.2f} ({bytes_text(size)})", (value, place), va="center", fontsize=7)
        space.axvline(1, color="black", linewidth=0.8, linestyle=":")
        space.set_xlim(0, 1.35 * max(1.0, float(ratio.max())))
        _name_axes(space, "peak held / peak requested; less is better", "")
        figure.suptitle(title or f"{results[0].events:,} events", x=0.01, ha="left", fontsize=10)
        return figure
