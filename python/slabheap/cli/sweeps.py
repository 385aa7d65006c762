"""The commands for experiments: sweep, optimise."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import typer

import slabheap
from slabheap.classes import Weight, rounded_bytes, size_histogram
from slabheap.cli.app import Json, PageLayerName, PresetName, TracePath, app, class_list
from slabheap.cli.console import bytes_cell, err, errors_end, out, print_json, shown_progress, table_of

__all__ = ["optimise", "sweep"]


def _grid(**axes: list[Any] | None) -> dict[str, list[Any]]:
    return {axis: values for axis, values in axes.items() if values}


def _row(row: pd.Series[Any]) -> list[str]:
    if pd.notna(row["error"]):
        return [row["label"], "", "", "", "", row["error"]]
    rate = row["operations_per_second"]
    return [
        row["label"],
        "not timed" if pd.isna(rate) else f"{rate / 1e6:.1f}",
        bytes_cell(row["peak_used_bytes"]),
        bytes_cell(row["peak_held_bytes"]),
        f"{row['held_ratio']:.3f}",
        f"{row['failures']:,}",
    ]


@app.command()
def sweep(
    trace: TracePath,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Keep the rows in this Parquet file, and go on from it.")] = None,
    allocator: Annotated[list[str] | None, typer.Option("--allocator", "-a", help="As for compare. Repeatable.")] = None,
    preset: Annotated[list[PresetName] | None, typer.Option(help="Repeatable.")] = None,
    classes: Annotated[list[str] | None, typer.Option(help="Block sizes, as 64,128,256. Repeatable.")] = None,
    set_blocks: Annotated[list[int] | None, typer.Option(help="Blocks that a set aims at. Repeatable.")] = None,
    page_bytes: Annotated[list[int] | None, typer.Option(help="Bytes of a page. Repeatable.")] = None,
    pages: Annotated[list[PageLayerName] | None, typer.Option(help="The page layer. Repeatable.")] = None,
    heap_bytes: Annotated[list[int] | None, typer.Option("--bytes", help="Bytes of the heap. Repeatable.")] = None,
    repeats: Annotated[int, typer.Option(help="Timed replays of each point; 0 leaves times out.", min=0)] = 1,
    jobs: Annotated[int | None, typer.Option(help="Points at the same time; as many as there are cores unless given.", min=1)] = None,
    as_json: Json = False,
) -> None:
    """Replay a trace with every combination of options, on all cores, the one that holds least first.

    slabheap sweep app.trace --preset classic --preset compact --page-bytes 1024 --page-bytes 4096 -o sweep.parquet

    Points run side by side, so their times are those of a busy machine; --jobs 1 times them alone. Ctrl-C leaves what is finished in the
    file, and the same command goes on from there.
    """
    with errors_end(), shown_progress() as progress:
        grid = _grid(
            allocator=allocator,
            preset=[name.value for name in preset or []],
            classes=[class_list(sizes) for sizes in classes or []],
            set_blocks=set_blocks,
            page_bytes=page_bytes,
            pages=[name.value for name in pages or []],
            bytes=heap_bytes,
        )
        frame = slabheap.sweep(
            Path(trace),
            grid,
            jobs=jobs,
            repeats=repeats,
            output=output,
            progress=lambda done, total: progress("sweeping", done, total),
        )
    if as_json:
        print_json(frame.astype(object).where(frame.notna(), None).to_dict("records"))
        return
    columns = ["point", "Mops/s", "used", "held", "ratio", "failures"]
    ordered = frame.sort_values("peak_held_bytes", kind="stable")
    out.print(table_of(f"{len(frame):,} rows", columns, [_row(row) for _, row in ordered.iterrows()]))
    if output is not None:
        err.print(f"the rows are in {output}")


@app.command()
def optimise(
    trace: TracePath,
    count: Annotated[int, typer.Option("--count", "-n", help="The most classes.")] = 7,
    weight: Annotated[str, typer.Option(help='"peak": the blocks live at the peak; "requests": every request.')] = "peak",
    largest: Annotated[int, typer.Option(help="Larger requests go to whole pages.")] = 4096,
    as_json: Json = False,
) -> None:
    """Find the size classes that round a trace's requests up to the fewest bytes.

    slabheap optimise app.trace -n 12

    slabheap replay app.trace --classes $(slabheap optimise app.trace -n 12 --json | jq -r '.classes | join(",")')
    """
    with errors_end():
        loaded = slabheap.Trace.load(trace)
        chosen: Weight = "requests" if weight == "requests" else "peak"
        if weight != chosen:
            raise ValueError(f'weight must be "peak" or "requests", not {weight!r}')
        best = slabheap.optimise_classes(loaded, count, weight=chosen, largest=largest)
        histogram = size_histogram(loaded, chosen, largest=largest)
        lists = {f"best {len(best)}": best}
        for preset in ("classic", "compact"):
            with slabheap.Heap(1 << 20, preset=preset) as heap:
                lists[preset] = [stats.block_size for stats in heap.class_stats()]
    bare = histogram.total_bytes
    rounded = {name: rounded_bytes(histogram, sizes) for name, sizes in lists.items()}
    if as_json:
        print_json({"classes": best, "requested_bytes": bare, "rounded_bytes": rounded})
        return
    rows = [[name, f"{len(sizes)}", bytes_cell(rounded[name]), f"{rounded[name] / max(1, bare):.3f}"] for name, sizes in lists.items()]
    out.print(table_of(f"{bytes_cell(bare)} asked for in blocks of at most {largest:,} bytes", ["classes", "count", "used", "ratio"], rows))
    out.print(f"--classes {','.join(map(str, best))}", soft_wrap=True)
