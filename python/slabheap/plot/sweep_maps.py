"""A sweep over two of its axes."""

from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, MultipleLocator

from slabheap import merits
from slabheap.grids import AXES, axis_text
from slabheap.plot.style import Theme, figure_of, frame, name_axes, styled, write_title
from slabheap.texts import distinct_labels

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["sweep_map"]

_Numbers: TypeAlias = npt.NDArray[np.float64]

_MOST_VALUES = 40  # of an axis


def _figure(name: str) -> merits.Figure:
    """What is known of a column of numbers."""
    return merits.FIGURES.get(name) or merits.Figure.of(name, "count")


def _is_numeric(column: pd.Series[Any]) -> bool:
    return column.dtype.kind in "iufb"


def _ordered(frame: pd.DataFrame, axis: str) -> tuple[list[Any], list[int]]:
    """The values of an axis, and each row's place among them. Numbers ascend, others are as they occur; what is not given is first."""
    values = [None if is_missing else value for value, is_missing in zip(frame[axis], frame[axis].isna(), strict=True)]
    given = list(dict.fromkeys(value for value in values if value is not None))
    if _is_numeric(frame[axis]):
        given.sort()
    ordered = [None, *given] if None in values else given
    places = {value: place for place, value in enumerate(ordered)}
    return ordered, [places[value] for value in values]


def _cells(frame: pd.DataFrame, x: str, y: str, value: str) -> tuple[list[Any], list[Any], _Numbers, npt.NDArray[np.int64]]:
    """The values of both axes, the median figure of each cell (NaN if there is none), and the rows that each cell has."""
    columns, column_of = _ordered(frame, x)
    rows, row_of = _ordered(frame, y)
    import pandas as pd  # so that whoever draws no sweep need not wait for it

    figures = pd.DataFrame(
        {"row": row_of, "column": column_of, "value": frame[value].astype("Float64").to_numpy(np.float64, na_value=np.nan)}
    )
    medians = np.full((len(rows), len(columns)), np.nan)
    counts = np.zeros(medians.shape, np.int64)
    for _, cell in figures.groupby(["row", "column"])["value"].agg(["median", "size"]).reset_index().iterrows():
        place = int(cell["row"]), int(cell["column"])
        medians[place], counts[place] = cell["median"], cell["size"]
    return columns, rows, medians, counts


def _check_sweep(frame: pd.DataFrame, x: str, y: str, value: str) -> None:
    if frame.empty:
        raise ValueError("the frame has no row to draw")
    choices = [axis for axis in (*AXES, "trace", "seed", "label") if axis in frame]
    for axis in (x, y):
        if axis not in choices:
            raise ValueError(f"{axis!r} is no axis of the sweep; there are {', '.join(choices)}")
        values = frame[axis].nunique(dropna=False)
        if values > _MOST_VALUES:
            raise ValueError(f"{axis} has {values:,} values; leave rows out until it has {_MOST_VALUES}")
    if x == y:
        raise ValueError(f"both axes are {x!r}")
    figures = [str(name) for name in frame if name not in choices and _is_numeric(frame[name])]
    if value not in figures:
        raise ValueError(f"{value!r} is no figure of the sweep; there are {', '.join(figures)}")


def _write_cells(axes: Axes, medians: _Numbers, counts: npt.NDArray[np.int64], shades: _Numbers, value: str, look: Theme) -> None:
    """Writes each figure into its cell; where there is none, the hatched ground is seen."""
    axes.patch.set(hatch="////", edgecolor=look.shade, linewidth=0)
    for (i, j), figure in np.ndenumerate(medians):
        if np.isnan(figure):
            if counts[i, j]:
                axes.text(j, i, "failed", ha="center", va="center", fontsize=8, backgroundcolor=look.paper)
            continue
        red, green, blue, _ = look.ramp(shades[i, j])
        ink = "#111111" if 0.3 * red + 0.59 * green + 0.11 * blue > 0.5 else "#ffffff"
        axes.text(j, i, _figure(value).text(figure), ha="center", va="center", fontsize=8, color=ink)


def _mark_best(axes: Axes, medians: _Numbers, value: str, look: Theme) -> None:
    """Frames the best cells, unless all are as good."""
    best = np.nanmax(medians) if _figure(value).more_is_better else np.nanmin(medians)
    if np.nanmin(medians) == np.nanmax(medians):
        return
    for i, j in np.argwhere(medians == best):
        axes.add_patch(Rectangle((j - 0.47, i - 0.46), 0.94, 0.92, fill=False, edgecolor=look.colours[1], linewidth=2.2))


def _name_cells(axes: Axes, x: str, y: str, columns: list[Any], rows: list[Any]) -> None:
    """Names both axes and their values, aslant if they would touch."""
    texts = distinct_labels([axis_text(x, each) for each in columns], 30)
    texts = [textwrap.fill(text, 12, break_long_words=False) for text in texts]
    is_crowded = max(len(line) for text in texts for line in text.split("\n")) > 12
    axes.set_xticks(range(len(columns)), texts, rotation=35 if is_crowded else 0, ha="right" if is_crowded else "center")
    if is_crowded:
        axes.set_xticks(range(len(columns)), [text.replace("\n", " ") for text in texts], rotation_mode="anchor")
    axes.set_yticks(range(len(rows)), [textwrap.fill(text, 30) for text in distinct_labels([axis_text(y, each) for each in rows], 58)])
    axes.tick_params(length=0)
    name_axes(axes, x.replace("_", " "), y.replace("_", " "))


def _add_scale(axes: Axes, image: AxesImage, value: str, span: float) -> None:
    bar = axes.figure.colorbar(image, ax=axes, label=textwrap.fill(_figure(value).title, 24), pad=0.02)
    bar.ax.tick_params(labelsize=8)
    unit = _figure(value).unit
    if unit in ("bytes", "share", "seconds", "ns"):
        bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda number, _: _figure(value).text(number)))
    elif unit == "rate":
        bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda number, _: f"{number / 1e6:g}"))
    if unit == "bytes" and span > 0:
        bar.ax.yaxis.set_major_locator(MultipleLocator(2.0 ** math.ceil(math.log2(span / 5))))


def _median_of(sweep: pd.DataFrame, x: str, y: str) -> str:
    """What the figure of a cell is taken over."""
    axes = [axis for axis in (*AXES, "trace", "seed") if axis in sweep and axis not in (x, y)]
    others = [axis for axis in axes if sweep[axis].nunique(dropna=False) > 1]
    return f", median over {', '.join(others).replace('_', ' ')}" if others else ""


def sweep_map(rows_of_sweep: pd.DataFrame, x: str, y: str, value: str = "held_ratio", title: str = "") -> Figure:
    """A figure of a sweep over two of its axes: a cell for each pair of values, with the figure in it; the best has a frame.

    A cell of several rows, such as repeats or values of other axes, has their median.

    Args:
        rows_of_sweep: What `sweep` returned, or `frame_at` read.
        x: The axis from left to right: an option, "allocator", "trace", "seed" or "label".
        y: The axis from top to bottom.
        value: The figure: any column of numbers, such as "held_ratio" or "operations_per_second".
        title: What to write above it.

    Returns:
        A figure that grows with the values of both axes; `figure.savefig("x.png")` writes it.

    Raises:
        ValueError: There is no row, no such axis, or no such figure; the message names those there are.

    Examples:
        >>> from slabheap import plot, sweep, workloads
        >>> trace = workloads.steady_state(2000, workloads.log_normal(100, 1.0), 50_000)
        >>> grid = {"preset": ["classic", "compact"], "page_bytes": [1024, 4096]}
        >>> figure = plot.sweep_map(sweep(trace, grid, repeats=0, jobs=1), "page_bytes", "preset")
        >>> [label.get_text() for label in figure.axes[0].get_xticklabels()]
        ['1 KiB', '4 KiB']
    """
    _check_sweep(rows_of_sweep, x, y, value)
    columns, rows, medians, counts = _cells(rows_of_sweep, x, y, value)
    if np.isnan(medians).all():
        raise ValueError(f"no row of the sweep has {value!r}" + ("; it was not timed" if "second" in value else ""))
    low, high = float(np.nanmin(medians)), float(np.nanmax(medians))
    norm = Normalize(low, high if high > low else low + 1)
    with styled() as look:
        width = max(6.0, 2.6 + (0.95 if len(columns) <= 12 else 0.7) * len(columns))
        figure = figure_of(width, max(2.8, 1.6 + 0.42 * len(rows)))
        axes = figure.add_subplot()
        frame(axes)
        image = axes.imshow(medians, cmap=look.ramp, norm=norm, aspect="auto", interpolation="nearest")
        _write_cells(axes, medians, counts, np.asarray(norm(medians)), value, look)
        _mark_best(axes, medians, value, look)
        _name_cells(axes, x, y, columns, rows)
        _add_scale(axes, image, value, high - low)
        holes = "; hatched: not run" if (counts == 0).any() else ""
        better = "more is better" if _figure(value).more_is_better else "less is better"
        name = _figure(value).title
        about = f"{name[0].upper()}{name[1:]}{_median_of(rows_of_sweep, x, y)}; {better}{holes}"
        write_title(axes, title or about, width - 0.8)
        return figure
