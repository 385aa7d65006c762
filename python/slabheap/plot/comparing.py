"""Allocators side by side."""

from __future__ import annotations

import statistics
import textwrap
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from slabheap.plot.style import Theme, count_bytes, expect_results, figure_of, name_axes, styled, write_heading
from slabheap.results import Result
from slabheap.texts import bytes_text, counted, distinct_labels

__all__ = ["comparison"]

_Numbers: TypeAlias = npt.NDArray[np.float64]


def _rates(result: Result) -> list[float]:
    """Million operations a second of the median, the slowest and the fastest replay; 0 if none was timed."""
    seconds = result.all_seconds or [0.0]
    return [result.events / each / 1e6 if each else 0.0 for each in (statistics.median(seconds), max(seconds), min(seconds))]


def _draw_speed(axes: Axes, results: Sequence[Result], places: _Numbers, look: Theme) -> None:
    rates, slowest, fastest = np.array([_rates(result) for result in results]).T
    axes.barh(
        places,
        rates,
        xerr=[rates - slowest, fastest - rates],
        color=look.colours[0],
        edgecolor=look.ink,
        error_kw={"lw": 0.9, "capsize": 3, "ecolor": look.ink},
    )
    for place, rate, end, result in zip(places, rates, fastest, results, strict=True):
        axes.annotate(
            f" {rate:.1f}" if result.all_seconds else " not timed", (end, place), xytext=(3, 0), textcoords="offset points", va="center"
        )
    axes.set_xlim(0, 1.2 * float(fastest.max()) or 1.0)
    repeats = max(len(result.all_seconds) for result in results)
    spread = f"\nmedian of {repeats} replays, and their range" if repeats > 1 else ""
    name_axes(axes, f"million operations a second; more is better{spread}", "")


def _draw_space(axes: Axes, results: Sequence[Result], places: _Numbers, look: Theme) -> None:
    """Draws peaks of bytes held, over the peak requested if anything was."""
    held = np.array([result.peak_held_bytes for result in results], np.float64)
    requested = results[0].peak_requested_bytes
    lengths = held / requested if requested else held
    axes.barh(places, lengths, color=look.colours[1], edgecolor=look.ink, hatch="//")
    for place, length, size in zip(places, lengths, held, strict=True):
        text = f"{length:,.2f} ({bytes_text(size)})" if requested else bytes_text(size)
        axes.annotate(f" {text}", (length, place), xytext=(3, 0), textcoords="offset points", va="center")
    most = float(lengths.max(initial=0))
    if requested:
        axes.axvline(1, color=look.ink, linewidth=0.9, linestyle=":")
        name_axes(axes, f"peak held / peak requested ({bytes_text(requested)}); less is better", "")
        axes.set_xlim(0, 1.5 * max(1.0, most))
    else:
        count_bytes(axes.xaxis, 2 * most)
        name_axes(axes, "peak held; less is better", "")
        axes.set_xlim(0, 1.4 * max(1.0, most))


def comparison(results: Sequence[Result], title: str = "") -> Figure:
    """Bars side by side: operations a second, with the spread of the repeats, and peak bytes held over the peak requested.

    Args:
        results: Of the same trace.
        title: What to write above it.

    Returns:
        A figure 9 inches wide; its height grows with the results. `figure.savefig("x.png")` writes it.

    Raises:
        ValueError: There is no result.

    Examples:
        >>> from slabheap import compare, plot, workloads
        >>> trace = workloads.steady_state(2000, workloads.log_normal(100, 1.0), 50_000)
        >>> figure = plot.comparison(compare(trace, ["classic", "compact"], repeats=3))
        >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
        ['classic', 'compact']
    """
    expect_results(results)
    with styled() as look:
        names = [textwrap.fill(label, 28) for label in distinct_labels([result.label for result in results])]
        row_inches = max(0.42, 0.12 + 0.15 * max(name.count("\n") + 1 for name in names))
        figure = figure_of(9, 1.5 + row_inches * len(results))
        speed, space = figure.subplots(1, 2, sharey=True)
        places = np.arange(len(results), dtype=np.float64)[::-1]
        _draw_speed(speed, results, places, look)
        _draw_space(space, results, places, look)
        speed.set_yticks(places, names)
        speed.set_ylim(-0.6, len(results) - 0.4)
        for axes in (speed, space):
            axes.grid(visible=False, axis="y")
            axes.tick_params(axis="y", length=0)
        write_heading(figure, title or counted(results[0].events, "event"))
        return figure
