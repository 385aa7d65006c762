"""Pictures of pages: in one moment, in several, and moving."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from looking import saved, texts
from making_traces import random_trace, trace_of
from slabheap import Block, Heap, plot, replay
from slabheap.pages import DARK_PAGES, LIGHT_PAGES, PageColours, page_grid, page_occupancy, page_png
from slabheap.texts import bytes_text

TRACE = random_trace(17, 5000)
MOVING = replay(TRACE, snapshot_events=[0, 1000, 2000, 4999], repeats=0)


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


GEOMETRIES = [
    ({}, 4096),
    ({"preset": "compact"}, 1024),
    ({"page_bytes": 512, "classes": [48, 5000]}, 512),
    ({"classes": [48, 65536]}, 4096),
]


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_the_occupancy_of_every_page_is_that_of_its_bytes(geometry: tuple[dict[str, object], int]) -> None:
    options, page_bytes = geometry
    with filled(Heap(4 << 20, **options)) as heap:  # type: ignore[arg-type]
        occupancy, found_bytes = page_occupancy(heap.runs())
        assert found_bytes in (page_bytes, 2 * page_bytes)  # the longest that all runs are multiples of
        assert occupancy.tolist() == pytest.approx(model_of_pages(heap, found_bytes))
        assert len(set(occupancy.tolist()) - {-1.0, 2.0}) > 0
        finer, _ = page_occupancy(heap.runs(), page_bytes // 2)
        assert finer.tolist() == pytest.approx(model_of_pages(heap, page_bytes // 2))


@pytest.mark.parametrize("seed", range(5))
def test_the_occupancy_of_a_heap_after_random_events_is_that_of_its_bytes(seed: int) -> None:
    random = np.random.default_rng(seed)
    with Heap(8 << 20, preset="compact" if seed % 2 else "classic") as heap:
        blocks: list[Block] = []
        for choice, size in zip(random.random(2000), np.exp(random.uniform(0, 9, 2000)).astype(int).tolist(), strict=True):
            if choice < 0.6 or not blocks:
                blocks.append(heap.allocate(size))
            else:
                heap.free(blocks.pop(int(random.integers(len(blocks)))))
        occupancy, page_bytes = page_occupancy(heap.runs())
        assert occupancy.tolist() == pytest.approx(model_of_pages(heap, page_bytes))


def test_a_page_map_has_a_pixel_for_every_page(tmp_path: Path) -> None:
    with filled(Heap(1 << 20)) as heap:
        occupancy, _ = page_occupancy(heap.runs())
        figure = plot.page_map(heap.runs(), columns=16)
    axes = figure.axes[0]
    title, x, y, _ = texts(axes)
    assert (title, x, y) == ("Pages of the heap", "offset in the row", "offset of the row")
    large, sets, free = (int((test).sum()) for test in (occupancy > 1, (occupancy >= 0) & (occupancy <= 1), occupancy < 0))
    mean = 100 * occupancy[(occupancy >= 0) & (occupancy <= 1)].mean()
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        f"large blocks: {bytes_text(large * 4096)}",
        f"sets: {bytes_text(sets * 4096)}, {mean:.0f} % used on average",
        f"free between them: {bytes_text(free * 4096)}",
    ]
    pixels = np.asarray(axes.images[0].get_array()).reshape(-1, 3)
    assert len(pixels) == -(-occupancy.size // 16) * 16
    assert pixels.tolist() == LIGHT_PAGES.of(page_grid(occupancy, 16)).reshape(-1, 3).tolist()
    assert figure.axes[1].get_ylabel() == "used in sets, %"
    assert saved(figure, tmp_path)[0] == 1350


@pytest.mark.parametrize(("colours", "sign"), [(LIGHT_PAGES, -1), (DARK_PAGES, 1)], ids=["light", "dark"])
def test_the_brightness_of_a_page_alone_tells_what_it_holds(colours: PageColours, sign: int) -> None:
    grey = (0.299, 0.587, 0.114)
    free, *sets, large = colours.of(np.array([-1.0, 0.0, 0.25, 0.5, 0.75, 1.0, 2.0])) @ np.array(grey)
    steps = sign * np.diff([free, *sets, large])
    assert (steps > 8).all()
    assert steps[0] > 15, "an empty set can be told from a free page"
    assert steps[-1] > 40, "a full set can be told from a large block"


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


def test_a_large_heap_is_drawn_whole(tmp_path: Path) -> None:
    with Heap(1 << 30, page_bytes=512) as heap:
        blocks = [heap.allocate(509 * 512) for _ in range(3500)]  # an odd number of pages
        for block in blocks[::2]:
            heap.free(block)
        assert page_occupancy(heap.runs())[0].size > 1_500_000
        assert saved(plot.page_map(heap.runs()), tmp_path)[0] == 1350
        with Image.open(write(tmp_path / "small.png", page_png(heap.runs()))) as image:
            assert image.width == 512
            assert (tmp_path / "small.png").stat().st_size < 100_000


def write(path: Path, content: bytes) -> Path:
    """A file with the content."""
    path.write_bytes(content)
    return path


def test_the_small_picture_of_the_pages_has_a_pixel_for_each(tmp_path: Path) -> None:
    with filled(Heap(1 << 20)) as heap:
        occupancy, _ = page_occupancy(heap.runs())
        with Image.open(write(tmp_path / "pages.png", page_png(heap.runs()))) as image:
            pixels = np.asarray(image.convert("RGB"))
    assert pixels.reshape(-1, 3)[: occupancy.size].tolist() == LIGHT_PAGES.of(occupancy).tolist()


def test_a_strip_has_the_maps_on_one_scale_below_the_timeline(tmp_path: Path) -> None:
    figure = plot.page_strip(MOVING)
    timeline, *maps = figure.axes[:5]
    assert timeline.get_ylabel() == "bytes"
    assert [axes.get_title("left") for axes in maps] == [
        "1: after event 0",
        "2: after event 1,000",
        "3: after event 2,000",
        "4: after event 4,999",
    ]
    assert [text.get_text() for text in timeline.texts] == ["1", "2", "3", "4"]
    images = [np.asarray(axes.images[0].get_array()) for axes in maps]
    assert len({image.shape for image in images}) == 1
    page_bytes = 4096
    for image, runs in zip(images, MOVING.snapshots.values(), strict=True):
        occupancy, _ = page_occupancy(runs, page_bytes)
        assert image.reshape(-1, 3)[: occupancy.size].tolist() == LIGHT_PAGES.of(occupancy).tolist()
        assert (image.reshape(-1, 3)[occupancy.size :] == 255).all()
    assert figure.get_suptitle() == "Pages over time, classic"
    saved(figure, tmp_path)


@pytest.mark.parametrize("count", [1, 2, 5, 9, 30])
def test_a_strip_has_as_many_maps_as_there_are_moments(count: int, tmp_path: Path) -> None:
    with Heap(1 << 20) as heap:
        moments = {}
        for step in range(count):
            block = heap.allocate(1500 * step)
            moments[f"{step} & more"] = heap.runs()
            if step % 3:
                heap.free(block)
    figure = plot.page_strip(moments, "By hand")
    assert [axes.get_title("left") for axes in figure.axes[:count]] == [f"{step + 1}: {step} & more" for step in range(count)]
    assert figure.get_suptitle() == "By hand"
    saved(figure, tmp_path)


def test_numbers_of_moments_close_to_each_other_do_not_lie_on_each_other() -> None:
    result = replay(TRACE, snapshot_events=range(0, 300, 10), repeats=0)
    timeline = plot.page_strip(result).axes[0]
    places = [float(text.xy[0]) for text in timeline.texts]  # type: ignore[attr-defined]
    assert 1 < len(places) < 30
    assert np.diff(places).min() >= 0.03 * 5000
    assert len(timeline.get_lines()) == 2 + 30


def test_the_moments_of_a_trace_are_spread_and_have_the_peak_and_the_end_among_them() -> None:
    moments = plot.moments(TRACE, 10)
    assert len(moments) == 10
    assert moments == sorted(moments)
    assert moments[-1] == 4999
    assert TRACE.program.peak_event in moments
    assert plot.moments(TRACE, 1) == [4999]
    assert plot.moments(trace_of(), 5) == []
    assert len(plot.moments(random_trace(1, 3), 60)) <= 3
    with pytest.raises(ValueError, match="at least one moment, not 0"):
        plot.moments(TRACE, 0)


@pytest.mark.parametrize("ending", ["gif", "png", "webp"])
@pytest.mark.parametrize("name", ["light", "dark"])
def test_an_animation_has_a_frame_for_each_snapshot(ending: str, name: plot.style.ThemeName, tmp_path: Path) -> None:
    path = tmp_path / f"pages.{ending}"
    seen: list[tuple[int, int]] = []
    with plot.theme(name):
        plot.page_animation(MOVING, path, "Moving", frames_per_second=4, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    with Image.open(path) as image:
        assert image.n_frames == 4  # type: ignore[attr-defined]
        assert image.width == 800
        frames = []
        for index in range(4):
            image.seek(index)
            frames.append(np.asarray(image.convert("RGB")).astype(int))
        assert image.info["loop"] == 0
    ground = {"light": [255, 255, 255], "dark": [21, 25, 30]}[name]
    assert max(int(np.abs(frame[-1, -1] - ground).max()) for frame in frames) <= 1
    changed = [np.abs(after - before).max(axis=2) > 60 for before, after in itertools.pairwise(frames)]
    assert all(each.sum() > 500 for each in changed)
    # Above the maps, the title stays where it is.
    assert not any(each[:12].any() for each in changed)


def test_an_animation_that_cannot_be_written_says_why(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"an animation is written as \.gif, \.png, \.webp, not as \.mp4"):
        plot.page_animation(MOVING, tmp_path / "pages.mp4")
    with pytest.raises(ValueError, match="more than 0 frames a second, not 0"):
        plot.page_animation(MOVING, tmp_path / "pages.gif", frames_per_second=0)
    with pytest.raises(ValueError, match="there is no run to draw"):
        plot.page_animation(replay(TRACE, snapshot_events=(), repeats=0), tmp_path / "pages.gif")
    with pytest.raises(FileNotFoundError):
        plot.page_animation(MOVING, tmp_path / "missing" / "pages.gif")
    assert list(tmp_path.iterdir()) == []


def test_maps_of_nothing_are_value_errors() -> None:
    runs = next(iter(MOVING.snapshots.values()))
    with pytest.raises(ValueError, match="there is no run to draw"):
        plot.page_map(runs[:0])
    for moments in ({}, {"none": runs[:0]}):
        with pytest.raises(ValueError, match="there is no run to draw"):
            plot.page_strip(moments)
    with pytest.raises(ValueError, match="a row must have at least one page, not 0"):
        plot.page_map(runs, columns=0)
