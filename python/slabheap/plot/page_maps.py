"""The pages of a heap: in one moment, in several beside each other, and one after the other as an animation."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize, to_rgb
from matplotlib.figure import Figure, SubFigure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from PIL import Image

from slabheap._core import Program
from slabheap.files import replaced
from slabheap.pages import columns_for, common_page_bytes, page_grid, page_occupancy
from slabheap.plot.over_time import draw_timeline
from slabheap.plot.style import Theme, count_bytes, count_rows, figure_of, frame, name_axes, parts, styled, write_heading, write_title
from slabheap.results import Result
from slabheap.texts import bytes_text, distinct_labels
from slabheap.trace import Trace

__all__ = ["ANIMATED", "moments", "page_animation", "page_map", "page_strip"]

#: The kinds of file that an animation can be.
ANIMATED = (".gif", ".png", ".webp")

_Runs: TypeAlias = npt.NDArray[np.void]
_Grid: TypeAlias = npt.NDArray[np.float64]


def _draw_pages(axes: Axes, grid: _Grid, page_bytes: int, look: Theme, pixels: int) -> AxesImage:
    """Draws pages; where a row has more of them than pixels, those have the mean of their colours."""
    rows, columns = grid.shape
    mixing = "nearest" if columns <= pixels else "antialiased"
    extent = (0, columns * page_bytes, rows * columns * page_bytes, 0)
    image = axes.imshow(look.pages.of(grid), aspect="auto", interpolation=mixing, extent=extent)
    frame(axes)
    count_bytes(axes.xaxis, columns * page_bytes)
    count_rows(axes.yaxis, rows, columns * page_bytes, 8)
    return image


def _kinds(look: Theme, large: str, sets: str, free: str) -> list[Patch]:
    """A legend of the kinds of pages."""
    colours = zip((look.pages.large, look.pages.fullest, look.pages.free), (large, sets, free), strict=True)
    return [Patch(facecolor=parts(colour), edgecolor=look.ink, label=label) for colour, label in colours]


def _add_colourbar(figure: Figure | SubFigure, axes: Any, look: Theme, fraction: float) -> None:
    ramp = LinearSegmentedColormap.from_list("pages", [parts(look.pages.emptiest), parts(look.pages.fullest)])
    figure.colorbar(ScalarMappable(Normalize(0, 100), ramp), ax=axes, label="used in sets, %", fraction=fraction, pad=0.02)


def page_map(runs: _Runs, title: str = "", columns: int | None = None) -> Figure:
    """The pages of a heap, row by row in order of address: free ones white, large blocks black, sets the darker the fuller they are.

    On dark paper it is the other way round. Free pages behind the last that is in use are left out. Regions follow each other without
    a gap.

    Args:
        runs: As `Heap.runs` or `Result.snapshots` give them.
        title: What to write above it.
        columns: Pages in a row; chosen to suit unless given.

    Returns:
        A figure 9 inches wide; `figure.savefig("x.png")` writes it.

    Raises:
        ValueError: There is no run, or no column.

    Examples:
        >>> from slabheap import Heap, plot
        >>> with Heap(1 << 20) as heap:
        ...     blocks = [heap.allocate(size) for size in (100, 5000, 300, 40_000)]
        ...     figure = plot.page_map(heap.runs(), "After four allocations")
        >>> figure.axes[0].get_title("left")
        'After four allocations'
    """
    if columns is not None and columns < 1:
        raise ValueError(f"a row must have at least one page, not {columns}")
    occupancy, page_bytes = page_occupancy(runs)
    grid = page_grid(occupancy, columns or columns_for(occupancy.size))
    with styled() as look:
        figure = figure_of(9, min(9, max(2.4, 7 * grid.shape[0] / grid.shape[1] + 1.4)))
        axes = figure.add_subplot()
        _draw_pages(axes, grid, page_bytes, look, 1024)
        sets = occupancy[(occupancy >= 0) & (occupancy <= 1)]
        mean = f", {100 * sets.mean():.0f} % used on average" if sets.size else ""
        counts = (occupancy > 1).sum(), sets.size, (occupancy < 0).sum()
        large, of_sets, free = (bytes_text(float(count) * page_bytes) for count in counts)
        handles = _kinds(look, f"large blocks: {large}", f"sets: {of_sets}{mean}", f"free between them: {free}")
        figure.legend(handles=handles, loc="outside lower left", ncols=3)
        _add_colourbar(figure, axes, look, 0.03)
        write_title(axes, title or "Pages of the heap", 8)
        name_axes(axes, "offset in the row", "offset of the row")
        return figure


def _grids(snapshots: Mapping[Any, _Runs], columns: int | None) -> tuple[list[_Grid], int]:
    """The pages of each snapshot, all of the same shape, and the bytes of a page."""
    if not snapshots or any(runs.size == 0 for runs in snapshots.values()):
        raise ValueError("there is no run to draw")
    page_bytes = common_page_bytes(*snapshots.values())
    occupancies = [page_occupancy(runs, page_bytes)[0] for runs in snapshots.values()]
    most = max(occupancy.size for occupancy in occupancies)
    columns = columns or columns_for(most)
    pages = math.ceil(max(1, most) / columns) * columns
    return [page_grid(occupancy, columns, pages) for occupancy in occupancies], page_bytes


def moments(trace: Trace | Program, count: int) -> list[int]:
    """Events for `snapshot_events` of `replay`: evenly spread up to the last, with that of the peak in the place of the nearest.

    Args:
        trace: The trace; or what `compile_trace` made of one.
        count: How many, at the most; a trace has no more than it has events.

    Raises:
        ValueError: The count is below 1.

    Examples:
        >>> from slabheap import plot, workloads
        >>> trace = workloads.from_lifetimes(500, workloads.constant(64), workloads.constant(10))
        >>> plot.moments(trace, 4)
        [9, 494, 741, 989]
    """
    if count < 1:
        raise ValueError(f"there must be at least one moment, not {count}")
    program = trace.program if isinstance(trace, Trace) else trace
    events = program.events
    spread = sorted({max(0, round((step + 1) * events / count) - 1) for step in range(count)}) if events else []
    peak = program.peak_event
    if len(spread) > 1 and peak not in spread:
        # The last stays: it shows what is left behind.
        spread[min(range(len(spread) - 1), key=lambda index: abs(spread[index] - peak))] = peak
    return sorted(spread)


def _number_frames(axes: Axes, result: Result, look: Theme) -> None:
    """Marks in a timeline where its snapshots are, with the numbers of their maps where these do not touch."""
    numbered = -math.inf
    for number, event in enumerate(result.snapshots, 1):
        axes.axvline(event, color=look.ink, linewidth=0.7, linestyle=":")
        if event < numbered + 0.03 * result.events:
            continue
        numbered = event
        place: dict[str, Any] = {"xycoords": ("data", "axes fraction"), "xytext": (0, 2), "textcoords": "offset points"}
        axes.annotate(f"{number}", (event, 1), **place, ha="center", va="bottom", fontsize=7)


def _across(maps: int) -> int:
    """How many maps a row of a strip has."""
    return maps if maps <= 4 else 3 if maps <= 6 else 4


def _draw_strip(figure: Figure | SubFigure, grids: list[_Grid], names: list[str], page_bytes: int, look: Theme) -> None:
    across = _across(len(grids))
    axes = figure.subplots(math.ceil(len(grids) / across), across, sharex=True, sharey=True, squeeze=False)
    for place, each in enumerate(axes.flat):
        if place >= len(grids):
            each.set_axis_off()
            continue
        _draw_pages(each, grids[place], page_bytes, look, 256)
        count_rows(each.yaxis, len(grids[place]), grids[place].shape[1] * page_bytes, 4)
        each.set_title(names[place], fontsize=8.5)
        each.tick_params(labelbottom=False, bottom=False, labelsize=7.5, labelleft=place % across == 0)
    _add_colourbar(figure, axes, look, 0.02)
    figure.legend(handles=_kinds(look, "large blocks", "sets", "free"), loc="outside lower left", ncols=3)


def page_strip(snapshots: Result | Mapping[Any, _Runs], title: str = "", columns: int | None = None) -> Figure:
    """A film strip: the pages of a heap in several moments, on one scale; above those of a replay, the timeline with the moments in it.

    Args:
        snapshots: A result with snapshots, or runs by the name of the moment, as `Heap.runs` gave them.
        title: What to write above it.
        columns: Pages in a row of a map; chosen to suit unless given.

    Returns:
        A figure 9 inches wide; its height grows with the moments. `figure.savefig("x.png")` writes it.

    Raises:
        ValueError: There is no snapshot; `replay` takes them at `snapshot_events`, on slabheap alone.

    Examples:
        >>> from slabheap import Heap, plot
        >>> moments = {}
        >>> with Heap(1 << 20) as heap:
        ...     blocks = [heap.allocate(1000) for _ in range(200)]
        ...     moments["all"] = heap.runs()
        ...     for block in blocks[::2]:
        ...         heap.free(block)
        ...     moments["every other one freed"] = heap.runs()
        >>> figure = plot.page_strip(moments)
        >>> [axes.get_title("left") for axes in figure.axes[:2]]
        ['1: all', '2: every other one freed']
    """
    result = snapshots if isinstance(snapshots, Result) else None
    runs: Mapping[Any, _Runs] = snapshots.snapshots if isinstance(snapshots, Result) else snapshots
    grids, page_bytes = _grids(runs, columns)
    names = [f"{number}: after event {name:,}" if result else f"{number}: {name}" for number, name in enumerate(runs, 1)]
    across = _across(len(grids))
    map_inches = max(0.9, min(2.5, 13 / across * grids[0].shape[0] / grids[0].shape[1]))
    strip_inches = math.ceil(len(grids) / across) * (map_inches + 0.25) + 0.5
    with styled() as look:
        figure = figure_of(9, strip_inches + (2.6 if result else 0.3))
        write_heading(figure, title or ("Pages over time" + (f", {distinct_labels([result.label])[0]}" if result else "")))
        below: Figure | SubFigure = figure
        if result is not None:
            grid = figure.add_gridspec(2, 1, height_ratios=[2.3, strip_inches])
            above, below = figure.add_subfigure(grid[0]), figure.add_subfigure(grid[1])
            axes = above.add_subplot()
            draw_timeline(axes, [result], "events", look)
            _number_frames(axes, result, look)
            axes.legend(loc="upper left", bbox_to_anchor=(1, 1), labelspacing=0.8)
        _draw_strip(below, grids, names, page_bytes, look)
        return figure


def _stage(result: Result, grid: _Grid, page_bytes: int, look: Theme, title: str) -> tuple[Figure, AxesImage, Line2D]:
    """The figure of an animation, whose map and cursor change from frame to frame."""
    figure = figure_of(8, min(7.5, max(4.2, 6 * grid.shape[0] / grid.shape[1] + 2.6)))
    pages, time = figure.subplots(2, 1, height_ratios=[max(1.6, figure.get_figheight() - 2.6), 1.5])
    image = _draw_pages(pages, grid, page_bytes, look, 512)
    name_axes(pages, "offset in the row", "offset of the row")
    _add_colourbar(figure, pages, look, 0.03)
    write_title(pages, title or f"Pages over time, {distinct_labels([result.label])[0]}", 7)
    draw_timeline(time, [result], "events", look)
    cursor = time.axvline(0, color=look.ink, linewidth=1.2)
    handles = _kinds(look, "large blocks", "sets", "free"), time.get_legend_handles_labels()[0]
    figure.legend(handles=[each for pair in zip(*handles, strict=True) for each in pair], loc="outside lower left", ncols=3)
    return figure, image, cursor


def _few_colours(frames: list[Image.Image], paper: str) -> list[Image.Image]:
    """The frames with a palette that they share, taken from the first, the middle and the last of them."""
    chosen = [frames[0], frames[len(frames) // 2], frames[-1]]
    sample = Image.fromarray(np.concatenate([np.asarray(each) for each in chosen])).quantize(256, dither=Image.Dither.NONE)
    palette = np.array(sample.getpalette(), np.int64).reshape(-1, 3)
    ground = np.rint(255 * np.array(to_rgb(paper))).astype(np.int64)
    palette[np.abs(palette - ground).max(axis=1) <= 8] = ground  # means that are nearly the ground would be taken for it
    sample.putpalette(palette.ravel().tolist())
    return [each.quantize(palette=sample, dither=Image.Dither.NONE) for each in frames]


def page_animation(
    result: Result,
    path: str | Path,
    title: str = "",
    *,
    columns: int | None = None,
    frames_per_second: float = 8,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Writes an animation of the pages of a heap over the snapshots of a replay, with a cursor in the timeline. It runs for ever.

    Args:
        result: Of slabheap, with a snapshot for each frame; `replay` takes them at `snapshot_events`.
        path: The file to write, which is replaced once it is whole: a .gif, a .png (which is an animated one), or a .webp.
        title: What to write above it.
        columns: Pages in a row; chosen to suit unless given.
        frames_per_second: How fast it runs; the last frame stays for two seconds.
        progress: Called with the frames drawn and those to draw.

    Raises:
        ValueError: There is no snapshot, the file is to be of another kind, or the speed is not above 0.
        OSError: The file cannot be written.

    Examples:
        >>> import tempfile
        >>> from slabheap import plot, replay, workloads
        >>> trace = workloads.steady_state(2000, workloads.log_normal(300, 1.0), 50_000)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "pages.gif")
        ...     plot.page_animation(replay(trace, snapshot_events=range(0, 2000, 500)), path)
        ...     with Image.open(path) as image:
        ...         image.n_frames
        4
    """
    path = Path(path)
    if path.suffix.lower() not in ANIMATED:
        raise ValueError(f"an animation is written as {', '.join(ANIMATED)}, not as {path.suffix or 'a file without an ending'}")
    if not frames_per_second > 0:
        raise ValueError(f"there must be more than 0 frames a second, not {frames_per_second}")
    grids, page_bytes = _grids(result.snapshots, columns)
    frames = []
    with styled() as look:
        figure, image, cursor = _stage(result, grids[0], page_bytes, look, title)
        figure.set_dpi(100)
        canvas = FigureCanvasAgg(figure)
        for event, grid in zip(result.snapshots, grids, strict=True):
            image.set_data(look.pages.of(grid))
            cursor.set_xdata([event, event])
            canvas.draw()  # type: ignore[no-untyped-call]
            figure.set_layout_engine("none")  # what the first frame was laid out to, all are
            pixels = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
            frames.append(Image.fromarray(pixels).convert("RGB"))
            if progress is not None:
                progress(len(frames), len(grids))
    wait = max(1, round(1000 / frames_per_second))
    if path.suffix.lower() != ".webp":
        frames = _few_colours(frames, look.paper)
    waits = [*[wait] * (len(frames) - 1), max(wait, 2000)]
    with replaced(path) as file:
        frames[0].save(file, path.suffix[1:], save_all=True, append_images=frames[1:], duration=waits, loop=0)
