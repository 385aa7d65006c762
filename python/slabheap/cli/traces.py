"""The commands that look into traces and change their format: info, convert."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from slabheap.cli.app import Json, TracePath, app
from slabheap.cli.console import Shown, bytes_cell, err, errors_end, out, print_json, shown_progress, table_of
from slabheap.events import Operation, is_allocation
from slabheap.formats import FORMATS, open_trace
from slabheap.formats import convert as convert_trace
from slabheap.formats.liveness import LiveBlocks

__all__ = ["convert", "info"]

_READABLE = [known.name for known in FORMATS.values() if known.reader]
_WRITABLE = [known.name for known in FORMATS.values() if known.writer]

From = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="FORMAT",
        help=f"The format that is read: {', '.join(_READABLE)}. Unless given, the file's first bytes tell.",
        autocompletion=lambda: _READABLE,
    ),
]
To = Annotated[
    str | None,
    typer.Option(
        "--to",
        metavar="FORMAT",
        help=f"The format to write: {', '.join(_WRITABLE)}. Unless given, the name of OUT tells.",
        autocompletion=lambda: _WRITABLE,
    ),
]


class _Facts:
    """What there is to say about the events of a stream."""

    def __init__(self) -> None:
        self._live = LiveBlocks()
        self._threads: set[int] = set()
        self._counts: dict[int, int] = {}  # from a size to the requests for it
        self.blocks = self.time = self.requested = self.peak = 0

    def add(self, events: Any) -> None:
        """Takes further events."""
        begins = is_allocation(events)
        changes = self._live.advance(events, np.zeros(int(begins.sum()), np.int64))
        requested = self.requested + np.cumsum(changes.after - changes.before)
        self.requested, self.peak = int(requested[-1]), max(self.peak, int(requested.max()))
        self.blocks += int(begins.sum())
        self.time = int(events["time"][-1])
        self._threads.update(np.unique(events["thread"]).tolist())
        sizes, counts = np.unique(events["size"][events["operation"] != Operation.FREE], return_counts=True)
        for size, count in zip(sizes.tolist(), counts.tolist(), strict=True):
            self._counts[size] = self._counts.get(size, 0) + count

    def as_dict(self) -> dict[str, Any]:
        """The facts, in the order in which they are shown."""
        sizes = np.array(sorted(self._counts), np.uint64)
        below = np.cumsum([self._counts[size] for size in sorted(self._counts)])
        return {
            "events": self._live.events,
            "blocks": self.blocks,
            "threads": len(self._threads),
            "seconds": self.time / 1e9,
            "peak_requested_bytes": self.peak,
            "median_request_bytes": int(sizes[np.searchsorted(below, below[-1] / 2)]) if sizes.size else 0,
            "largest_request_bytes": int(sizes[-1]) if sizes.size else 0,
            "live_at_end_bytes": self.requested,
        }


def _reports(progress: Shown, what: str) -> Any:
    return lambda done, total: progress(what, done, total)


@app.command()
def info(
    trace: TracePath,
    from_: From = None,
    as_json: Json = False,
) -> None:
    """Say what is in a trace of any format: events, blocks, threads, sizes, the peak, and what was lost.

    slabheap info app.trace

    slabheap info heaptrack.app.71.zst
    """
    facts = _Facts()
    with errors_end(), shown_progress() as progress, open_trace(trace, from_) as reader:
        report = _reports(progress, "reading")
        for events in reader:
            facts.add(events)
            report(*reader.progress)
    known = reader.information
    shown = {
        "source": known.source,
        "command": known.command,
        **facts.as_dict(),
        "sites": len(known.sites),
        "lost_events": known.lost,
        "foreign_events": known.foreign,
    }
    if as_json:
        print_json(shown)
        return
    rows = [[name.replace("_", " "), _fact_text(name, value)] for name, value in shown.items()]
    out.print(table_of(str(trace), ["", "value"], rows))


def _fact_text(name: str, value: Any) -> str:
    if name.endswith("_bytes"):
        return bytes_cell(value)
    if isinstance(value, list):
        return " ".join(value)
    return f"{value:,.3g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


@app.command()
def convert(
    source: Annotated[Path, typer.Argument(help="A trace of any format; - for standard input.", metavar="IN")],
    target: Annotated[Path, typer.Argument(help="The file to write; - for standard output.", metavar="OUT")],
    from_: From = None,
    to: To = None,
    as_json: Json = False,
) -> None:
    """Write a trace in another format. It may be larger than memory, and packed by gzip or Zstandard.

    OUT is a trace of slabheap if it ends with .trace or without a suffix, else what it ends with: .rep, .arrow, .parquet, .dhat.json,
    .chrome.json, .pb.gz; with .gz or .zst behind that it is packed. It is written whole or not at all.

      slabheap convert heaptrack.app.71.zst app.trace

      slabheap convert app.trace app.dhat.json

      slabheap convert --to rep app.trace - | less
    """
    with errors_end(), shown_progress() as progress:
        if as_json and str(target) == "-":
            raise ValueError("the trace and --json cannot both go to standard output")
        report = _reports(progress, "converting")
        done = convert_trace(source, target, source_format=from_, target_format=to, progress=report)
    if as_json:
        print_json(done)
        return
    missing = [
        f"{count:,} {what}"
        for what, count in (("lost", done.lost), ("foreign", done.foreign), ("freed unseen", done.implied_frees))
        if count
    ]
    err.print(f"wrote {target}: {done.events:,} events" + (f"; {', '.join(missing)}" if missing else ""), highlight=False)
