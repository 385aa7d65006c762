"""The command that writes a page about a comparison: report."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

import slabheap
from slabheap.cli.app import Allocators, HeapBytes, HugePages, Repeats, TracePath, app
from slabheap.cli.console import errors_end, print_note, shown_progress
from slabheap.cli.drawing import expect_file
from slabheap.cli.replays import compared
from slabheap.trace import Trace

__all__ = ["report"]


@app.command()
def report(
    trace: TracePath,
    output: Annotated[Path, typer.Option("--output", "-o", help="The page to write; - for standard output.")],
    allocators: Allocators = None,
    heap_bytes: HeapBytes = None,
    huge_pages: HugePages = None,
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
        loaded = Trace.load(trace, progress=lambda done, total: progress("reading", done, total))
        moments = slabheap.plot.moments(loaded, frames)
        results = compared(loaded, allocators, heap_bytes, progress, huge_pages, repeats=repeats, snapshot_events=moments)
        slabheap.report(
            loaded,
            results,
            output,
            title=title,
            command=shlex.join(["slabheap", *sys.argv[1:]]),
            progress=lambda done, total: progress("drawing", done, total),
        )
    if str(output) != "-":
        print_note(f"wrote {output}")
