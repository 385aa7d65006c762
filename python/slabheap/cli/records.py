"""The command that records: record."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from slabheap.cli.app import Json, app
from slabheap.cli.console import err, errors_end, print_error, print_json, shown_progress, table_of
from slabheap.recording import RecordedProcess
from slabheap.recording import record as record_program

__all__ = ["record"]


@app.command(context_settings={"ignore_unknown_options": True})
def record(
    command: Annotated[list[str], typer.Argument(help="The program and its arguments, behind --.", metavar="-- PROGRAM ...")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The trace to write, a .trace; - for standard output.")],
    follow: Annotated[bool, typer.Option(help="Keep the traces of programs that it starts, too.")] = True,
    scratch: Annotated[
        Path | None, typer.Option(help="A folder with room for 32 bytes a call while it runs; that of the trace unless given.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Run a program and write a trace of its allocations. Ends with the program's exit status.

    The program is any that is dynamically linked; nothing of it is changed. Programs that it starts have traces of their own, beside
    the first, named after their process. Ctrl-C is the program's; what was recorded until then is kept.

      slabheap record -o app.trace -- ./app --its-options

    With -o - the trace goes to standard output, what the program prints there to standard error, and the program's trace is the only one:

      slabheap record -o - -- ./app | slabheap replay -

    Python keeps small objects to itself; PYTHONMALLOC=malloc lets them be seen:

      PYTHONMALLOC=malloc slabheap record -o app.trace -- python3 app.py
    """
    with errors_end(), shown_progress() as progress:
        if as_json and str(output) == "-":
            raise ValueError("the trace and --json cannot both go to standard output")
        recorded = record_program(command, output, follow=follow, scratch=scratch, progress=progress)
    processes = ([recorded.main] if recorded.main else []) + recorded.others
    if as_json:
        print_json({"status": recorded.status, "processes": processes, "reasons": recorded.reasons})
    elif processes:
        err.print(table_of("Recorded", ["trace", "program", "events", "lost"], [_process_row(p) for p in processes]))
    for reason in recorded.reasons:
        print_error(reason)
    if recorded.main is None and not recorded.reasons:
        print_error("the program made no call of malloc that could be seen; is it statically linked?")
    raise typer.Exit(recorded.status if recorded.status >= 0 else 128 - recorded.status)


def _process_row(process: RecordedProcess) -> list[str]:
    name = Path(process.command[0]).name if process.command else "?"
    return [str(process.path), name, f"{process.events:,}", f"{process.lost:,}"]
