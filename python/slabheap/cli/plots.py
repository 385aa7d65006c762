"""The commands that draw: plot, with a command for each kind of picture."""

from __future__ import annotations

import enum
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import slabheap
from slabheap.cli.app import Allocators, HeapBytes, HeapOptions, Repeats, TracePath, app, class_list, read_program, takes_heap_options
from slabheap.cli.console import Shown, errors_end, print_note, shown_progress
from slabheap.cli.drawing import PICTURES, ThemeName, expect_file, save
from slabheap.cli.replays import compared
from slabheap.merits import SERIES
from slabheap.replaying import replay as replay_trace
from slabheap.results import Result
from slabheap.trace import Trace

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["plot"]

plot = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Draw a trace, a replay of it, or a sweep.\n\n"
    "The ending of the file says what it becomes: .png, .svg or .pdf; an animation is a .gif, .png or .webp. With -o - a PNG goes to "
    "standard output.\n\n"
    "  slabheap plot timeline app.trace -a classic -a system -o time.png\n\n"
    "  slabheap plot strip app.trace --preset compact -o pages.png\n\n"
    "  slabheap plot lifetimes app.trace -o sizes.svg\n\n"
    "  slabheap plot sweep sweep.parquet -x page_bytes -y preset -o sweep.png",
)
app.add_typer(plot, name="plot")


class ClockName(enum.StrEnum):
    """What time is counted in."""

    EVENTS = "events"
    SECONDS = "seconds"


class CountedName(enum.StrEnum):
    """What is counted."""

    REQUESTS = "requests"
    BYTES = "bytes"


Output = Annotated[Path, typer.Option("--output", "-o", help="The picture to write; - for standard output.")]
Title = Annotated[str, typer.Option(help="What to write above it; a description unless given.")]
Theme = Annotated[ThemeName, typer.Option(help="For light paper or dark.")]
Clock = Annotated[ClockName, typer.Option(help="What time is counted in: events of the trace, or seconds of the program.")]
Columns = Annotated[int | None, typer.Option(help="Pages in a row of a map; chosen to suit unless given.", min=1)]


def _themed(theme: ThemeName) -> AbstractContextManager[None]:
    return slabheap.plot.theme("dark" if theme is ThemeName.DARK else "light")


def _draw(output: Path, theme: ThemeName, draw: Callable[[], Figure]) -> None:
    with _themed(theme):
        figure = draw()
    save(figure, output)


def _replayed(trace: Path, moments: int | None, progress: Shown, event: int | None = None, **options: Any) -> Result:
    """A replay on slabheap, with snapshots at so many moments, at an event, or at the peak."""
    program = read_program(trace, progress)
    if event is not None and event >= program.events > 0:
        raise ValueError(f"--event must be from 0 to {program.events - 1}, not {event}: the trace has {program.events:,} events")
    snapshots = [event] if event is not None else None if moments is None else slabheap.plot.moments(program, moments)
    return replay_trace(
        program, repeats=0, snapshot_events=snapshots, progress=lambda done, total: progress("replaying", done, total), **options
    )


def _compared(trace: Path, allocators: list[str] | None, heap_bytes: int | None, repeats: int, *, costs: bool = False) -> list[Result]:
    with shown_progress() as progress:
        return compared(read_program(trace, progress), allocators, heap_bytes, progress, repeats=repeats, costs=costs)


@plot.command()
def timeline(
    trace: TracePath,
    output: Output,
    allocators: Allocators = None,
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
        expect_file(output, PICTURES)
        results = _compared(trace, allocators, heap_bytes, 0)
        _draw(output, theme, lambda: slabheap.plot.timeline(results, title, clock=clock.value))


@plot.command()
def comparison(
    trace: TracePath,
    output: Output,
    allocators: Allocators = None,
    heap_bytes: HeapBytes = None,
    repeats: Repeats = 3,
    title: Title = "",
    theme: Theme = ThemeName.LIGHT,
) -> None:
    """Bars of several allocators: operations a second with their spread, and the most bytes held over the most requested.

    slabheap plot comparison app.trace -a classic -a system -a /usr/lib/x86_64-linux-gnu/libjemalloc.so.2 --repeats 5 -o bars.png
    """
    with errors_end():
        expect_file(output, PICTURES)
        results = _compared(trace, allocators, heap_bytes, repeats)
        _draw(output, theme, lambda: slabheap.plot.comparison(results, title or f"{trace.name}: {results[0].events:,} events"))


@plot.command()
def figures(
    trace: TracePath,
    output: Output,
    names: Annotated[
        list[str] | None,
        typer.Option(
            "--figure",
            "-f",
            help="Any of those over time, such as external_fragmentation, live_pages, largest_free, allocate_p99_ns. Repeatable.",
            autocompletion=lambda: list(SERIES)[2:],
        ),
    ] = None,
    allocators: Allocators = None,
    heap_bytes: HeapBytes = None,
    repeats: Annotated[int, typer.Option(help="Timed replays, for operations_per_second.", min=0)] = 1,
    clock: Clock = ClockName.EVENTS,
    title: Title = "",
    theme: Theme = ThemeName.LIGHT,
) -> None:
    """Figures of merit over time, a panel each: fragmentation and live pages, or those that are named.

    slabheap plot figures app.trace -o figures.png

    slabheap plot figures app.trace -f allocate_p99_ns -f free_p99_ns -a compact -a system --clock seconds -o costs.png
    """
    from slabheap.plot.merit import check_figures  # which loads matplotlib

    with errors_end():
        expect_file(output, PICTURES)
        if names:
            check_figures(names)
        is_timed = any(SERIES[name].unit == "ns" for name in names or ())
        results = _compared(trace, allocators, heap_bytes, repeats, costs=is_timed)
        _draw(output, theme, lambda: slabheap.plot.figures(results, names or None, title, clock=clock.value))


@plot.command()
def costs(
    trace: TracePath,
    output: Output,
    allocators: Allocators = None,
    heap_bytes: HeapBytes = None,
    title: Title = "",
    theme: Theme = ThemeName.LIGHT,
) -> None:
    """What each kind of call costs: the median, 90, 99 and 99.9 in 100 calls, and the dearest.

    slabheap plot costs app.trace -a classic -a system -a /usr/lib/x86_64-linux-gnu/libjemalloc.so.2 -o costs.png
    """
    with errors_end():
        expect_file(output, PICTURES)
        results = _compared(trace, allocators, heap_bytes, 0, costs=True)
        _draw(output, theme, lambda: slabheap.plot.call_costs(results, title))


@plot.command(name="pages")
@takes_heap_options
def page_map(
    trace: TracePath,
    *,
    output: Output,
    event: Annotated[int | None, typer.Option(help="After which event; at the peak unless given.", min=0)] = None,
    options: HeapOptions,
    columns: Columns = None,
    title: Title = "",
    theme: Theme = ThemeName.LIGHT,
) -> None:
    """The pages of slabheap in one moment: free, in a set and how full, or in a large block.

    slabheap plot pages app.trace --preset compact -o pages.png

    slabheap plot pages app.trace --event 1000000 --columns 256 -o pages.png
    """
    with errors_end():
        expect_file(output, PICTURES)
        with shown_progress() as progress:
            result = _replayed(trace, None, progress, event, **options)
        if not result.snapshots:
            raise ValueError("there are no events to draw a map of")
        [(after, runs)] = result.snapshots.items()
        about = f"Pages after event {after:,}{'' if event is not None else ', at the peak'}, {result.label}"
        _draw(output, theme, lambda: slabheap.plot.page_map(runs, title or about, columns))


@plot.command()
@takes_heap_options
def strip(
    trace: TracePath,
    *,
    output: Output,
    frames: Annotated[int, typer.Option(help="How many maps.", min=1)] = 8,
    options: HeapOptions,
    columns: Columns = None,
    title: Title = "",
    theme: Theme = ThemeName.LIGHT,
) -> None:
    """A film strip: the pages of slabheap in several moments, below the timeline.

    slabheap plot strip app.trace --frames 12 -o strip.png
    """
    with errors_end():
        expect_file(output, PICTURES)
        with shown_progress() as progress:
            result = _replayed(trace, frames, progress, **options)
        _draw(output, theme, lambda: slabheap.plot.page_strip(result, title, columns))


@plot.command()
@takes_heap_options
def animation(
    trace: TracePath,
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="The animation to write: a .gif, a .png or a .webp.")],
    frames: Annotated[int, typer.Option(help="How many maps.", min=1)] = 60,
    speed: Annotated[float, typer.Option(help="Frames a second.", min=0.1)] = 8.0,
    options: HeapOptions,
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
        with shown_progress() as progress:
            result = _replayed(trace, frames, progress, **options)
        with _themed(theme), shown_progress() as progress:
            slabheap.plot.page_animation(
                result,
                output,
                title,
                columns=columns,
                frames_per_second=speed,
                progress=lambda done, total: progress("drawing", done, total),
            )
        print_note(f"wrote {output}")


@plot.command(name="classes")
@takes_heap_options
def class_occupancy(
    trace: TracePath,
    *,
    output: Output,
    options: HeapOptions,
    title: Title = "",
    theme: Theme = ThemeName.LIGHT,
) -> None:
    """How full each size class of slabheap is over time, and the most bytes that it has.

    slabheap plot classes app.trace --classes 16,32,48,64,128,256,512 -o classes.png
    """
    with errors_end():
        expect_file(output, PICTURES)
        with shown_progress() as progress:
            result = _replayed(trace, None, progress, **options)
        _draw(output, theme, lambda: slabheap.plot.class_occupancy(result, title))


@plot.command()
def lifetimes(
    trace: TracePath,
    output: Output,
    clock: Clock = ClockName.EVENTS,
    weight: Annotated[CountedName, typer.Option(help="What is counted.")] = CountedName.REQUESTS,
    classes: Annotated[str | None, typer.Option(help="Block sizes to draw as lines, as 64,128,256.")] = None,
    title: Title = "",
    theme: Theme = ThemeName.LIGHT,
) -> None:
    """Sizes and lifetimes of what the program asked for, as a heat map.

    slabheap plot lifetimes app.trace --clock seconds --weight bytes -o sizes.png

    slabheap plot lifetimes app.trace --classes 64,128,256,512,1024,2048,4096 -o sizes.png
    """
    with errors_end():
        expect_file(output, PICTURES)
        lines = class_list(classes) if classes else []
        with shown_progress() as progress:
            loaded = Trace.load(trace, progress=lambda done, total: progress("reading", done, total))
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
        expect_file(output, PICTURES)
        rows = frame_at(frame)
        _draw(output, theme, lambda: slabheap.plot.sweep_map(rows, x, y, value, title))
