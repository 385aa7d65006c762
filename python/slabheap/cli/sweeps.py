"""The commands for experiments: sweep, optimise."""

from __future__ import annotations

import contextlib
import enum
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

import slabheap
from slabheap.classes import rounded_bytes, rounded_bytes_on, size_histogram
from slabheap.cli.app import (
    Costs,
    Json,
    PresetName,
    TracePath,
    allocators_option,
    app,
    byte_count,
    class_list,
)
from slabheap.cli.console import errors_end, out, print_error, print_json, print_note, shown_progress, table_of
from slabheap.cli.drawing import expect_file
from slabheap.grids import axis_text
from slabheap.replaying import default_bytes
from slabheap.texts import bytes_text

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["optimise", "sweep"]

_DEFAULT = "default"

Value = TypeVar("Value")


def _values(texts: Sequence[str] | None, read: Callable[[str], Value]) -> list[Value | None]:
    """The values of an axis, some with commas between them; "default" is what there is without the option."""
    return [None if text == _DEFAULT else read(text) for texts_of_one in texts or () for text in texts_of_one.split(",")]


def _number(name: str) -> Callable[[str], int]:
    def read(text: str) -> int:
        try:
            return int(text)
        except ValueError:
            raise ValueError(f"{name} must be numbers with commas between them, or {_DEFAULT}, not {text!r}") from None

    return read


def _grid(**axes: list[Any]) -> dict[str, list[Any]]:
    return {axis: values for axis, values in axes.items() if values}


@contextlib.contextmanager
def _executor_at(scheduler: str | None) -> Iterator[Executor | None]:
    """What runs on the cluster of a scheduler of dask; none if none is named."""
    if scheduler is None:
        yield None
        return
    try:
        from distributed import Client
    except ImportError:
        raise ValueError("a sweep on a cluster needs dask: pip install 'dask[distributed]'") from None
    with Client(scheduler, timeout=10, set_as_default=False) as client:  # type: ignore[no-untyped-call]
        yield client.get_executor()


#: What columns of a sweep are called where there is little room.
_AXES = {
    "allocator": "allocator",
    "preset": "preset",
    "classes": "classes",
    "set_blocks": "set",
    "page_bytes": "page",
    "pages": "layer",
    "freed_runs": "freed runs",
    "huge_pages": "huge pages",
    "bytes": "bytes",
    "regions": "regions",
    "repeat": "repeat",
}


def _print_rows(frame: pd.DataFrame) -> None:
    """The rows, that which holds least first, with a column for each axis that varies."""
    axes = [axis for axis in _AXES if frame[axis].nunique(dropna=False) > 1] or ["label"]
    rows = []
    for _, row in frame.sort_values("peak_held_bytes", kind="stable").iterrows():
        missing = row.isna()
        cells = [axis_text(axis, None if missing[axis] else row[axis]) for axis in axes]
        if missing["error"]:
            rate = "not timed" if missing["operations_per_second"] else f"{row['operations_per_second'] / 1e6:.1f}"
            ratio = f"{row['held_ratio']:.3f}"
            cells += [rate, bytes_text(row["peak_used_bytes"]), bytes_text(row["peak_held_bytes"]), ratio, f"{row['failures']:,}"]
        else:
            cells += ["", "", "", "", "error"]
        rows.append(cells)
    columns = [*(_AXES.get(axis, axis) for axis in axes), "Mops/s", "used", "held", "ratio", "failures"]
    out.print(table_of(f"{len(frame):,} row{'s' * (len(frame) != 1)}", columns, rows))
    for _, row in frame[frame["error"].notna()].iterrows():
        print_error(f"{row['label']}: {row['error']}")


@app.command()
def sweep(
    trace: TracePath,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Keep the rows in this .parquet file, and go on from it.")] = None,
    allocators: Annotated[list[str] | None, allocators_option("slabheap")] = None,
    preset: Annotated[list[str] | None, typer.Option(metavar="NAME,...", help="classic, compact.")] = None,
    classes: Annotated[list[str] | None, typer.Option(help="Block sizes of one list, as 64,128,256. Repeatable.")] = None,
    set_blocks: Annotated[list[str] | None, typer.Option(metavar="N,...", help="Blocks that a set aims at.")] = None,
    page_bytes: Annotated[list[str] | None, typer.Option(metavar="BYTES,...", help="Bytes of a page, as 1K,4K.")] = None,
    pages: Annotated[list[str] | None, typer.Option(metavar="NAME,...", help="buddy, best_fit.")] = None,
    freed_runs: Annotated[list[str] | None, typer.Option(metavar="NAME,...", help="kept, merged.")] = None,
    huge_pages: Annotated[list[str] | None, typer.Option(metavar="NAME,...", help="system, wanted, unwanted; of every allocator.")] = None,
    heap_bytes: Annotated[list[str] | None, typer.Option("--bytes", metavar="BYTES,...", help="Bytes of the heap, as 16M,64M.")] = None,
    regions: Annotated[list[str] | None, typer.Option(metavar="N,...", help="How many regions the bytes are divided among.")] = None,
    repeats: Annotated[int, typer.Option(help="Timed replays of each point; 0 leaves times out.", min=0)] = 1,
    costs: Costs = True,
    jobs: Annotated[int | None, typer.Option(help="Points at the same time; as many as there are cores unless given.", min=1)] = None,
    scheduler: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Run on the cluster of this scheduler of dask, as tcp://host:8786.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Replay a trace with every combination of options, on all cores or a cluster, the one that holds least first.

    slabheap sweep app.trace --preset classic,compact --page-bytes 1K,4K --set-blocks 16,64 -o sweep.parquet

    slabheap sweep app.trace -a classic -a compact -a system --jobs 1 --repeats 5

    slabheap sweep /shared/app.trace --classes default --classes 32,64,512 --scheduler tcp://10.0.0.1:8786

    The word default stands for what there is without the option. Points run side by side, so their times are those of a busy
    machine; --jobs 1 times them alone. Ctrl-C leaves what is finished in the file, and the same command goes on from there.
    """
    if jobs is not None and scheduler is not None:
        raise typer.BadParameter("it is the cluster's workers that run points; leave out --jobs or --scheduler")
    with errors_end():
        if str(output) == "-":
            raise ValueError("rows are kept in a file, which standard output is not; --json prints them")
        expect_file(output, (".parquet",))
    with errors_end(kept=output), shown_progress() as progress, _executor_at(scheduler) as executor:
        grid = _grid(
            allocator=list(allocators or ()),
            preset=_values(preset, str),
            classes=[None if sizes == _DEFAULT else class_list(sizes) for sizes in classes or ()],
            set_blocks=_values(set_blocks, _number("set_blocks")),
            page_bytes=_values(page_bytes, byte_count),
            pages=_values(pages, str),
            freed_runs=_values(freed_runs, str),
            huge_pages=_values(huge_pages, str),
            bytes=_values(heap_bytes, byte_count),
            regions=_values(regions, _number("regions")),
        )
        frame = slabheap.sweep(
            trace,
            grid,
            executor=executor,
            jobs=jobs,
            repeats=repeats,
            costs=costs and repeats > 0,
            output=output,
            progress=lambda done, total: progress("sweeping", done, total),
        )
    if as_json:
        print_json(frame.astype(object).where(frame.notna(), None).to_dict("records"))
    else:
        _print_rows(frame)
        if output is not None:
            print_note(f"the rows are in {output}")
    if frame["error"].notna().all():
        raise typer.Exit(2)


class BestForName(enum.StrEnum):
    """What the best classes are best for."""

    PEAK = "peak"
    REQUESTS = "requests"


@app.command()
def optimise(
    trace: TracePath,
    count: Annotated[int, typer.Option("--count", "-n", help="The most classes, 1 to 128.")] = 7,
    weight: Annotated[BestForName, typer.Option(help="What counts: the blocks live at the peak, or every request.")] = BestForName.PEAK,
    largest: Annotated[
        int | None,
        typer.Option(parser=byte_count, metavar="BYTES", help="Larger requests go to whole pages; at most 64K, 4K unless given."),
    ] = None,
    page_bytes: Annotated[
        int | None, typer.Option(parser=byte_count, metavar="BYTES", help="Bytes of a page; 4K, or the preset's own, unless given.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Find the size classes that round a trace's requests up to the fewest bytes. No list of as many classes takes fewer.

    slabheap optimise app.trace -n 12

    slabheap replay app.trace --classes $(slabheap optimise app.trace -n 12 --json | jq -r '.classes | join(",")')
    """
    with errors_end(), shown_progress() as progress:
        loaded = slabheap.Trace.load(trace, progress=lambda done, total: progress("reading", done, total))
        most, page = (4096 if given is None else given for given in (largest, page_bytes))
        best = slabheap.optimise_classes(loaded, count, weight=weight.value, largest=most, page_bytes=page)
        histogram = size_histogram(loaded, weight.value, largest=most, page_bytes=page)
        name = f"best {len(best)}"
        counts, rounded = {name: len(best)}, {name: rounded_bytes(histogram, best, page_bytes=page)}
        for preset in PresetName:  # as a replay has it unless told
            with slabheap.Heap(default_bytes(loaded.program), preset=preset.value, page_bytes=page_bytes) as heap:
                counts[preset.value], rounded[preset.value] = len(heap.class_stats()), rounded_bytes_on(heap, histogram)
    bare = histogram.total_bytes
    if as_json:
        print_json({"classes": best, "requested_bytes": bare, "rounded_bytes": rounded})
        return
    rows = [[name, f"{counts[name]}", bytes_text(used), f"{used / max(1, bare):.3f}"] for name, used in rounded.items()]
    out.print(table_of(f"{bytes_text(bare)} asked for in blocks of at most {most:,} bytes", ["classes", "count", "used", "ratio"], rows))
    out.print(f"--classes {','.join(map(str, best))}", soft_wrap=True)
