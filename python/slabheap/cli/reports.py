"""The command that writes a page about a comparison: report."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

import slabheap
from slabheap.cli.app import HeapBytes, Repeats, TracePath, app
from slabheap.cli.console import err, errors_end, shown_progress
from slabheap.cli.plots import AllocatorNames, expect_file
from slabheap.replaying import compare as compare_allocators
from slabheap.trace import Trace

__all__ = ["report"]


@app.command()
def report(
    trace: TracePath,
    output: Annotated[Path, typer.Option("--output", "-o", help="The page to write; - for standard output.")],
    allocators: AllocatorNames = None,
    heap_bytes: HeapBytes = None,
    repeats: Repeats = 3,
    frames: Annotated[int, typer.Option(help="Maps of the pages of each slabheap.", min=1)] = 8,
    title: Annotated[str, typer.Option(help="What to write above it; the program unless given.")] = "",
) -> None:
    """Compare allocators on one page of HTML that opens from disk: sortable tables, every picture, and how it was made.

    slabheap report app.trace -o report.html

    slabheap report app.trace -a compact -a system -a /usr/lib/x86_64-linux-gnu/libjemalloc.so.2 --repeats 5 -o report.html
    """
    with errors_end(), shown_progress() as progress:
        expect_file(output, (".html", ".htm"))
        loaded = Trace.load(trace)
        results = compare_allocators(
            loaded,
            allocators or ["classic", "compact", "system"],
            repeats=repeats,
            snapshot_events=slabheap.plot.moments(loaded, frames),
            progress=lambda done, total: progress("replaying", done, total),
            **({} if heap_bytes is None else {"bytes": heap_bytes}),
        )
        to_file = str(output) != "-"
        page = slabheap.report(
            loaded,
            results,
            output if to_file else None,
            title=title,
            command=shlex.join(["slabheap", *sys.argv[1:]]),
            progress=lambda done, total: progress("drawing", done, total),
        )
    if to_file:
        err.print(f"wrote {output}")
    else:
        sys.stdout.write(page)
