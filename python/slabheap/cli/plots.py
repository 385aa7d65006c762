"""The commands that draw: plot, with a command for each kind of picture."""

from __future__ import annotations

import enum
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

import slabheap
from slabheap.cli.app import (
    Classes,
    HeapBytes,
    PageBytes,
    PageLayerName,
    Pages,
    PresetName,
    Repeats,
    SetBlocks,
    TracePath,
    app,
    class_list,
    heap_options,
)
from slabheap.cli.console import err, errors_end, shown_progress
from slabheap.replaying import Result
from slabheap.replaying import compare as compare_allocators
from slabheap.replaying import replay as replay_trace
from slabheap.trace import Trace

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["AllocatorNames", "expect_file", "plot"]

plot = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Draw a trace, a replay of it, or a sweep.\n\n"
    "The ending of the file says what it becomes: .png, .svg or .pdf; an animation is a .gif, .png or .webp. With -o - a PNG goes to "
    "standard output.\n\n"
    "  slabheap plot timeline app.trace -a classic -a system -o time.png\n\n"
    "  slabheap plot strip app.trace --preset compact -o pages.png\n\n"
    "  slabheap plot lifetimes app.trace -o sizes.svg\n\n"
    "  slabheap plot sweep sweep.parquet -x page_bytes -y preset -o sweep.png",
)
app.add_typer(plot, name="plot")


class ThemeName(enum.StrEnum):
    """The paper that a picture is for."""

    LIGHT = "light"
    DARK = "dark"


class ClockName(enum.StrEnum):
    """What time is counted in."""

    EVENTS = "events"
    SECONDS = "seconds"


class WeightName(enum.StrEnum):
    """What is counted."""

    REQUESTS = "requests"
    BYTES = "bytes"


Output = Annotated[Path, typer.Option("--output", "-o", help="The picture to write; - for standard output.")]
Title = Annotated[str, typer.Option(help="What to write above it; a description unless given.")]
Theme = Annotated[ThemeName, typer.Option(help="For light paper or dark.")]
Clock = Annotated[ClockName, typer.Option(help="What time is counted in: events of the trace, or seconds of the program.")]
AllocatorNames = Annotated[
    list[str] | None,
    typer.Option("--allocator", "-a", help="classic, compact, system, or the path of a shared library with malloc. Repeatable."),
]
Preset = Annotated[PresetName | None, typer.Option(help="The preset of slabheap.")]
Columns = Annotated[int | None, typer.Option(help="Pages in a row of a map; chosen to suit unless given.", min=1)]


def expect_file(output: Path, endings: Sequence[str]) -> None:
    """Raises before anything long is done if a file could not be written: it has another ending, or there is no such folder."""
    if str(output) == "-":
        return
    if output.suffix.lower() not in endings:
        raise ValueError(f"{output} must end with {', '.join(endings[:-1])} or {endings[-1]}")
    if not output.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {output.parent} to write {output.name} into")


def _draw(output: Path, theme: ThemeName, draw: Callable[[], Figure]) -> None:
    name: Literal["light", "dark"] = "dark" if theme is ThemeName.DARK else "light"
    with slabheap.plot.theme(name):
        figure = draw()
    if str(output) == "-":
        figure.savefig(sys.stdout.buffer, format="png")
    else:
        figure.savefig(output)
        err.print(f"wrote {output}")


_FIGURES = (".png", ".svg", ".pdf")


def _replayed(trace: Path, moments: int | None, repeats: int = 0, event: int | None = None, **options: Any) -> Result:
    """A replay on slabheap, with snapshots at so many moments, at an event, or at the peak."""
    with shown_progress() as progress:
        loaded = Trace.load(trace)
        snapshots = [event] if event is not None else None if moments is None else slabheap.plot.moments(loaded, moments)
        return replay_trace(
            loaded,
            repeats=repeats,
            snapshot_events=snapshots,
            progress=lambda done, total: progress("replaying", done, total),
            **options,
        )


def _options(
    preset: PresetName | None,
    heap_bytes: int | None,
    classes: str | None,
    set_blocks: int | None,
    page_bytes: int | None,
    pages: PageLayerName | None,
) -> dict[str, Any]:
    options = heap_options(heap_bytes, classes, set_blocks, page_bytes, pages)
    return options if preset is None else {**options, "preset": preset.value}


def _compared(trace: Path, allocators: list[str] | None, heap_bytes: int | None, repeats: int) -> tuple[Trace, list[Result]]:
    with shown_progress() as progress:
        options = {} if heap_bytes is None else {"bytes": heap_bytes}
        loaded = Trace.load(trace)
        return loaded, compare_allocators(
            loaded,
            allocators or ["classic", "compact", "system"],
            repeats=repeats,
            progress=lambda done, total: progress("replaying", done, total),
            **options,
        )


@plot.command()
def timeline(
    trace: TracePath,
    output: Output,
    allocators: AllocatorNames = None,
    heap_bytes: HeapBytes = None,
    clock: Clock = ClockName.EVENTS,
    title: Title = "",
    theme: Theme = ThemeName.LIGHT,
) -> None:
    """Bytes over time: requested, used and held by one allocator, or held by each of several.

    slabheap plot timeline app.trace -a compact -o time.png

    slabheap plot timeline app.trace -a classic -a compact -a system --clock seconds -o time.svg
    """
    with errors_end():
        expect_file(output, _FIGURES)
        _, results = _compared(trace, allocators, heap_bytes, 0)
        _draw(output, theme, lambda: slabheap.plot.timeline(results, title, clock=clock.value))


@plot.command()
def comparison(
    trace: TracePath,
    output: Output,
    allocators: AllocatorNames = None,
    heap_bytes: HeapBytes = None,
    repeats: Repeats = 3,
    title: Title = "",
    theme: Theme = ThemeName.LIGHT,
) -> None:
    """Bars of several allocators: operations a second with their spread, and the most bytes held over the most requested.

    slabheap plot comparison app.trace -a classic -a system -a /usr/lib/x86_64-linux-gnu/libjemalloc.so.2 --repeats 5 -o bars.png
    """
    with errors_end():
        expect_file(output, _FIGURES)
        loaded, results = _compared(trace, allocators, heap_bytes, repeats)
        _draw(output, theme, lambda: slabheap.plot.comparison(results, title or f"{trace.name}: {len(loaded):,} events"))


@plot.command(name="pages")
def page_map(
    trace: TracePath,
    output: Output,
    event: Annotated[int | None, typer.Option(help="After which event; at the peak unless given.", min=0)] = None,
    preset: Preset = None,
    heap_bytes: HeapBytes = None,
    classes: Classes = None,
    set_blocks: SetBlocks = None,
    page_bytes: PageBytes = None,
    pages: Pages = None,
    columns: Columns = None,
    title: Title = "",
    theme: Theme = ThemeName.LIGHT,
) -> None:
    """The pages of slabheap in one moment: free, in a set and how full, or in a large block.

    slabheap plot pages app.trace --preset compact -o pages.png

    slabheap plot pages app.trace --event 1000000 --columns 256 -o pages.png
    """
    with errors_end():
        expect_file(output, _FIGURES)
        options = _options(preset, heap_bytes, classes, set_blocks, page_bytes, pages)
        result = _replayed(trace, None, event=event, **options)
        if not result.snapshots:
            raise ValueError("there are no events to draw a map of")
        [(after, runs)] = result.snapshots.items()
        about = f"Pages after event {after:,}{'' if event is not None else ', at the peak'}, {result.label}"
        _draw(output, theme, lambda: slabheap.plot.page_map(runs, title or about, columns))


@plot.command()
def strip(
    trace: TracePath,
    output: Output,
    frames: Annotated[int, typer.Option(help="How many maps.", min=1)] = 8,
    preset: Preset = None,
    heap_bytes: HeapBytes = None,
    classes: Classes = None,
    set_blocks: SetBlocks = None,
    page_bytes: PageBytes = None,
    pages: Pages = None,
    columns: Columns = None,
    title: Title = "",
    theme: Theme = ThemeName.LIGHT,
) -> None:
    """A film strip: the pages of slabheap in several moments, below the timeline.

    slabheap plot strip app.trace --frames 12 -o strip.png
    """
    with errors_end():
        expect_file(output, _FIGURES)
        result = _replayed(trace, frames, **_options(preset, heap_bytes, classes, set_blocks, page_bytes, pages))
        _draw(output, theme, lambda: slabheap.plot.page_strip(result, title, columns))


@plot.command()
def animation(
    trace: TracePath,
    output: Annotated[Path, typer.Option("--output", "-o", help="The animation to write: a .gif, a .png or a .webp.")],
    frames: Annotated[int, typer.Option(help="How many maps.", min=1)] = 60,
    speed: Annotated[float, typer.Option(help="Frames a second.", min=0.1)] = 8.0,
    preset: Preset = None,
    heap_bytes: HeapBytes = None,
    classes: Classes = None,
    set_blocks: SetBlocks = None,
    page_bytes: PageBytes = None,
    pages: Pages = None,
    columns: Columns = None,
    title: Title = "",
    theme: Theme = ThemeName.LIGHT,
) -> None:
    """The pages of slabheap over time as an animation, with a cursor in the timeline.

    slabheap plot animation app.trace -o pages.gif

    slabheap plot animation app.trace --frames 200 --speed 20 -o pages.webp
    """
    from slabheap.plot.page_maps import ANIMATED

    with errors_end():
        if str(output) == "-":
            raise ValueError("an animation is written to a file, not to standard output")
        expect_file(output, ANIMATED)
        result = _replayed(trace, frames, **_options(preset, heap_bytes, classes, set_blocks, page_bytes, pages))
        name: Literal["light", "dark"] = "dark" if theme is ThemeName.DARK else "light"
        with slabheap.plot.theme(name), shown_progress() as progress:
            slabheap.plot.page_animation(
                result,
                output,
                title,
                columns=columns,
                frames_per_second=speed,
                progress=lambda done, total: progress("drawing", done, total),
            )
        err.print(f"wrote {output}")


@plot.command(name="classes")
def class_occupancy(
    trace: TracePath,
    output: Output,
    preset: Preset = None,
    heap_bytes: HeapBytes = None,
    classes: Classes = None,
    set_blocks: SetBlocks = None,
    page_bytes: PageBytes = None,
    pages: Pages = None,
    title: Title = "",
    theme: Theme = ThemeName.LIGHT,
) -> None:
    """How full each size class of slabheap is over time, and the most bytes that it has.

    slabheap plot classes app.trace --classes 16,32,48,64,128,256,512 -o classes.png
    """
    with errors_end():
        expect_file(output, _FIGURES)
        result = _replayed(trace, None, **_options(preset, heap_bytes, classes, set_blocks, page_bytes, pages))
        _draw(output, theme, lambda: slabheap.plot.class_occupancy(result, title))


@plot.command()
def lifetimes(
    trace: TracePath,
    output: Output,
    clock: Clock = ClockName.EVENTS,
    weight: Annotated[WeightName, typer.Option(help="What is counted.")] = WeightName.REQUESTS,
    classes: Annotated[str | None, typer.Option(help="Block sizes to draw as lines, as 64,128,256.")] = None,
    title: Title = "",
    theme: Theme = ThemeName.LIGHT,
) -> None:
    """Sizes and lifetimes of what the program asked for, as a heat map.

    slabheap plot lifetimes app.trace --clock seconds --weight bytes -o sizes.png

    slabheap plot lifetimes app.trace --classes 64,128,256,512,1024,2048,4096 -o sizes.png
    """
    with errors_end():
        expect_file(output, _FIGURES)
        lines = class_list(classes) if classes else []
        loaded = Trace.load(trace)
        _draw(
            output,
            theme,
            lambda: slabheap.plot.lifetimes(loaded, title, clock=clock.value, weight=weight.value, classes=lines),
        )


@plot.command()
def sweep(
    frame: Annotated[Path, typer.Argument(help="The Parquet file of a sweep.", metavar="FRAME")],
    output: Output,
    x: Annotated[str, typer.Option("-x", help="The axis from left to right, such as page_bytes.")],
    y: Annotated[str, typer.Option("-y", help="The axis from top to bottom, such as preset.")],
    value: Annotated[str, typer.Option("--value", "-v", help="The figure: any column of numbers.")] = "held_ratio",
    title: Title = "",
    theme: Theme = ThemeName.LIGHT,
) -> None:
    """A figure of a sweep over two of its axes, with the best in a frame.

    slabheap sweep app.trace --preset classic,compact --page-bytes 1K,4K -o sweep.parquet

    slabheap plot sweep sweep.parquet -x page_bytes -y preset -v operations_per_second -o speed.png
    """
    from slabheap.sweeping import frame_at  # which loads pandas

    with errors_end():
        expect_file(output, _FIGURES)
        rows = frame_at(frame)
        _draw(output, theme, lambda: slabheap.plot.sweep_map(rows, x, y, value, title))
