"""What a program asks for: how large its blocks are and how long they live."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullLocator

from slabheap.events import Operation
from slabheap.plot.over_time import Clock, check_clock
from slabheap.plot.style import Theme, figure_of, frame, styled, write_heading
from slabheap.texts import bytes_text, counted, shortened
from slabheap.trace import Trace

__all__ = ["lifetimes"]

_Numbers: TypeAlias = npt.NDArray[np.float64]
_Weight: TypeAlias = Literal["requests", "bytes"]


class _Lives(NamedTuple):
    """The lives of a trace: sizes, how long each lasted, and whether it ended; each of shape (n,)."""

    sizes: _Numbers
    spans: _Numbers
    is_ended: npt.NDArray[np.bool_]


class _Table(NamedTuple):
    """Weights by size and lifetime, and the edges of their bins."""

    size_edges: _Numbers
    span_edges: _Numbers
    ended: _Numbers  # shape (lifetimes, sizes)
    never: _Numbers  # shape (sizes,)


def _lives(trace: Trace, clock: Clock) -> _Lives:
    """Every life: from a request to the block's free or its next reallocation, or to nothing."""
    events = trace.events
    order = np.argsort(events["block"], kind="stable")
    blocks, begins = events["block"][order], events["operation"][order] != Operation.FREE
    is_followed = np.append(blocks[1:] == blocks[:-1], False)[: blocks.size]
    now = order.astype(np.int64) if clock == "events" else events["time"][order].astype(np.int64)
    spans = (np.append(now[1:], 0)[: now.size] - now) / (1.0 if clock == "events" else 1e9)
    return _Lives(events["size"][order][begins].astype(np.float64), spans[begins], is_followed[begins])


def _integer_edges(most: float) -> _Numbers:
    """Edges of bins, two a doubling from 1 until `most` is covered, none without a whole number; a bin has its upper edge in it."""
    steps = 2 * math.ceil(math.log2(max(2.0, most))) + 1
    whole = np.unique(np.round(2.0 ** (np.arange(steps) / 2)))
    return np.concatenate([[0.5], whole])


def _second_edges(spans: _Numbers) -> _Numbers:
    """Edges of bins, four a decade, around all spans; what is shorter than a tenth of a microsecond is in the first."""
    logarithms = 4 * np.log10(np.maximum(spans, 1e-7)) if spans.size else np.array([-24.0])
    low = math.floor(logarithms.min())
    return np.asarray(10.0 ** (np.arange(low, max(math.ceil(logarithms.max()), low + 4) + 1) / 4))


def _bins(values: _Numbers, edges: _Numbers) -> npt.NDArray[np.int64]:
    return np.clip(np.searchsorted(edges, values, side="left") - 1, 0, edges.size - 2)


def _table(lives: _Lives, weight: _Weight, clock: Clock) -> _Table:
    sizes, spans = lives.sizes, lives.spans[lives.is_ended]
    size_edges = _integer_edges(float(sizes.max(initial=0)))
    span_edges = _integer_edges(float(spans.max(initial=0))) if clock == "events" else _second_edges(spans)
    weights = np.ones(sizes.size) if weight == "requests" else sizes
    columns = _bins(sizes, size_edges)
    ended = np.zeros((span_edges.size - 1, size_edges.size - 1))
    np.add.at(ended, (_bins(spans, span_edges), columns[lives.is_ended]), weights[lives.is_ended])
    never = np.bincount(columns[~lives.is_ended], weights[~lives.is_ended], minlength=size_edges.size - 1)
    return _Table(size_edges, span_edges, ended, never.astype(np.float64))


def _size_axis(axis: Axis, edges: _Numbers) -> None:
    doublings = int(math.log2(edges[-1]))
    step = max(1, math.ceil(doublings / 8))
    axis.set_major_locator(FixedLocator([float(1 << power) for power in range(0, doublings + 1, step)]))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: bytes_text(value)))


def _shares(axes: Axes, values: _Numbers, edges: _Numbers, look: Theme, orientation: Literal["horizontal", "vertical"]) -> None:
    """Draws what part of the whole each bin has, in per cent."""
    axes.stairs(100 * values / max(1.0, values.sum()), edges, orientation=orientation, fill=True, color=look.colours[0])
    axis = axes.yaxis if orientation == "vertical" else axes.xaxis
    axis.set_major_locator(MaxNLocator(3, min_n_ticks=2))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g} %"))
    (axes.set_ylim if orientation == "vertical" else axes.set_xlim)(0, None if values.any() else 100)


def _draw_heat(axes: Axes, strip: Axes, scale: Axes, table: _Table, look: Theme, weight: _Weight) -> None:
    """Draws both heat maps, that of the lives that ended and the strip of those that did not, and the scale of both."""
    most = max(2.0, float(table.ended.max(initial=0)), float(table.never.max(initial=0)))
    norm = LogNorm(1, most)
    for each, values, edges in ((axes, table.ended, table.span_edges), (strip, table.never[np.newaxis], np.array([0.0, 1.0]))):
        mesh = each.pcolormesh(
            table.size_edges, edges, np.where(values > 0, values, np.nan), cmap=look.ramp, norm=norm, rasterized=True, linewidth=0
        )
        frame(each)
        each.set_xscale("log", base=2)
        _size_axis(each.xaxis, table.size_edges)
    bar = axes.figure.colorbar(mesh, cax=scale, orientation="horizontal")
    bar.ax.set_title(f"{weight} in a cell", loc="center", fontsize=8)
    bar.ax.tick_params(labelsize=7.5)
    bar.ax.xaxis.set_major_locator(LogLocator(10 if weight == "requests" else 32, numticks=5))
    bar.ax.xaxis.set_major_formatter(EngFormatter(sep="") if weight == "requests" else FuncFormatter(lambda value, _: bytes_text(value)))
    bar.ax.xaxis.set_minor_locator(NullLocator())


def _span_axis(axes: Axes, clock: Clock) -> None:
    axes.set_yscale("log", base=10)
    axes.yaxis.set_major_formatter(EngFormatter(sep="") if clock == "events" else EngFormatter("s"))
    axes.yaxis.set_major_locator(LogLocator(10, numticks=12))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_ylabel(f"lifetime, {'events' if clock == 'events' else 'seconds'}")


def _origin(trace: Trace) -> str:
    return shortened(" ".join(trace.information.command) or trace.information.source or "a trace", 60)


def lifetimes(
    trace: Trace, title: str = "", *, clock: Clock = "events", weight: _Weight = "requests", classes: Sequence[int] = ()
) -> Figure:
    """Sizes and lifetimes of what a program asks for, as a heat map, with the share of each size above and of each lifetime beside it.

    A life begins with an allocation or a reallocation, and ends with the next reallocation of the block or its free. Those that do not
    end have a row of their own. Bins are two a doubling (four a decade of seconds), and each includes its upper end.

    Args:
        trace: The trace.
        title: What to write above it; where the trace comes from unless given.
        clock: What lifetimes are counted in: "events" of the trace, or "seconds" of the program.
        weight: What is counted: "requests", or the "bytes" that they ask for.
        classes: Block sizes in bytes, drawn as lines: a request goes to the next line to its right.

    Returns:
        A figure of 9 inches by 6; `figure.savefig("x.png")` writes it.

    Raises:
        ValueError: There is no such clock or weight.

    Examples:
        >>> from slabheap import plot, workloads
        >>> trace = workloads.generations(2000, workloads.log_normal(100, 1.0))
        >>> figure = plot.lifetimes(trace, "Most die young", classes=[64, 128, 256, 512, 1024])
        >>> figure.get_suptitle()
        'Most die young'
    """
    check_clock(clock)
    if weight not in ("requests", "bytes"):
        raise ValueError(f'weight must be "requests" or "bytes", not {weight!r}')
    lives = _lives(trace, clock)
    table = _table(lives, weight, clock)
    with styled() as look:
        figure = figure_of(9, 6)
        figure.set_layout_engine("constrained", w_pad=0.1)
        grid = figure.add_gridspec(3, 2, width_ratios=[4.2, 1], height_ratios=[1, 0.2, 4])
        heat = figure.add_subplot(grid[2, 0])
        strip, above = (figure.add_subplot(grid[row, 0], sharex=heat) for row in (1, 0))
        beside = figure.add_subplot(grid[2, 1], sharey=heat)
        scale = figure.add_subplot(grid[0, 1].subgridspec(3, 1, height_ratios=[1, 0.5, 1])[1])
        _draw_heat(heat, strip, scale, table, look, weight)
        _shares(above, table.ended.sum(axis=0) + table.never, table.size_edges, look, "vertical")
        _shares(beside, table.ended.sum(axis=1), table.span_edges, look, "horizontal")
        _span_axis(heat, clock)
        heat.set_xlabel("size of the request")
        strip.set_yticks([0.5], ["not freed"])
        for axes in (strip, above):
            axes.tick_params(labelbottom=False, bottom=False)
        beside.tick_params(labelleft=False)
        above.set_ylabel(f"of all {weight}", fontsize=8)
        beside.set_xlabel(f"of {weight} that end", fontsize=8)
        for size in classes:
            heat.axvline(size, color=look.colours[1], linewidth=0.8, linestyle=(0, (4, 3)))
        if not lives.sizes.size:
            heat.text(0.5, 0.5, "no request", transform=heat.transAxes, ha="center", va="center")
        never = f", {int((~lives.is_ended).sum()):,} not freed" if lives.sizes.size else ""
        write_heading(figure, title or f"Size and lifetime of {counted(lives.sizes.size, 'request')}{never}: {_origin(trace)}")
        return figure
