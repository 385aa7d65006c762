"""What the commands share: how numbers look, progress, and errors that say what to do."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import typer
from rich import box
from rich.console import Console, Group
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from slabheap.errors import HeapError
from slabheap.texts import printable

__all__ = [
    "INTERRUPTED",
    "Shown",
    "err",
    "errors_end",
    "out",
    "print_error",
    "print_json",
    "print_note",
    "reason_of",
    "shown_progress",
    "table_of",
]

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

Shown = Callable[[str, int, int], None]


def print_error(text: str) -> None:
    """A line on the standard error stream that says what went wrong."""
    err.print(Text.assemble(("slabheap:", "bold red"), f" {text}"), soft_wrap=True)


def print_note(text: str) -> None:
    """A line on the standard error stream that says what was done."""
    err.print(Text(text), soft_wrap=True)


def reason_of(error: BaseException) -> str:
    """What went wrong, in words: of the system's errors the file and the reason, without their number."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror if error.filename is None else f"{os.fsdecode(error.filename)}: {error.strerror}"
    return str(error) or type(error).__name__


INTERRUPTED = 128 + signal.SIGINT


@contextlib.contextmanager
def errors_end(kept: Path | None = None) -> Iterator[None]:
    """Turns what a user can do something about into a line on the standard error stream and exit status 2.

    Ctrl-C becomes a line and exit status 130.

    Args:
        kept: The file that has what was finished before.
    """
    try:
        yield
    except KeyboardInterrupt:
        # The same command goes on from the file; without one, nothing is kept.
        rest = f"; what is finished is in {kept}, and the same command goes on from there" if kept is not None and kept.exists() else ""
        print_error(f"interrupted{rest}")
        raise typer.Exit(INTERRUPTED) from None
    except BrokenPipeError:
        raise  # whoever reads the output has gone: `main` ends without a word
    except (ValueError, OSError, MemoryError, RuntimeError, HeapError) as error:
        print_error(reason_of(error))
        raise typer.Exit(2) from None


class _Rate(ProgressColumn):
    """How much is done in a second."""

    def render(self, task: Task) -> Text:
        """The rate, once it is known."""
        rate = task.finished_speed or task.speed
        return Text("" if not rate else f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.2g}/s", style="progress.data.speed")


@contextlib.contextmanager
def shown_progress() -> Iterator[Shown]:
    """A function (what is done, steps done, all steps or 0) that draws a bar with rate and time left, on a terminal only."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        tasks: dict[str, TaskID] = {}

        def show(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=total or None)
            progress.update(tasks[what], completed=done, total=total or None)

        yield show


def table_of(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Group:
    """A table whose first column is text and whose others are numbers, below its title."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index == 0 else "right", no_wrap=index == 0, overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    return Group(Text(printable(title), style="bold"), table, "")


def print_json(content: Any) -> None:
    """Content on the standard output stream, for machines; dataclasses become objects. NaN is not JSON: use None."""

    def plain(value: Any) -> Any:
        return dataclasses.asdict(value) if dataclasses.is_dataclass(value) and not isinstance(value, type) else str(value)

    json.dump(content, sys.stdout, indent=2, default=plain, allow_nan=False)
    sys.stdout.write("\n")
