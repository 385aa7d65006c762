"""The commands."""

from __future__ import annotations

import enum
import math
from pathlib import Path
from typing import Annotated, Any

import typer

import slabheap
from slabheap.cli.console import bytes_cell, err, errors_end, out, print_json, shown_progress, table_of
from slabheap.recording import RecordedProcess
from slabheap.recording import record as record_program
from slabheap.replaying import Result
from slabheap.replaying import compare as compare_allocators
from slabheap.replaying import replay as replay_trace
from slabheap.trace import Trace

__all__ = ["Json", "PageLayerName", "PresetName", "TracePath", "app", "class_list"]

app = typer.Typer(
    name="slabheap",
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Record what a program allocates, replay it on slabheap and on other allocators, and look at what it does.\n\n"
    "A first session:\n\n"
    "  slabheap record -o app.trace -- ./app --its-options\n\n"
    "  slabheap info app.trace\n\n"
    "  slabheap compare app.trace --plot app.png",
)

TracePath = Annotated[Path, typer.Argument(help="A trace of any format; - for standard input.", metavar="TRACE")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines instead of tables.")]
Repeats = Annotated[int, typer.Option(help="Timed replays; the median counts.", min=0)]
HeapBytes = Annotated[int | None, typer.Option("--bytes", help="Bytes of the heap; eight times the peak unless given.")]
Classes = Annotated[str | None, typer.Option(help="Block sizes of the classes, as 64,128,256.")]
SetBlocks = Annotated[int | None, typer.Option(help="Blocks that a set aims at, 1 to 64.")]
PageBytes = Annotated[int | None, typer.Option(help="Bytes of a page, a power of two, 512 to 65536.")]


class PresetName(enum.StrEnum):
    """A preset of slabheap."""

    CLASSIC = "classic"
    COMPACT = "compact"


class PageLayerName(enum.StrEnum):
    """A page layer of slabheap."""

    BUDDY = "buddy"
    BEST_FIT = "best_fit"


Pages = Annotated[PageLayerName | None, typer.Option(help="The page layer; the preset's unless given.")]


def class_list(text: str) -> list[int]:
    """Block sizes as they are given on the command line."""
    try:
        return [int(size) for size in text.split(",")]
    except ValueError:
        raise ValueError(f"classes must be numbers with commas between them, not {text!r}") from None


def _options(
    heap_bytes: int | None, classes: str | None, set_blocks: int | None, page_bytes: int | None, pages: PageLayerName | None
) -> dict[str, Any]:
    """The options that were given, as `replay` takes them."""
    given = {
        "bytes": heap_bytes,
        "classes": class_list(classes) if classes else None,
        "set_blocks": set_blocks,
        "page_bytes": page_bytes,
        "pages": pages.value if pages else None,
    }
    return {name: value for name, value in given.items() if value is not None}


@app.command(context_settings={"ignore_unknown_options": True})
def record(
    command: Annotated[list[str], typer.Argument(help="The program and its arguments, behind --.", metavar="-- PROGRAM ...")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The trace to write.")],
    follow: Annotated[bool, typer.Option(help="Keep the traces of programs that it starts, too.")] = True,
    scratch: Annotated[
        Path | None, typer.Option(help="A folder with room for 32 bytes a call while it runs; that of the trace unless given.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Run a program and write a trace of its allocations. Ends with the program's exit status.

    The program is any that is dynamically linked; nothing of it is changed. Programs that it starts have traces of their own, beside
    the first, named after their process.

    Python keeps small objects to itself; PYTHONMALLOC=malloc lets them be seen:

      PYTHONMALLOC=malloc slabheap record -o app.trace -- python3 app.py
    """
    with errors_end(), shown_progress() as progress:
        recorded = record_program(command, output, follow=follow, scratch=scratch, progress=progress)
    processes = ([recorded.main] if recorded.main else []) + recorded.others
    if as_json:
        print_json({"status": recorded.status, "processes": processes})
    elif processes:
        err.print(table_of("Recorded", ["trace", "program", "events", "lost"], [_process_row(p) for p in processes]))
    if recorded.main is None:
        err.print("slabheap: the program made no call of malloc that could be seen; is it statically linked?")
    raise typer.Exit(recorded.status if recorded.status >= 0 else 128 - recorded.status)


def _process_row(process: RecordedProcess) -> list[str]:
    name = Path(process.command[0]).name if process.command else "?"
    return [str(process.path), name, f"{process.events:,}", f"{process.lost:,}"]


# Bytes are peaks; the ratio is that of the bytes held to those requested.
_RESULT_COLUMNS = ["allocator", "Mops/s", "requested", "used", "held", "ratio", "failures"]


def _result_row(result: Result) -> list[str]:
    return [
        result.label,
        f"{result.operations_per_second / 1e6:.1f}" if math.isfinite(result.operations_per_second) else "not timed",
        bytes_cell(result.peak_requested_bytes),
        bytes_cell(result.peak_used_bytes),
        bytes_cell(result.peak_held_bytes),
        f"{result.peak_held_bytes / max(1, result.peak_requested_bytes):.2f}",
        f"{result.failures:,}",
    ]


def _json_number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _result_json(result: Result) -> dict[str, Any]:
    return {
        "allocator": result.allocator,
        "options": result.options,
        "events": result.events,
        "seconds": _json_number(result.seconds),
        "operations_per_second": _json_number(result.operations_per_second),
        "peak_requested_bytes": result.peak_requested_bytes,
        "peak_used_bytes": result.peak_used_bytes,
        "peak_held_bytes": result.peak_held_bytes,
        "failures": result.failures,
        "class_stats": result.class_stats,
    }


def _save(figure: Any, path: Path) -> None:
    figure.savefig(path)
    err.print(f"wrote {path}")


@app.command()
def replay(
    trace: TracePath,
    allocator: Annotated[str, typer.Option(help="slabheap, system, or the path of a shared library with malloc.")] = "slabheap",
    preset: Annotated[PresetName | None, typer.Option(help="The preset of slabheap.")] = None,
    heap_bytes: HeapBytes = None,
    classes: Classes = None,
    set_blocks: SetBlocks = None,
    page_bytes: PageBytes = None,
    pages: Pages = None,
    repeats: Repeats = 3,
    timeline: Annotated[Path | None, typer.Option(help="Draw bytes over time into this PNG.")] = None,
    page_map: Annotated[Path | None, typer.Option("--map", help="Draw the heap's pages at the peak into this PNG.")] = None,
    as_json: Json = False,
) -> None:
    """Replay a trace on one allocator, and draw what it did.

    slabheap replay app.trace --preset compact --timeline time.png --map pages.png

    slabheap replay app.trace --classes 32,64,128,512,4096 --pages best_fit
    """
    with errors_end(), shown_progress() as progress:
        options = _options(heap_bytes, classes, set_blocks, page_bytes, pages)
        if preset is not None:
            options["preset"] = preset.value
        loaded = Trace.load(trace)
        result = replay_trace(
            loaded, allocator, repeats=repeats, progress=lambda done, total: progress("replaying", done, total), **options
        )
        if page_map is not None and not result.snapshots:
            raise ValueError(
                "there are no events to draw a map of" if allocator == "slabheap" else "only slabheap knows its pages; leave out --map"
            )
    if as_json:
        print_json(_result_json(result))
    else:
        out.print(table_of(f"{len(loaded):,} events", _RESULT_COLUMNS, [_result_row(result)]))
        if result.class_stats:
            rows = [
                [f"{c.block_size:,}", f"{c.allocations:,}", f"{c.used_blocks:,}", f"{c.total_blocks:,}", f"{c.sets:,}"]
                for c in result.class_stats
            ]
            out.print(table_of("Size classes at the end", ["block", "allocations", "used", "blocks", "sets"], rows))
    with errors_end():
        if timeline is not None:
            _save(slabheap.plot.timeline(result), timeline)
        if page_map is not None:
            event, runs = next(iter(result.snapshots.items()))
            _save(slabheap.plot.page_map(runs, f"Pages after event {event:,}, at the peak, {result.label}"), page_map)


@app.command()
def compare(
    trace: TracePath,
    allocators: Annotated[
        list[str] | None,
        typer.Option("--allocator", "-a", help="classic, compact, system, or the path of a shared library with malloc. Repeatable."),
    ] = None,
    heap_bytes: HeapBytes = None,
    repeats: Repeats = 3,
    picture: Annotated[Path | None, typer.Option("--plot", help="Draw the comparison into this PNG.")] = None,
    timeline: Annotated[Path | None, typer.Option(help="Draw what each holds over time into this PNG.")] = None,
    as_json: Json = False,
) -> None:
    """Replay a trace on several allocators and put them side by side.

    slabheap compare app.trace

    slabheap compare app.trace -a compact -a system -a /usr/lib/x86_64-linux-gnu/libjemalloc.so.2 --plot all.png
    """
    with errors_end(), shown_progress() as progress:
        chosen = allocators or ["classic", "compact", "system"]
        options = {} if heap_bytes is None else {"bytes": heap_bytes}
        loaded = Trace.load(trace)
        results = compare_allocators(
            loaded, chosen, repeats=repeats, progress=lambda done, total: progress("replaying", done, total), **options
        )
    if as_json:
        print_json([_result_json(result) for result in results])
    else:
        out.print(table_of(f"{len(loaded):,} events", _RESULT_COLUMNS, [_result_row(result) for result in results]))
    with errors_end():
        if picture is not None:
            _save(slabheap.plot.comparison(results, f"{trace.name}: {len(loaded):,} events"), picture)
        if timeline is not None:
            _save(slabheap.plot.timeline(results), timeline)
