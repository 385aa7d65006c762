"""The commands that replay: replay, compare."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

import slabheap
from slabheap._core import Program
from slabheap.cli.app import (
    Allocators,
    Costs,
    HeapBytes,
    HeapOptions,
    HugePages,
    HugePagesName,
    Json,
    Repeats,
    TracePath,
    Warm,
    app,
    read_program,
    takes_heap_options,
)
from slabheap.cli.console import Shown, errors_end, out, print_json, print_note, shown_progress, table_of
from slabheap.cli.drawing import PICTURES, expect_file, save
from slabheap.costs import OPERATIONS
from slabheap.files import replaced
from slabheap.merits import FIGURES
from slabheap.replaying import compare as compare_allocators
from slabheap.replaying import replay as replay_trace
from slabheap.results import Result
from slabheap.texts import bytes_text, time_text
from slabheap.trace import Trace

__all__ = ["compare", "compared", "replay"]

# Bytes are peaks; the ratio is that of the bytes held to those requested.
_RESULT_COLUMNS = ["allocator", "Mops/s", "requested", "used", "held", "ratio", "failures"]


def _result_row(result: Result) -> list[str]:
    return [
        result.label,
        f"{result.operations_per_second / 1e6:.1f}" if math.isfinite(result.operations_per_second) else "not timed",
        bytes_text(result.peak_requested_bytes),
        bytes_text(result.peak_used_bytes),
        bytes_text(result.peak_held_bytes),
        f"{result.peak_held_bytes / max(1, result.peak_requested_bytes):.2f}",
        f"{result.failures:,}",
    ]


def _print_costs(results: Sequence[Result]) -> None:
    """What each operation cost: how many calls there were, or, of several allocators, one below the other."""
    is_one = len(results) == 1
    rows = []
    for operation in OPERATIONS:
        for result in results:
            costs = {} if result.costs is None else result.costs.summary()
            if operation in costs:
                count, *times = costs[operation].values()
                rows.append([operation.replace("_", " "), f"{count:,}" if is_one else result.label, *map(time_text, times)])
    if rows:
        columns = ["call", "calls" if is_one else "allocator", "mean", "p50", "p90", "p99", "p99.9", "max"]
        out.print(table_of("What calls cost", columns, rows))


# Of the figures, those that are not in the first table.
_PRINTED = (
    *("internal_fragmentation", "external_fragmentation", "occupancy", "largest_free_bytes"),
    *("mean_held_bytes", "mean_held_bytes_by_time", "peak_live_pages", "touched_pages"),
)


def _print_figures(result: Result) -> None:
    """The figures at the peak, and those of pages."""
    if result.at_peak is None:
        return
    found = result.figures()
    rows = [[FIGURES[name].title, FIGURES[name].text(found[name])] for name in _PRINTED if found[name] is not None]
    out.print(table_of("Figures", ["", "value"], rows))


def _print_classes(result: Result) -> None:
    if not result.class_stats:
        return
    rows = [
        [f"{c.block_size:,}", f"{c.allocations:,}", f"{c.used_blocks:,}", f"{c.total_blocks:,}", f"{c.sets:,}"] for c in result.class_stats
    ]
    out.print(table_of("Size classes at the end", ["block", "allocations", "used", "blocks", "sets"], rows))


def _result_json(result: Result) -> dict[str, Any]:
    """Everything of a result that is not over time."""
    costs = result.costs
    return {
        "allocator": result.allocator,
        "label": result.label,
        "options": result.options,
        **result.figures(),
        "is_warm": result.is_warm,
        "all_seconds": result.all_seconds,
        "costs": None if costs is None else costs.summary(),
        "reading_ns": None if costs is None else costs.reading_nanoseconds,
        "resolution_ns": None if costs is None else costs.resolution_nanoseconds,
        "class_stats": result.class_stats,
    }


def _save_series(result: Result, path: Path) -> None:
    frame = result.over_time()
    with replaced(path) as file:
        if path.suffix.lower() == ".parquet":
            frame.to_parquet(file, index=False)
        else:
            file.write(frame.to_csv(index=False).encode())
    print_note(f"wrote {path}")


_SERIES = (".csv", ".parquet")


def _expect_file(option: str, output: Path | None, endings: Sequence[str]) -> None:
    """As `expect_file`; also raises if the file is standard output."""
    if str(output) == "-":
        raise ValueError(f"{option} writes a file, which standard output is not: it is for the tables, or for JSON")
    expect_file(output, endings)


@app.command()
@takes_heap_options
def replay(
    trace: TracePath,
    *,
    allocator: Annotated[
        str,
        typer.Option(
            "--allocator",
            "-a",
            help="slabheap, system, or the path of a shared library with malloc.",
            autocompletion=lambda: ["slabheap", "system"],
        ),
    ] = "slabheap",
    options: HeapOptions,
    repeats: Repeats = 3,
    warm: Warm = False,
    costs: Costs = True,
    series: Annotated[Path | None, typer.Option(help="Write every figure over time into this .csv or .parquet, a row a sample.")] = None,
    timeline: Annotated[Path | None, typer.Option(help="Draw bytes over time into this .png, .svg or .pdf.")] = None,
    page_map: Annotated[Path | None, typer.Option("--map", help="Draw the heap's pages at the peak.")] = None,
    as_json: Json = False,
) -> None:
    """Replay a trace on one allocator, and say what it did: speed, bytes, fragmentation, pages, and what each kind of call cost.

    slabheap replay app.trace --preset compact --timeline time.png --map pages.png

    slabheap replay app.trace --classes 32,64,128,512,4096 --pages best_fit --page-bytes 1K --bytes 64M

    slabheap replay app.trace -a /usr/lib/x86_64-linux-gnu/libjemalloc.so.2 --json | jq .peak_held_bytes
    """
    with errors_end(), shown_progress() as progress:
        _expect_file("--series", series, _SERIES)
        _expect_file("--timeline", timeline, PICTURES)
        _expect_file("--map", page_map, PICTURES)
        result = replay_trace(
            read_program(trace, progress),
            allocator,
            repeats=repeats,
            warm=warm,
            costs=costs and repeats > 0,
            progress=lambda done, total: progress("replaying", done, total),
            **options,
        )
        if page_map is not None and not result.snapshots:
            raise ValueError(
                "there are no events to draw a map of" if allocator == "slabheap" else "only slabheap knows its pages; leave out --map"
            )
    if as_json:
        print_json(_result_json(result))
    else:
        out.print(table_of(f"{result.events:,} events on {result.label}", _RESULT_COLUMNS[1:], [_result_row(result)[1:]]))
        _print_figures(result)
        _print_costs([result])
        _print_classes(result)
    with errors_end():
        if series is not None:
            _save_series(result, series)
        if timeline is not None:
            save(slabheap.plot.timeline(result), timeline)
        if page_map is not None:
            event, runs = next(iter(result.snapshots.items()))
            save(slabheap.plot.page_map(runs, f"Pages after event {event:,}, at the peak, {result.label}"), page_map)


def compared(
    trace: Trace | Program,
    allocators: list[str] | None,
    heap_bytes: int | None,
    progress: Shown,
    huge_pages: HugePagesName | None = None,
    **options: Any,
) -> list[Result]:
    """The results of the allocators of a command, with a bar."""
    return compare_allocators(
        trace,
        allocators or ["classic", "compact", "system"],
        progress=lambda done, total: progress("replaying", done, total),
        **({} if heap_bytes is None else {"bytes": heap_bytes}),
        **({} if huge_pages is None else {"huge_pages": huge_pages.value}),
        **options,
    )


@app.command()
def compare(
    trace: TracePath,
    allocators: Allocators = None,
    heap_bytes: HeapBytes = None,
    huge_pages: HugePages = None,
    repeats: Repeats = 3,
    warm: Warm = False,
    costs: Costs = True,
    picture: Annotated[Path | None, typer.Option("--plot", help="Draw the comparison into this .png, .svg or .pdf.")] = None,
    timeline: Annotated[Path | None, typer.Option(help="Draw what each holds over time.")] = None,
    as_json: Json = False,
) -> None:
    """Replay a trace on several allocators and put them side by side.

    slabheap compare app.trace

    slabheap compare app.trace -a compact -a system -a /usr/lib/x86_64-linux-gnu/libjemalloc.so.2 --plot all.png

    zstdcat app.trace.zst | slabheap compare - --json | jq '.[] | [.label, .held_ratio, .allocate_p99_ns]'
    """
    with errors_end(), shown_progress() as progress:
        _expect_file("--plot", picture, PICTURES)
        _expect_file("--timeline", timeline, PICTURES)
        program = read_program(trace, progress)
        results = compared(program, allocators, heap_bytes, progress, huge_pages, repeats=repeats, warm=warm, costs=costs and repeats > 0)
    if as_json:
        print_json([_result_json(result) for result in results])
    else:
        out.print(table_of(f"{results[0].events:,} events", _RESULT_COLUMNS, [_result_row(result) for result in results]))
        _print_costs(results)
    with errors_end():
        if picture is not None:
            save(slabheap.plot.comparison(results, f"{trace.name}: {results[0].events:,} events"), picture)
        if timeline is not None:
            save(slabheap.plot.timeline(results), timeline)
