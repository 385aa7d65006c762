"""Figures of merit over time, a panel each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, FuncFormatter, MaxNLocator

from slabheap.merits import SERIES, Unit
from slabheap.plot.over_time import Clock, check_clock, clock_axis, clocked
from slabheap.plot.style import Theme, count_bytes, expect_results, figure_of, line_style, name_axes, styled, write_heading
from slabheap.results import Result
from slabheap.texts import counted, distinct_labels, time_text

__all__ = ["figures"]

_Numbers: TypeAlias = npt.NDArray[np.float64]

_DEFAULT = ("internal_fragmentation", "external_fragmentation", "live_pages")
_UNITS: dict[Unit, str] = {"bytes": "bytes", "pages": "pages of 4 KiB", "count": "requests"}  # of others the ticks have it


def check_figures(names: Sequence[str]) -> None:
    """Raises ValueError if there is none, or one that there is not over time."""
    if not names:
        raise ValueError("there is no figure to draw")
    for name in names:
        if name in ("event", "time") or name not in SERIES:
            raise ValueError(f"there is no figure {name!r} over time; there are {', '.join(list(SERIES)[2:])}")


def _scale(axis: Axis, unit: Unit, most: float) -> None:
    """Ticks that suit the unit of a figure."""
    if unit == "bytes":
        count_bytes(axis, 2 * most)
        return
    axis.set_major_locator(MaxNLocator(5, integer=unit in ("pages", "count")))
    if unit == "share":
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.4g}%"))
    elif unit == "ns":
        axis.set_major_formatter(FuncFormatter(lambda value, _: time_text(value)))
    else:
        axis.set_major_formatter(EngFormatter(sep=""))


def _draw_panel(axes: Axes, results: Sequence[Result], labels: Sequence[str], name: str, clock: Clock, look: Theme) -> None:
    """Draws a figure of each result that has it."""
    lines: list[_Numbers] = [result.series(name).astype(np.float64) for result in results]
    most = max((float(np.nanmax(line)) for line in lines if not np.isnan(line).all()), default=0.0)
    for index, (result, label, line) in enumerate(zip(results, labels, lines, strict=True)):
        # A single sample holds from the left to the right.
        x, y = (clocked(result, clock), line) if line.size != 1 else (np.array([0.0, 1.0]), np.repeat(line, 2))
        axes.plot(x, y, label=label, **line_style(index, look.colours))
    _scale(axes.yaxis, SERIES[name].unit, most)
    clock_axis(axes, clock, results[0])
    if name != "external_fragmentation":  # which can be negative
        axes.set_ylim(0, 1.05 * most or 1.0)
    name_axes(axes, axes.get_xlabel(), _UNITS.get(SERIES[name].unit, ""))
    axes.set_title(SERIES[name].title, fontsize=9)


def figures(results: Result | Sequence[Result], names: Sequence[str] | None = None, title: str = "", *, clock: Clock = "events") -> Figure:
    """Figures of merit over the time of a replay, a panel each, with a line for each replay that has it.

    Args:
        results: One result, or several of the same trace.
        names: Which figures: any of `Result.series`; docs/figures.md defines them. Unless given, internal and external fragmentation and
            live pages.
        title: What to write above it; a description of the results unless given.
        clock: What time is counted in: "events" of the trace, or "seconds" of the program that was recorded.

    Returns:
        A figure 8 inches wide; its height grows with the figures. `figure.savefig("x.png")` writes it.

    Raises:
        ValueError: There is no result, no such clock, no such figure, or none of the results has it: only slabheap has `largest_free` and
            `occupancy`, and costs and rates are there only if they were measured.

    Examples:
        >>> from slabheap import compare, plot, workloads
        >>> trace = workloads.steady_state(2000, workloads.log_normal(100, 1.0), 50_000)
        >>> figure = plot.figures(compare(trace, ["classic", "compact"]), ["external_fragmentation", "allocate_p99_ns"])
        >>> [axes.get_title("left") for axes in figure.axes]
        ['external fragmentation', 'allocate p99']
    """
    check_clock(clock)
    several = expect_results(results)
    chosen = _DEFAULT if names is None else names
    check_figures(chosen)
    for name in chosen:
        if several[0].events and all(np.isnan(result.series(name).astype(np.float64)).all() for result in several):
            raise ValueError(f"none of the results has {name}")
    labels = distinct_labels([result.label for result in several])
    with styled() as look:
        figure = figure_of(8, 1.2 + 1.6 * len(chosen))
        panels = figure.subplots(len(chosen), 1, sharex=True, squeeze=False)[:, 0]
        for axes, name in zip(panels, chosen, strict=True):
            _draw_panel(axes, several, labels, name, clock, look)
            axes.label_outer()
        panels[0].legend(loc="upper left", bbox_to_anchor=(1, 1))
        of_one = f", {labels[0]}" if len(several) == 1 else ""
        write_heading(figure, title or f"Figures over {counted(several[0].events, 'event')}{of_one}")
        return figure
