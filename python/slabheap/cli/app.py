"""The application: what all commands share but for their output, options first of all."""

from __future__ import annotations

import enum
import functools
import inspect
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer
from typer.core import TyperGroup

import slabheap
from slabheap import _core
from slabheap.cli.console import Shown, errors_end
from slabheap.events import Events
from slabheap.formats import open_trace
from slabheap.trace import compile_trace

__all__ = [
    "Allocators",
    "Costs",
    "HeapBytes",
    "HeapOptions",
    "HugePages",
    "HugePagesName",
    "Json",
    "PresetName",
    "Repeats",
    "TracePath",
    "app",
    "byte_count",
    "class_list",
    "read_program",
    "takes_heap_options",
]

# In the order in which they are used, which `--help` keeps.
_COMMANDS = ("record", "info", "convert", "replay", "compare", "report", "plot", "sweep", "optimise")


class _Commands(TyperGroup):
    def list_commands(self, ctx: Any) -> list[str]:
        return sorted(super().list_commands(ctx), key=_COMMANDS.index)


app = typer.Typer(
    name="slabheap",
    cls=_Commands,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Record what a program allocates, replay it on slabheap and on other allocators, and look at what it does.\n\n"
    "A first session:\n\n"
    "  slabheap record -o app.trace -- ./app --its-options\n\n"
    "  slabheap info app.trace\n\n"
    "  slabheap compare app.trace -a classic -a compact -a system\n\n"
    "  slabheap sweep app.trace --preset classic,compact --page-bytes 1K,4K -o app.parquet\n\n"
    "  slabheap optimise app.trace -n 12\n\n"
    "  slabheap report app.trace -o report.html",
    epilog="A trace is read from standard input if it is called -, so commands can stand in a pipe. With --json a command prints JSON and "
    "nothing else on standard output; bars, errors, and what record says go to standard error.\n\n"
    "Exit status: 0, done. 2, not done, and standard error says why: an option, a file, an allocator, no memory. 130, "
    "ended by Ctrl-C; what was finished is kept. 1, whoever reads the output has gone, or slabheap itself is at fault and shows where. "
    "record ends as the program did, with 128 and its number if that was a signal.\n\n"
    "slabheap --install-completion teaches the shell to complete commands and options.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"slabheap {slabheap.__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[bool, typer.Option("--version", help="Print the version and end.", callback=_print_version, is_eager=True)] = False,
) -> None:
    del version  # its callback has seen to it


class PresetName(enum.StrEnum):
    """A preset of slabheap."""

    CLASSIC = "classic"
    COMPACT = "compact"


class PageLayerName(enum.StrEnum):
    """A page layer of slabheap."""

    BUDDY = "buddy"
    BEST_FIT = "best_fit"


class FreedRunsName(enum.StrEnum):
    """What becomes of freed runs."""

    KEPT = "kept"
    MERGED = "merged"


class HugePagesName(enum.StrEnum):
    """Whether memory is to be backed by huge pages."""

    SYSTEM = "system"
    WANTED = "wanted"
    UNWANTED = "unwanted"


_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def byte_count(text: str) -> int:
    """Bytes as they are given on the command line: 65536, 64K, 16M, 2G; KiB, MiB, GiB are the same.

    Raises:
        typer.BadParameter: It is no such number.
    """
    number, unit = text.upper().removesuffix("IB").removesuffix("B"), ""
    if number and number[-1] in _UNITS:
        number, unit = number[:-1], number[-1]
    if not number.isascii() or not number.isdigit():
        raise typer.BadParameter(f"{text!r} is no number of bytes, such as 65536, 64K, 16M or 2G")
    return int(number) * _UNITS[unit]


TracePath = Annotated[Path, typer.Argument(help="A trace of any format; - for standard input.", metavar="TRACE")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines instead of tables.")]
Repeats = Annotated[int, typer.Option(help="Timed replays; the median counts. 0 leaves times out.", min=0)]
Warm = Annotated[
    bool, typer.Option("--warm", help="Time each replay after another on the same heap, without the kernel's work on new pages.")
]
Costs = Annotated[bool, typer.Option(help="Time each call in one replay more, for percentiles.")]


def allocators_option(unless_given: str) -> Any:
    """The option that names allocators; `unless_given` says which there are without it."""
    return typer.Option(
        "--allocator",
        "-a",
        help=f"classic, compact, system, or the path of a shared library with malloc. Repeatable; {unless_given} unless given.",
        autocompletion=lambda: ["classic", "compact", "system"],
    )


Allocators = Annotated[list[str] | None, allocators_option("the first three")]
HeapBytes = Annotated[
    int | None,
    typer.Option(
        "--bytes", parser=byte_count, metavar="BYTES", help="Bytes of the heap, as 64M; at least eight times the peak and 16M unless given."
    ),
]

HugePages = Annotated[
    HugePagesName | None,
    typer.Option(
        help="Huge pages of every allocator: unwanted, there are none; system, those that it asks for and the system gives; wanted, "
        "it is told to ask, which slabheap alone can be. Unwanted unless given."
    ),
]


def class_list(text: str) -> list[int]:
    """Block sizes as they are given on the command line.

    Raises:
        ValueError: They are none.
    """
    try:
        return [int(size) for size in text.split(",")]
    except ValueError:
        raise ValueError(f"classes must be numbers with commas between them, not {text!r}") from None


#: What a command is given of the options of a heap, as `replay` takes them.
HeapOptions: TypeAlias = dict[str, Any]

# By the names that `replay` has for them.
_HEAP_OPTIONS: dict[str, Any] = {
    "preset": Annotated[PresetName | None, typer.Option(help="The preset of slabheap; classic unless given.")],
    "bytes": HeapBytes,
    "regions": Annotated[int | None, typer.Option(help="How many regions the bytes are divided among, 1 to 64; 1 unless given.")],
    "classes": Annotated[str | None, typer.Option(help="Block sizes of the classes, as 64,128,256; the preset's unless given.")],
    "set_blocks": Annotated[int | None, typer.Option(help="Blocks that a set aims at, 1 to 64; the preset's unless given.")],
    "page_bytes": Annotated[
        int | None,
        typer.Option(parser=byte_count, metavar="BYTES", help="Bytes of a page, a power of two, 512 to 64K; the preset's unless given."),
    ],
    "pages": Annotated[PageLayerName | None, typer.Option(help="The page layer; the preset's unless given.")],
    "freed_runs": Annotated[
        FreedRunsName | None, typer.Option(help="Whether freed runs are kept a while or merged at once; kept unless given.")
    ],
    "huge_pages": HugePages,
}


def _plain(name: str, value: Any) -> Any:
    """An option as `replay` takes it."""
    if name == "classes":
        return class_list(value)
    return value.value if isinstance(value, enum.Enum) else value


def takes_heap_options(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command each option of a heap in the place of its parameter `options`, which gets those that were given."""

    @functools.wraps(command)
    def told(**arguments: Any) -> None:
        given = {name: arguments.pop(name) for name in _HEAP_OPTIONS}
        with errors_end():
            options = {name: _plain(name, value) for name, value in given.items() if value is not None}
        command(**arguments, options=options)

    signature = inspect.signature(command, eval_str=True)
    kind = inspect.Parameter.KEYWORD_ONLY
    options = [inspect.Parameter(name, kind, default=None, annotation=each) for name, each in _HEAP_OPTIONS.items()]
    parameters: list[inspect.Parameter] = []
    for parameter in signature.parameters.values():
        parameters += options if parameter.name == "options" else [parameter.replace(kind=kind)]
    told.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    told.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return told


def read_program(trace: Path, progress: Shown) -> _core.Program:
    """The trace compiled for replay, as a stream: neither it nor the program need fit into memory."""
    with open_trace(trace) as reader:

        def told() -> Iterator[Events]:
            for chunk in reader:
                progress("reading", *reader.progress)
                yield chunk

        return compile_trace(told(), folder=tempfile.gettempdir())
