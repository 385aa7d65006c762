"""Pictures: what stands on them, and that what they show is what there is."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from making_traces import ALLOCATE, FREE, random_trace, trace_of
from slabheap import Block, Heap, Result, compare, plot, replay
from slabheap.plot import bytes_text, page_occupancy

RESULTS = compare(random_trace(17, 5000), ["classic", "compact", "system"], repeats=3)


def texts(axes: Axes) -> tuple[str, str, str, list[str]]:
    """Title, names of both axes, and legend."""
    legend = axes.get_legend()
    return (
        axes.get_title("left") or axes.get_title(),
        axes.get_xlabel(),
        axes.get_ylabel(),
        [text.get_text() for text in legend.get_texts()] if legend else [],
    )


def saved(figure: Figure, folder: Path) -> tuple[int, int]:
    """The width and height of the PNG that a figure becomes."""
    path = folder / "picture.png"
    figure.savefig(path)
    content = path.read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack_from(">II", content, 16)
    assert len(content) > 2000
    return width, height


def test_a_timeline_of_one_replay_shows_what_is_requested_used_and_held(tmp_path: Path) -> None:
    figure = plot.timeline(RESULTS[0])
    title, x, y, legend = texts(figure.axes[0])
    assert title == "Bytes over 5,000 events, classic"
    assert (x, y) == ("event", "bytes")
    assert legend == ["requested", "used by live blocks", "held by the heap"]
    used, held = figure.axes[0].get_lines()
    assert np.array_equal(used.get_xdata(), RESULTS[0].timeline["event"])
    assert np.array_equal(used.get_ydata(), RESULTS[0].timeline["used"])
    assert np.array_equal(held.get_ydata(), RESULTS[0].timeline["held"])
    assert figure.axes[0].get_ylim()[0] == 0
    assert saved(figure, tmp_path) == (1200, 600)


def test_a_timeline_of_several_replays_shows_what_each_holds(tmp_path: Path) -> None:
    figure = plot.timeline(RESULTS)
    title, _, _, legend = texts(figure.axes[0])
    assert title == "Bytes over 5,000 events"
    assert legend == ["requested", "held by classic", "held by compact", "held by system"]
    lines = figure.axes[0].get_lines()
    assert [np.array_equal(line.get_ydata(), r.timeline["held"]) for line, r in zip(lines, RESULTS, strict=True)] == [True] * 3
    assert saved(figure, tmp_path) == (1200, 600)


def test_lines_can_be_told_apart_without_colour() -> None:
    lines = plot.timeline([RESULTS[0]] * 6).axes[0].get_lines()
    assert len({repr(line.get_linestyle()) + repr(getattr(line, "_unscaled_dash_pattern", None)) for line in lines}) == 6


def test_bytes_have_units() -> None:
    assert [bytes_text(value) for value in (0, 1023, 1024, 1536, 1 << 20, 5 << 30, 3 << 40)] == [
        *("0 B", "1023 B", "1 KiB", "1.5 KiB", "1 MiB", "5 GiB", "3 TiB"),
    ]
    figure = plot.timeline(RESULTS[0])
    figure.canvas.draw()
    axes = figure.axes[0]
    shown = [
        tick.get_text() for place, tick in zip(axes.get_yticks(), axes.get_yticklabels(), strict=True) if 0 <= place <= axes.get_ylim()[1]
    ]
    assert shown[0] == "0 B"
    assert all(text.endswith("KiB") for text in shown[1:])
    assert 4 <= len(shown) <= 10


def test_titles_may_be_given() -> None:
    assert texts(plot.timeline(RESULTS, "Time").axes[0])[0] == "Time"
    assert texts(plot.page_map(RESULTS[0].snapshots[next(iter(RESULTS[0].snapshots))], "Pages").axes[0])[0] == "Pages"
    assert plot.comparison(RESULTS, "Both").get_suptitle() == "Both"


def test_a_comparison_shows_speed_and_space_of_each(tmp_path: Path) -> None:
    figure = plot.comparison(RESULTS)
    speed, space = figure.axes
    assert texts(speed)[1] == "million operations a second; more is better"
    assert texts(space)[1] == "peak held / peak requested; less is better"
    assert figure.get_suptitle() == "5,000 events"
    assert [label.get_text() for label in speed.get_yticklabels()] == ["classic", "compact", "system"]
    rates = [patch.get_width() for patch in speed.patches]  # type: ignore[attr-defined]
    assert rates == pytest.approx([result.operations_per_second / 1e6 for result in RESULTS])
    ratios = [patch.get_width() for patch in space.patches]  # type: ignore[attr-defined]
    assert ratios == pytest.approx([result.peak_held_bytes / RESULTS[0].peak_requested_bytes for result in RESULTS])
    written = [text.get_text() for text in space.texts]
    assert written == [f" {ratio:.2f} ({bytes_text(result.peak_held_bytes)})" for ratio, result in zip(ratios, RESULTS, strict=True)]
    width, height = saved(figure, tmp_path)
    assert width == 1350
    assert height < saved(plot.comparison(RESULTS * 3), tmp_path)[1]


SMALL = [trace_of(), trace_of((ALLOCATE, 0, 0)), trace_of((ALLOCATE, 0, 1), (FREE, 0)), trace_of((ALLOCATE, 0, 1 << 40))]


@pytest.mark.parametrize("trace", SMALL, ids=["nothing", "no bytes", "one byte", "failure"])
@pytest.mark.parametrize("repeats", [0, 1, 3])
def test_small_replays_are_drawn(trace: object, repeats: int, tmp_path: Path) -> None:
    results = compare(trace, ["classic", "system"], repeats=repeats, bytes=1 << 20)  # type: ignore[arg-type]
    for figure in (plot.timeline(results), plot.timeline(results[0]), plot.comparison(results)):
        assert saved(figure, tmp_path)[0] >= 1200
    for runs in results[0].snapshots.values():
        assert saved(plot.page_map(runs), tmp_path)[0] == 1350


def test_nothing_to_draw_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="there is no result to draw"):
        plot.timeline([])
    with pytest.raises(ValueError, match="there is no result to draw"):
        plot.comparison([])
    with pytest.raises(ValueError, match="there is no run to draw"):
        plot.page_map(RESULTS[0].snapshots[next(iter(RESULTS[0].snapshots))][:0])


def model_of_pages(heap: Heap, page_bytes: int) -> list[float]:
    """What `page_occupancy` is to say, counted byte by byte."""
    values: list[float] = []
    for run in heap.runs():
        pages = int(run["bytes"]) // page_bytes
        used = np.zeros(int(run["bytes"]))
        for index in range(int(run["total_blocks"])):
            if int(run["used"]) >> index & 1:
                used[index * int(run["block_size"]) : (index + 1) * int(run["block_size"])] = 1
        by_page = used.reshape(pages, page_bytes).mean(axis=1).tolist()
        values += {0: [-1.0] * pages, 1: by_page, 2: [2.0] * pages}[int(run["kind"])]
    while values and values[-1] == -1:
        values.pop()
    return values


def filled(heap: Heap) -> Heap:
    """A heap with sets that are partly used, large blocks, and free pages between them."""
    blocks: list[Block] = [heap.allocate(size) for size in [48] * 100 + [3000] * 10 + [20_000, 9000, 50_000]]
    for block in [*blocks[:100:3], blocks[103], blocks[111]]:
        heap.free(block)
    return heap


@pytest.mark.parametrize("geometry", [({}, 4096), ({"preset": "compact"}, 1024), ({"page_bytes": 512, "classes": [48, 5000]}, 512)])
def test_the_occupancy_of_every_page_is_that_of_its_bytes(geometry: tuple[dict[str, object], int]) -> None:
    options, page_bytes = geometry
    with filled(Heap(1 << 20, **options)) as heap:  # type: ignore[arg-type]
        occupancy, found_bytes = page_occupancy(heap.runs())
        assert found_bytes in (page_bytes, 2 * page_bytes)  # the longest that all runs are multiples of
        assert occupancy.tolist() == pytest.approx(model_of_pages(heap, found_bytes))
        assert {-1.0, 2.0} <= set(occupancy.tolist())


def test_a_page_map_has_a_pixel_for_every_page(tmp_path: Path) -> None:
    with filled(Heap(1 << 20)) as heap:
        occupancy, _ = page_occupancy(heap.runs())
        figure = plot.page_map(heap.runs(), columns=16)
    axes = figure.axes[0]
    title, x, y, legend = texts(axes)
    assert (title, x, y) == ("Pages of the heap", "page in its row (pages of 4 KiB)", "offset of the row")
    large, sets, free = (int((test).sum()) for test in (occupancy > 1, (occupancy >= 0) & (occupancy <= 1), occupancy < 0))
    mean = 100 * occupancy[(occupancy >= 0) & (occupancy <= 1)].mean()
    assert legend == [
        f"large blocks: {large} pages",
        f"sets: {sets} pages, {mean:.0f} % used on average",
        f"free between them: {free} pages",
    ]
    pixels = np.asarray(axes.images[0].get_array()).reshape(-1, 3)
    assert len(pixels) == -(-occupancy.size // 16) * 16
    assert all(tuple(pixel) == to_rgb("white") for pixel in pixels[: occupancy.size][occupancy < 0])
    assert (pixels[: occupancy.size][occupancy > 1] == pixels[: occupancy.size][occupancy > 1][0]).all()
    darkness = pixels[: occupancy.size].mean(axis=1)
    assert darkness[occupancy > 1].max() < darkness[(occupancy >= 0) & (occupancy <= 1)].min()
    order = np.argsort(occupancy[(occupancy >= 0) & (occupancy <= 1)], kind="stable")
    assert (np.diff(darkness[(occupancy >= 0) & (occupancy <= 1)][order]) <= 1e-9).all()
    bar = figure.axes[1]
    assert bar.get_ylabel() == "used part of a set's page, %"
    assert saved(figure, tmp_path)[0] == 1350


def test_a_page_map_of_several_regions_has_them_one_behind_the_other() -> None:
    with Heap(1 << 16) as heap:
        heap.add_memory(bytearray(1 << 17))
        blocks = [heap.allocate(5000) for _ in range(20)]
        occupancy, page_bytes = page_occupancy(heap.runs())
        assert page_bytes == 4096
        assert (occupancy > 1).sum() == 2 * len(blocks)


def test_a_page_map_of_an_empty_heap_is_empty(tmp_path: Path) -> None:
    with Heap(1 << 20) as heap:
        occupancy, _ = page_occupancy(heap.runs())
        assert occupancy.size == 0
        assert saved(plot.page_map(heap.runs()), tmp_path)[0] == 1350


def test_pictures_need_no_display_and_leave_the_callers_style_alone() -> None:
    before = dict(mpl.rcParams)
    result: Result = replay(trace_of((ALLOCATE, 0, 1)))
    plot.timeline(result)
    assert dict(mpl.rcParams) == before
    program = "import slabheap, sys; assert 'matplotlib' not in sys.modules; slabheap.plot; assert 'matplotlib.pyplot' not in sys.modules"
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)
