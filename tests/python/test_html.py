"""What objects look like: in a line, in lines, and as HTML in Jupyter, with everything escaped."""

from __future__ import annotations

import base64
import io
import re
import subprocess
import sys

import numpy as np
from PIL import Image

import slabheap
from making_traces import ALLOCATE, random_trace, trace_of
from reading_html import EVIL, Page
from slabheap import Heap, Stats, Trace, replay
from slabheap.markup import card, page_words
from slabheap.pages import LIGHT_PAGES, page_occupancy


def pixels_in(picture: dict[str, str | None]) -> np.ndarray:
    """The pixels of a picture that is part of a page."""
    source = picture["src"]
    assert source is not None
    assert source.startswith("data:image/png;base64,")
    with Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))) as image:
        return np.asarray(image.convert("RGB"))


def test_a_heap_is_a_line_and_a_table_with_a_map() -> None:
    with Heap(1 << 20) as heap:
        blocks = [heap.allocate(size) for size in (100, 200, 30_000)]
        assert repr(heap) == f"<Heap: 33,152 of {heap.stats().total_bytes:,} bytes used by 3 blocks>"
        heap.free(blocks[0])
        page = Page(heap._repr_html_())
        assert page.facts["live blocks"] == "2"
        assert page.facts["used"] == "32.2 KiB of 1,016 KiB"
        [picture] = page.pictures
        assert picture["alt"] == page_words(heap.runs())
        occupancy, _ = page_occupancy(heap.runs())
        assert pixels_in(picture).reshape(-1, 3)[: occupancy.size].tolist() == LIGHT_PAGES.of(occupancy).tolist()
    assert repr(heap) == "<Heap, closed>"
    assert "closed" in heap._repr_html_()
    assert Page(heap._repr_html_()).pictures == []


def test_a_fresh_heap_has_a_map_of_nothing() -> None:
    with Heap(1 << 16) as heap:
        [picture] = Page(heap._repr_html_()).pictures
        assert picture["alt"] is not None
        assert picture["alt"].startswith("Map of 0 B")


def test_stats_are_lines_that_make_the_same_stats() -> None:
    with Heap(1 << 20) as heap:
        heap.allocate(5000)
        stats = heap.stats()
    lines = repr(stats).splitlines()
    assert lines[0] == "Stats("
    assert f"    total_bytes={stats.total_bytes:_}," in lines
    assert len(lines) == 2 + 17
    assert eval(repr(stats), {"Stats": Stats}) == stats
    page = Page(stats._repr_html_())
    assert page.facts["live blocks"] == "1"
    assert page.facts["used bytes"] == "8,192 (8 KiB)"
    assert len(page.rows) == 17


def test_a_trace_is_a_line_and_a_table() -> None:
    trace = random_trace(1, 500)
    trace.information.command = ["/usr/bin/tool", EVIL]
    assert repr(trace) == f"<Trace of /usr/bin/tool: 500 events, {trace.block_count} blocks, 0.000499 s>"
    html = trace._repr_html_()
    assert "<script" not in html
    assert Page(html).facts["command"] == f"/usr/bin/tool {EVIL}"
    assert Page(html).facts["events"] == "500"
    assert Page(Trace(trace.events[:0])._repr_html_()).facts["peak requested"] == "0 B"


def test_a_result_is_a_line_and_a_table_with_a_map() -> None:
    trace = random_trace(1, 500)
    result = replay(trace, preset="compact")
    assert re.fullmatch(
        r"<Result of compact: 500 events, [\d.e+]+ a second, [\d,]+ bytes held for [\d,]+ requested, 0 failures>", repr(result)
    )
    page = Page(result._repr_html_())
    assert page.facts["events"] == "500"
    assert page.facts["held / requested"] == f"{result.peak_held_bytes / result.peak_requested_bytes:.3f}"
    [picture] = page.pictures
    assert picture["alt"] == page_words(next(iter(result.snapshots.values())))
    assert f"after event {trace.program.peak_event:,}" in result._repr_html_()


def test_results_without_a_map_or_a_time_have_a_table_alone() -> None:
    others = replay(random_trace(1, 500), "system", repeats=0)
    page = Page(others._repr_html_())
    assert page.pictures == []
    assert page.facts["operations"] == "not timed"
    nothing = Page(replay(trace_of())._repr_html_())
    assert nothing.facts["held / requested"] == "-"
    long = replay(trace_of((ALLOCATE, 0, 1)), classes=list(range(16, 2049, 16)))
    assert len(long._repr_html_()) < 5000


def test_everything_that_is_filled_in_is_escaped() -> None:
    with Heap(1 << 16) as heap:
        html = card(EVIL, [(EVIL, EVIL)], heap.runs(), EVIL)
    assert "<script" not in html
    page = Page(html)
    assert "script" not in page.elements
    assert page.facts == {EVIL: EVIL}


def test_importing_the_package_loads_nothing_that_only_pictures_need() -> None:
    program = "import slabheap, sys; slabheap.Heap(1 << 20); assert not {'jinja2', 'PIL', 'matplotlib'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)
    assert slabheap.__name__ in sys.modules
