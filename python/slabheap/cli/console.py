"""What the commands share: how numbers look, progress, and errors that say what to do."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from slabheap.errors import HeapError

__all__ = ["Shown", "bytes_cell", "err", "errors_end", "out", "print_json", "shown_progress", "table_of"]

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

Shown = Callable[[str, int, int], None]


@contextlib.contextmanager
def errors_end() -> Iterator[None]:
    """Turns what a user can do something about into a line on the standard error stream and exit status 2."""
    try:
        yield
    except (ValueError, OSError, MemoryError, RuntimeError, HeapError) as error:
        err.print(f"[bold red]slabheap:[/] {escape(str(error))}", soft_wrap=True)
        raise typer.Exit(2) from None


@contextlib.contextmanager
def shown_progress() -> Iterator[Shown]:
    """A function (what is done, steps done, all steps or 0) that draws a bar, on a terminal only."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(show_speed=True),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        tasks: dict[str, Any] = {}

        def show(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=total or None)
            progress.update(tasks[what], completed=done, total=total or None)

        yield show


def bytes_cell(value: int) -> str:
    """Bytes for a table: "12.3 MiB"."""
    number = float(value)
    for unit in ("B", "KiB", "MiB"):
        if number < 1024:
            return f"{int(number)} B" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.2f} GiB"


def table_of(title: str, columns: list[str], rows: list[list[str]]) -> Table:
    """A table whose first column is text and whose others are numbers."""
    table = Table(title=title, title_justify="left", title_style="bold")
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index == 0 else "right", no_wrap=index == 0, overflow="fold")
    for row in rows:
        table.add_row(*map(escape, row))
    return table


def print_json(content: Any) -> None:
    """Content on the standard output stream, for machines; dataclasses become objects. NaN is not JSON: use None."""

    def plain(value: Any) -> Any:
        return dataclasses.asdict(value) if dataclasses.is_dataclass(value) and not isinstance(value, type) else str(value)

    json.dump(content, sys.stdout, indent=2, default=plain, allow_nan=False)
    sys.stdout.write("\n")
