"""The commands that look into traces and change their format: info, convert."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from slabheap.cli.app import Json, TracePath, app
from slabheap.cli.console import Shown, errors_end, out, print_json, print_note, shown_progress, table_of
from slabheap.formats import FORMATS, open_trace
from slabheap.formats import convert as convert_trace
from slabheap.summary import Summary
from slabheap.texts import fact_rows

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
    summary = Summary()
    with errors_end(), shown_progress() as progress, open_trace(trace, from_) as reader:
        report = _reports(progress, "reading")
        for events in reader:
            summary.add(events)
            report(*reader.progress)
    facts = summary.facts(reader.information)
    if as_json:
        print_json(facts)
        return
    out.print(table_of(str(trace), ["", "value"], fact_rows(facts)))


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
    print_note(f"wrote {target}: {done.events:,} events" + (f"; {', '.join(missing)}" if missing else ""))
