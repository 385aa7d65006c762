"""The one style of all pictures: readable in black and white, on light paper and on dark."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import math
import textwrap
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from typing import Any, Literal, TypeAlias

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, FuncFormatter, MaxNLocator, MultipleLocator
from PIL import Image

from slabheap.pages import DARK_PAGES, LIGHT_PAGES, PageColours
from slabheap.results import Result
from slabheap.texts import bytes_text, printable

__all__ = ["ThemeName", "theme"]

ThemeName: TypeAlias = Literal["light", "dark"]

_STYLE: dict[str, Any] = {
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10.5,
    "figure.constrained_layout.use": True,
    "figure.dpi": 150,
    "font.size": 9,
    "grid.linewidth": 0.6,
    "hatch.linewidth": 0.7,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.linewidth": 1.3,
    "savefig.dpi": 150,
}

_INK = (
    *("axes.edgecolor", "axes.labelcolor", "axes.titlecolor", "boxplot.flierprops.color", "legend.labelcolor", "patch.edgecolor"),
    *("text.color", "xtick.color", "ytick.color", "hatch.color"),
)
_PAPER = ("axes.facecolor", "figure.facecolor", "savefig.facecolor")


@dataclasses.dataclass(frozen=True)
class Theme:
    """Colours of a kind of paper.

    Attributes:
        paper: The background.
        ink: Text, axes, edges.
        grid: Lines behind the data.
        shade: An area that stays behind lines.
        colours: Of lines and bars, in order.
        ramp: From least to most, for values.
        pages: Of pages.
    """

    paper: str
    ink: str
    grid: str
    shade: str
    colours: tuple[str, ...]
    ramp: LinearSegmentedColormap
    pages: PageColours

    def settings(self) -> dict[Any, Any]:
        """What matplotlib wants to know."""
        return {**_STYLE, **dict.fromkeys(_INK, self.ink), **dict.fromkeys(_PAPER, self.paper), "grid.color": self.grid}


_THEMES = {
    "light": Theme(
        paper="#ffffff",
        ink="#1a1a1a",
        grid="#e2e2e2",
        shade="#d4d4d4",
        colours=("#1b6ca8", "#c8553d", "#2f7d4f", "#7a4f9e", "#8c6d1f", "#4a4a4a"),
        ramp=LinearSegmentedColormap.from_list("light", ["#d9e7f3", "#93bcdd", "#3b7fb6", "#0c2f52"]),
        pages=LIGHT_PAGES,
    ),
    "dark": Theme(
        paper="#15191e",
        ink="#e6e6e6",
        grid="#31373e",
        shade="#444b54",
        colours=("#6fb3e8", "#f09a80", "#7ccf9b", "#c6a2e6", "#dcbf6c", "#c4c4c4"),
        ramp=LinearSegmentedColormap.from_list("dark", ["#263a4e", "#2f638f", "#5b9fd3", "#dcefff"]),
        pages=DARK_PAGES,
    ),
}
_chosen: ContextVar[Theme] = ContextVar("theme", default=_THEMES["light"])

_DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 3)))
_MARKERS = ("", "o", "s", "^", "v", "D", "x")


@contextlib.contextmanager
def theme(name: ThemeName) -> Iterator[None]:
    """Pictures that are made within it are for that paper: "light", as all are outside, or "dark".

    Raises:
        ValueError: There is no such theme.

    Examples:
        >>> from slabheap import plot, replay, workloads
        >>> trace = workloads.from_lifetimes(100, workloads.constant(64), workloads.constant(10))
        >>> with plot.theme("dark"):
        ...     figure = plot.timeline(replay(trace))
        >>> figure.get_facecolor()[0] < 0.2
        True
    """
    if name not in _THEMES:
        raise ValueError(f'theme must be "light" or "dark", not {name!r}')
    token = _chosen.set(_THEMES[name])
    try:
        yield
    finally:
        _chosen.reset(token)


@contextlib.contextmanager
def styled() -> Iterator[Theme]:
    """The theme of the moment, at work for matplotlib, too."""
    chosen = _chosen.get()
    with mpl.rc_context(chosen.settings()):
        yield chosen


def parts(colour: tuple[int, int, int]) -> tuple[float, float, float]:
    """A colour of pages as matplotlib wants it: red, green and blue from 0 to 1."""
    red, green, blue = colour
    return red / 255, green / 255, blue / 255


class Picture(Figure):
    """A figure that Jupyter shows without being told to."""

    def _repr_png_(self) -> bytes:
        drawn, packed = io.BytesIO(), io.BytesIO()
        self.savefig(drawn, format="png", dpi=100)
        with Image.open(drawn) as image:
            # Notebooks keep what they show, so it had better be small.
            image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(packed, "PNG", optimize=True)
        return packed.getvalue()


def expect_results(results: Result | Sequence[Result]) -> list[Result]:
    """One result or several as a list; raises ValueError if there is none."""
    several = [results] if isinstance(results, Result) else list(results)
    if not several:
        raise ValueError("there is no result to draw")
    return several


def figure_of(width: float, height: float) -> Figure:
    """An empty figure, in inches, that belongs to no window."""
    return Picture(figsize=(width, height))


def line_style(index: int, colours: tuple[str, ...]) -> dict[str, Any]:
    """How the index-th line looks: no two alike without colour, either."""
    around, place = divmod(index, len(_DASHES))
    style: dict[str, Any] = {"color": colours[place % len(colours)], "linestyle": _DASHES[place]}
    if around:
        style |= {"marker": _MARKERS[around % len(_MARKERS)], "markevery": 0.09, "markersize": 4}
    return style


def write_title(axes: Axes, text: str, width: float) -> None:
    """Writes a title, in as many lines as it needs where there are `width` inches."""
    axes.set_title(textwrap.fill(printable(text), max(20, int(width * 12.5))))


def write_heading(figure: Figure, text: str) -> None:
    """Writes a title above a whole figure, in as many lines as it needs."""
    figure.suptitle(textwrap.fill(printable(text), max(20, int(figure.get_figwidth() * 10.8))), x=0.01, ha="left", fontsize=10.5)


def name_axes(axes: Axes, x: str, y: str) -> None:
    """Writes what the axes show."""
    axes.set_xlabel(x)
    axes.set_ylabel(y)


def count_bytes(axis: Axis, most: float) -> None:
    """Ticks on an axis of bytes from 0 to `most`: at most eight, at multiples of a power of two."""
    axis.set_major_locator(MultipleLocator(2.0 ** max(0, math.ceil(math.log2(max(most, 1) / 8)))))
    axis.set_major_formatter(FuncFormatter(lambda value, _: bytes_text(value)))


def count_rows(axis: Axis, rows: int, row_bytes: int, most: int) -> None:
    """Ticks at the beginnings of rows, about `most` of them, with their offsets."""
    axis.set_major_locator(MultipleLocator(row_bytes * 2.0 ** max(0, math.ceil(math.log2(rows / most)))))
    axis.set_major_formatter(FuncFormatter(lambda value, _: bytes_text(value)))


def count_events(axis: Axis, events: int) -> None:
    """Ticks on an axis of events from 0 to `events`, no two of them at the same event."""
    axis.set_major_formatter(EngFormatter(sep=""))
    axis.set_major_locator(MaxNLocator(8, integer=True))
    axis.axes.set_xlim(0, max(1, events))


def frame(axes: Axes) -> None:
    """A border around a picture that has no grid."""
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set_visible(True)
