"""What a replay did over time: bytes, and how full each size class was."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import EngFormatter

from slabheap.plot.style import (
    Theme,
    count_bytes,
    count_events,
    expect_results,
    figure_of,
    frame,
    line_style,
    name_axes,
    parts,
    styled,
    write_title,
)
from slabheap.results import Result
from slabheap.texts import bytes_text, counted, distinct_labels, size_text

__all__ = ["Clock", "class_occupancy", "timeline"]

_Numbers: TypeAlias = npt.NDArray[np.float64]

_MOST_COLUMNS = 500  # of a heat map over time

#: What a time axis counts: events of the trace, or seconds of the program that was recorded.
Clock: TypeAlias = Literal["events", "seconds"]


def check_clock(clock: str) -> None:
    """Raises ValueError if there is no such clock."""
    if clock not in ("events", "seconds"):
        raise ValueError(f'clock must be "events" or "seconds", not {clock!r}')


def clocked(result: Result, clock: Clock) -> _Numbers:
    """Where the samples of a timeline lie on the time axis."""
    return np.asarray(result.timeline["event"] if clock == "events" else result.timeline["time"] / 1e9, np.float64)


def clock_axis(axes: Axes, clock: Clock, result: Result) -> None:
    """Counts time on the axis of x."""
    if clock == "events":
        count_events(axes.xaxis, result.events)
        axes.set_xlabel("events")
    else:
        axes.xaxis.set_major_formatter(EngFormatter("s"))
        axes.set_xlim(0, max(1e-6, float(clocked(result, clock).max(initial=0))))
        axes.set_xlabel("time of the recorded program")


def _line(result: Result, name: str, clock: Clock) -> tuple[_Numbers, _Numbers]:
    """A line of a timeline; a single sample holds from the left to the right."""
    x, y = clocked(result, clock), result.timeline[name].astype(np.float64)
    return (x, y) if x.size != 1 else (np.array([0.0, max(1.0, x[0])]), np.repeat(y, 2))


def draw_timeline(axes: Axes, results: Sequence[Result], clock: Clock, look: Theme) -> int:
    """Draws what is requested, and what is used and held, or held by each of several; returns how many lines a legend would have."""
    first = results[0]
    x, requested = _line(first, "requested", clock)
    labels = [f"requested\npeak {bytes_text(first.peak_requested_bytes)}"]
    axes.fill_between(x, requested, color=look.shade, linewidth=0, label=labels[0])
    if len(results) == 1:
        parts_of_it = (("used", "used by live blocks", first.peak_used_bytes), ("held", "held by the heap", first.peak_held_bytes))
        lines = [(text, most, _line(first, name, clock)) for name, text, most in parts_of_it]
    else:
        names = distinct_labels([result.label for result in results])
        lines = [(f"held by {name}", r.peak_held_bytes, _line(r, "held", clock)) for name, r in zip(names, results, strict=True)]
    for index, (text, most, line) in enumerate(lines):
        labels.append(f"{textwrap.fill(text, 32)}\npeak {bytes_text(most)}")
        axes.plot(*line, label=labels[-1], **line_style(index, look.colours))
    count_bytes(axes.yaxis, max(float(y.max(initial=0)) for y in (requested, *(y for _, _, (_, y) in lines))))
    axes.set_ylim(0)
    clock_axis(axes, clock, first)
    axes.set_ylabel("bytes")
    return sum(label.count("\n") + 1 for label in labels)


def timeline(results: Result | Sequence[Result], title: str = "", *, clock: Clock = "events") -> Figure:
    """Bytes over the time of a replay: requested, used and held, or, of several replays, what each holds.

    Args:
        results: One result, or several of the same trace.
        title: What to write above it; a description of the results unless given.
        clock: What time is counted in: "events" of the trace, or "seconds" of the program that was recorded.

    Returns:
        A figure of 8 inches by 4, or higher if there are many results; `figure.savefig("x.png")` writes it.

    Raises:
        ValueError: There is no result, or no such clock.

    Examples:
        >>> from slabheap import compare, plot, workloads
        >>> trace = workloads.steady_state(2000, workloads.log_normal(100, 1.0), 50_000)
        >>> figure = plot.timeline(compare(trace, ["classic", "compact"]))
        >>> figure.axes[0].get_title("left")
        'Bytes over 2,000 events'
    """
    check_clock(clock)
    several = expect_results(results)
    with styled() as look:
        figure = figure_of(8, 4)
        axes = figure.add_subplot()
        lines = draw_timeline(axes, several, clock, look)
        figure.set_figheight(max(4.0, 0.8 + 0.15 * lines + 0.1 * len(several)))
        of_one = f", {distinct_labels([several[0].label])[0]}" if len(several) == 1 else ""
        write_title(axes, title or f"Bytes over {counted(several[0].events, 'event')}{of_one}", 6)
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1), labelspacing=0.8)
        return figure


def _in_columns(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Counts of samples, shape (samples, classes), added up so that there are no more of them than pixels."""
    if len(counts) <= _MOST_COLUMNS:
        return counts
    starts = np.linspace(0, len(counts), _MOST_COLUMNS, endpoint=False).astype(np.int64)
    return np.asarray(np.add.reduceat(counts, starts, axis=0))


def _draw_shares(axes: Axes, total: npt.NDArray[np.int64], used: npt.NDArray[np.int64], result: Result, look: Theme) -> None:
    """Draws the used part of each class at each sample, a row for each class; nothing where it has no block."""
    blocks, live = _in_columns(total).T, _in_columns(used).T
    colours = look.ramp(live / np.maximum(blocks, 1))
    colours[blocks == 0] = (*parts(look.pages.free), 1.0)
    if colours.size:
        axes.imshow(colours, aspect="auto", interpolation="nearest", extent=(0, max(1, result.events), len(blocks), 0))
    frame(axes)
    if len(blocks) <= 40:
        axes.hlines(range(1, len(blocks)), 0, max(1, result.events), color=look.paper, linewidth=1)
    count_events(axes.xaxis, result.events)
    name_axes(axes, "events", "block size")


def _name_classes(axes: Axes, sizes: Sequence[int], row_inches: float) -> None:
    """Names each row, or every so many, if they are too narrow for names."""
    step = max(1, int(np.ceil(0.13 / row_inches)))
    places = range(0, len(sizes), step)
    axes.set_yticks([place + 0.5 for place in places], [size_text(sizes[place]) for place in places])
    axes.tick_params(axis="y", labelsize=8 if row_inches > 0.16 else 7)


def _draw_weights(axes: Axes, most_total: npt.NDArray[np.int64], most_used: npt.NDArray[np.int64], look: Theme) -> None:
    """Draws the most bytes that each class had in its sets, and the most that were used."""
    rows = np.arange(most_total.size) + 0.5
    axes.barh(rows, most_total, height=0.8, color=look.paper, edgecolor=look.ink, linewidth=0.6)
    axes.barh(rows, most_used, height=0.8, color=look.colours[0], edgecolor=look.ink, linewidth=0.6)
    axes.tick_params(axis="y", left=False, labelleft=False)
    axes.grid(visible=False, axis="y")
    most = max(1.0, float(most_total.max(initial=0)))
    count_bytes(axes.xaxis, 2.5 * most)
    axes.set_xlim(0, 1.1 * most)
    axes.set_xlabel("most bytes at once")


def class_occupancy(result: Result, title: str = "") -> Figure:
    """How full each size class was over time, darker for fuller, and beside it the most bytes that it had.

    Classes that never had a block are left out.

    Args:
        result: Of slabheap.
        title: What to write above it; a description of the result unless given.

    Returns:
        A figure 9 inches wide; its height grows with the classes. `figure.savefig("x.png")` writes it.

    Raises:
        ValueError: The result is that of another allocator, which has no classes.

    Examples:
        >>> from slabheap import plot, replay, workloads
        >>> trace = workloads.steady_state(2000, workloads.uniform(1, 500), 50_000)
        >>> figure = plot.class_occupancy(replay(trace))
        >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
        ['64 B', '128 B', '256 B', '512 B']
    """
    if result.occupancy is None:
        raise ValueError(f"only slabheap shows its size classes; {result.label} does not")
    block_bytes = np.array([stats.block_size for stats in result.class_stats], np.int64)
    total, used = (result.occupancy[name].astype(np.int64).reshape(-1, block_bytes.size) for name in ("total_blocks", "used_blocks"))
    is_shown = total.max(axis=0, initial=0) > 0
    total, used, block_bytes = total[:, is_shown], used[:, is_shown], block_bytes[is_shown]
    rows = max(1, block_bytes.size)
    row_inches = min(0.3, max(0.07, 6 / rows))
    with styled() as look:
        figure = figure_of(9, max(2.4, rows * row_inches + 1.4))
        shares, weights = figure.subplots(1, 2, sharey=True, width_ratios=[3, 1])
        _draw_shares(shares, total, used, result, look)
        _name_classes(shares, block_bytes.tolist(), row_inches)
        _draw_weights(weights, (total * block_bytes).max(axis=0, initial=0), (used * block_bytes).max(axis=0, initial=0), look)
        if not block_bytes.size:
            shares.text(0.5, 0.5, "no class ever had a block", transform=shares.transAxes, ha="center", va="center")
        figure.colorbar(ScalarMappable(Normalize(0, 100), look.ramp), ax=shares, label="used blocks, %", fraction=0.05, pad=0.02)
        kinds = ((look.paper, "in the sets of a class"), (look.colours[0], "in its live blocks"))
        handles = [Patch(facecolor=colour, edgecolor=look.ink, label=label) for colour, label in kinds]
        figure.legend(handles=handles, loc="outside lower right", ncols=2)
        write_title(shares, title or f"How full each size class was, {distinct_labels([result.label])[0]}", 7)
        return figure
