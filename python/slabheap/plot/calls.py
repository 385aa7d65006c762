"""What each kind of call cost, allocators below each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from slabheap.costs import OPERATIONS, Costs
from slabheap.plot.style import Theme, expect_results, figure_of, styled, write_heading
from slabheap.results import Result
from slabheap.texts import counted, distinct_labels, time_text

__all__ = ["call_costs"]

# How a percentile is marked: no two alike without colour.
_MARKS = {"p50": "o", "p90": "|", "p99": "D", "p999": "^", "max": "x"}
_WORDS = {"p50": "median", "p90": "90 %", "p99": "99 %", "p999": "99.9 %", "max": "the dearest"}
_LEAST = 1.0  # ns; where costs stand that are below it, zero among them


def _mark(name: str, look: Theme) -> dict[str, Any]:
    """How a percentile looks; the median alone is filled."""
    colour, mark = look.colours[0], _MARKS[name]
    filled = colour if name == "p50" else look.paper
    return {"color": colour, "marker": mark, "markerfacecolor": filled, "markersize": 8 if mark == "|" else 5, "linestyle": "none"}


def _draw_operation(axes: Axes, all_costs: Sequence[Costs], operation: str, look: Theme) -> None:
    """Draws the percentiles of an operation, a row for each allocator from the top."""
    for row, costs in enumerate(all_costs):
        place = len(all_costs) - 1 - row
        summary = costs.summary().get(operation)
        if summary is None:
            axes.annotate("no such call", (0.01, place), xycoords=("axes fraction", "data"), va="center")
            continue
        points = {name: max(_LEAST, summary[name]) for name in _MARKS}
        axes.plot([points["p50"], points["max"]], [place, place], color=look.shade, linewidth=4, solid_capstyle="butt", zorder=1)
        for name, cost in points.items():
            axes.plot(cost, place, **_mark(name, look))


def call_costs(results: Result | Sequence[Result], title: str = "") -> Figure:
    """What calls cost: for each operation that was called, the percentiles of each allocator, on a scale of powers of ten.

    Args:
        results: One result, or several of the same trace, whose costs were measured.
        title: What to write above it; a description of the results unless given.

    Returns:
        A figure 8 inches wide; its height grows with operations and results. `figure.savefig("x.png")` writes it. Costs below 1 ns stand at
        1 ns.

    Raises:
        ValueError: There is no result or no event, or the costs of one were not measured.

    Examples:
        >>> from slabheap import compare, plot, workloads
        >>> trace = workloads.steady_state(2000, workloads.log_normal(100, 1.0), 50_000)
        >>> figure = plot.call_costs(compare(trace, ["classic", "system"]))
        >>> [axes.get_title("left") for axes in figure.axes]
        ['allocate', 'free']
    """
    several = expect_results(results)
    if not several[0].events:
        raise ValueError("there are no calls to draw the costs of")
    all_costs = []
    for result in several:
        if result.costs is None:
            raise ValueError(f"what calls cost on {result.label} was not measured")
        all_costs.append(result.costs)
    called = [operation for operation in OPERATIONS if any(costs.count(operation) for costs in all_costs)]
    labels = distinct_labels([result.label for result in several], 40)
    with styled() as look:
        figure = figure_of(8, 1.3 + len(called) * (0.5 + 0.24 * len(several)))
        panels = figure.subplots(len(called), 1, sharex=True, squeeze=False)[:, 0]
        for axes, operation in zip(panels, called, strict=True):
            axes.set_xscale("log")
            _draw_operation(axes, all_costs, operation, look)
            axes.set_title(operation.replace("_", " "), fontsize=9)
            axes.set_yticks(range(len(several) - 1, -1, -1), labels)
            axes.set_ylim(-0.6, len(several) - 0.4)
            axes.grid(visible=False, axis="y")
            axes.tick_params(axis="y", length=0)
        panels[0].xaxis.set_major_locator(LogLocator(10, numticks=20))
        panels[0].xaxis.set_major_formatter(FuncFormatter(lambda value, _: time_text(value)))
        panels[0].xaxis.set_minor_formatter(NullFormatter())
        panels[-1].set_xlabel("time of a call; less is better")
        handles = [Line2D([], [], **_mark(name, look), label=words) for name, words in _WORDS.items()]
        figure.legend(handles=handles, loc="outside lower right", ncols=len(handles))
        of_one = f", {labels[0]}" if len(several) == 1 else ""
        write_heading(figure, title or f"What calls cost, {counted(several[0].events, 'event')}{of_one}")
        return figure
