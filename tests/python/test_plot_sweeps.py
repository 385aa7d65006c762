"""Sweeps as maps: the right figure in each cell, the best in a frame, and holes that say that they are holes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from looking import drawn_values, saved, texts
from making_traces import random_trace
from slabheap import plot, sweep
from slabheap.texts import bytes_text

GRID: dict[str, list[Any]] = {
    "preset": ["compact", "classic"],
    "page_bytes": [4096, None, 1024],
    "classes": [None, [16, 64, 256], list(range(16, 513, 16))],
}
FRAME = sweep(random_trace(7, 2000), GRID, repeats=2, jobs=1)


def labels(axes: Axes) -> tuple[list[str], list[str]]:
    """The values of both axes, as they are named."""
    return [label.get_text() for label in axes.get_xticklabels()], [label.get_text() for label in axes.get_yticklabels()]


def cells(axes: Axes) -> dict[tuple[int, int], str]:
    """What is written in each cell, by column and row."""
    return {(round(text.get_position()[0]), round(text.get_position()[1])): text.get_text() for text in axes.texts}


def framed(axes: Axes) -> list[tuple[int, int]]:
    """The cells with a frame."""
    patches = [patch for patch in axes.patches if isinstance(patch, Rectangle) and not patch.get_fill()]
    return [(round(patch.get_x() + 0.47), round(patch.get_y() + 0.46)) for patch in patches]


def holes(axes: Axes) -> int:
    """How many cells show the ground, which is hatched."""
    assert axes.patch.get_hatch()
    return int(np.isnan(drawn_values(axes.images[0], np.nan)).sum())


def test_each_cell_has_the_median_of_its_rows(tmp_path: Path) -> None:
    figure = plot.sweep_map(FRAME, "page_bytes", "preset")
    axes = figure.axes[0]
    assert labels(axes) == (["not given", "1 KiB", "4 KiB"], ["compact", "classic"])
    written = cells(axes)
    medians = {}
    for column, size in enumerate([None, 1024, 4096]):
        for row, preset in enumerate(["compact", "classic"]):
            of_size = FRAME["page_bytes"].isna() if size is None else FRAME["page_bytes"] == size
            medians[column, row] = float(FRAME[of_size & (FRAME["preset"] == preset)]["held_ratio"].median())
    assert written == {cell: f"{median:.3f}" for cell, median in medians.items()}
    assert framed(axes) == [cell for cell, median in medians.items() if median == min(medians.values())]
    assert texts(axes)[:3] == ("Peak held / peak requested, median over classes; less is better", "page bytes", "preset")
    assert holes(axes) == 0
    saved(figure, tmp_path)


def test_of_speeds_the_highest_is_the_best(tmp_path: Path) -> None:
    figure = plot.sweep_map(FRAME, "classes", "preset", "operations_per_second")
    axes = figure.axes[0]
    medians = FRAME.groupby(["classes", "preset"], dropna=False)["operations_per_second"].median()
    [(column, row)] = framed(axes)
    assert cells(axes)[column, row] == f"{medians.max() / 1e6:.1f}"
    assert "more is better" in texts(axes)[0].replace("\n", " ")
    names, _ = labels(axes)
    assert [name.replace("\n", " ") for name in names] == ["not given", "16,64,256", "32 from 16 to 512"]
    saved(figure, tmp_path)


@pytest.mark.parametrize("figure", ["occupancy", "largest_free_bytes"])
def test_of_what_is_of_use_the_most_is_the_best(figure: str) -> None:
    axes = plot.sweep_map(FRAME, "label", "seed", figure).axes[0]
    medians = FRAME.groupby("label", sort=False)[figure].median().tolist()
    assert framed(axes) == [(column, 0) for column, median in enumerate(medians) if median == max(medians)]
    assert "more is better" in texts(axes)[0].replace("\n", " ")


def test_bytes_over_time_have_units_too() -> None:
    figure = plot.sweep_map(FRAME, "classes", "page_bytes", "mean_held_bytes_by_time")
    units = ("B", "KiB", "MiB")
    assert {text.split()[-1] for text in cells(figure.axes[0]).values()} <= set(units)
    figure.draw_without_rendering()
    assert all(label.get_text().endswith(units) for label in figure.axes[1].get_yticklabels())


def test_shares_and_costs_have_units_too() -> None:
    for name, units in (("internal_fragmentation", ("%",)), ("seconds", ("ns", "µs", "ms", " s"))):
        figure = plot.sweep_map(FRAME, "classes", "page_bytes", name)
        assert all(text.endswith(units) for text in cells(figure.axes[0]).values())
        figure.draw_without_rendering()
        assert all(label.get_text().endswith(units) for label in figure.axes[1].get_yticklabels())


def test_bytes_have_units_in_cells(tmp_path: Path) -> None:
    figure = plot.sweep_map(FRAME, "classes", "page_bytes", "peak_held_bytes", "Bytes")
    axes = figure.axes[0]
    assert set(cells(axes).values()) <= {bytes_text(float(value)) for value in FRAME["peak_held_bytes"]} | {
        bytes_text(float(value)) for value in FRAME.groupby(["classes", "page_bytes"], dropna=False)["peak_held_bytes"].median()
    }
    assert texts(axes)[0] == "Bytes"
    saved(figure, tmp_path)


def test_what_was_not_run_and_what_failed_is_hatched(tmp_path: Path) -> None:
    rows = FRAME[(FRAME["preset"] == "classic") | (FRAME["page_bytes"] == 1024)].copy()
    failing = (rows["preset"] == "classic") & (rows["page_bytes"] == 4096)
    rows.loc[failing, "held_ratio"] = pd.NA
    rows.loc[failing, "error"] = "MemoryError: none"
    axes = plot.sweep_map(rows, "page_bytes", "preset").axes[0]
    names = labels(axes)
    assert cells(axes)[names[0].index("4 KiB"), names[1].index("classic")] == "failed"
    assert len(cells(axes)) == 4
    assert holes(axes) == 3
    assert texts(axes)[0].replace("\n", " ").endswith("hatched: not run")
    saved(plot.sweep_map(rows, "page_bytes", "preset"), tmp_path)


def test_cells_that_are_all_as_good_have_no_frame(tmp_path: Path) -> None:
    figure = plot.sweep_map(FRAME, "page_bytes", "preset", "failures")
    assert framed(figure.axes[0]) == []
    assert set(cells(figure.axes[0]).values()) == {"0"}
    saved(figure, tmp_path)


@pytest.mark.parametrize("count", [1, 7, 30])
def test_the_picture_grows_with_its_values(count: int, tmp_path: Path) -> None:
    some = FRAME.iloc[:1]
    rows = pd.concat(
        [some.assign(trace=f"/a/trace/of/a/long/name/that/ends/in.{index}.trace", bytes=index << 20) for index in range(count)]
    )
    for x, y in (("trace", "bytes"), ("bytes", "trace")):
        saved(plot.sweep_map(rows, x, y), tmp_path)


def test_what_is_not_in_the_frame_is_named() -> None:
    with pytest.raises(ValueError, match=r"'pages_bytes' is no axis of the sweep; there are allocator, .*page_bytes"):
        plot.sweep_map(FRAME, "pages_bytes", "preset")
    with pytest.raises(ValueError, match=r"'speed' is no figure of the sweep; there are .*operations_per_second"):
        plot.sweep_map(FRAME, "page_bytes", "preset", "speed")
    with pytest.raises(ValueError, match="both axes are 'preset'"):
        plot.sweep_map(FRAME, "preset", "preset")
    with pytest.raises(ValueError, match="the frame has no row to draw"):
        plot.sweep_map(FRAME.iloc[:0], "page_bytes", "preset")
    with pytest.raises(ValueError, match="'seconds'; it was not timed"):
        plot.sweep_map(FRAME.assign(seconds=np.nan), "page_bytes", "preset", "seconds")
    many = pd.concat([FRAME.iloc[:1].assign(bytes=index) for index in range(1, 42)])
    with pytest.raises(ValueError, match="bytes has 41 values; leave rows out until it has 40"):
        plot.sweep_map(many, "bytes", "preset")
