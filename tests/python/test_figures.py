"""Figures of merit: those of a few calls are known, all are there, and over time they are what they are at the end."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

from making_traces import ALLOCATE, FREE, REALLOCATE, random_trace, trace_of
from places import ROOT
from slabheap import Trace, compare, replay
from slabheap.merits import FIGURES, SERIES, TIMED_FIGURES

TRACE = random_trace(21, 4000)
ALLOCATORS = ("classic", "compact", "system")


def test_the_figures_at_the_peak_follow_from_their_formulas() -> None:
    # Classic blocks of 128 and 64 bytes; a set of each, of one page, is held, and the metadata.
    result = replay(trace_of((ALLOCATE, 0, 100), (ALLOCATE, 1, 60), (FREE, 1), (FREE, 0)), bytes=1 << 18, samples=4)
    peak = result.at_peak
    assert peak is not None
    assert (peak.event, peak.time, peak.requested, peak.used, peak.slack) == (1, 1000, 160, 192, 32)
    assert peak.internal_fragmentation == 32 / 192
    assert peak.external_fragmentation == (peak.held - 192) / peak.held
    assert result.class_stats[0].total_blocks == 64
    assert peak.occupancy == 192 / (128 * 32 + 64 * 64)
    assert peak.largest_free == int(result.largest_free[1])  # type: ignore[index]
    assert (result.peak_slack_bytes, peak.live_pages, result.peak_live_pages, result.touched_pages) == (32, 2, 2, 2)


def test_what_failed_is_requested_but_leaves_no_slack() -> None:
    result = replay(trace_of((ALLOCATE, 0, 1 << 30), (ALLOCATE, 1, 60)), bytes=1 << 18, samples=2)
    assert result.timeline["requested"].tolist() == [1 << 30, (1 << 30) + 60]
    assert result.timeline["slack"].tolist() == [0, 4]
    assert result.timeline["failures"].tolist() == [1, 1]


def test_a_block_counts_in_every_page_that_it_has_a_byte_in() -> None:
    trace = trace_of(
        (ALLOCATE, 0, 4096, 4096), (REALLOCATE, 0, 4097), (REALLOCATE, 0, 3 * 4096), (REALLOCATE, 0, 1), (ALLOCATE, 1, 0), (FREE, 0)
    )
    for allocator in ("slabheap", "system"):
        pages = replay(trace, allocator, samples=6, repeats=0).timeline["live_pages"].tolist()
        assert pages[0] == 1
        assert pages[3:] == [1, 1, 0]
        if allocator == "slabheap":
            assert pages == [1, 2, 3, 1, 1, 0]


def test_two_blocks_of_a_page_are_one_page() -> None:
    trace = trace_of(*((ALLOCATE, block, 64) for block in range(64)), *((FREE, block) for block in range(63)))
    result = replay(trace, samples=127, repeats=0)
    assert set(result.timeline["live_pages"].tolist()) == {1}
    assert (result.peak_live_pages, result.touched_pages) == (1, 1)


@pytest.mark.parametrize("allocator", ALLOCATORS)
def test_pages_lie_between_the_bytes_asked_for_and_one_more_at_either_end_of_each_block(allocator: str) -> None:
    (result,) = compare(TRACE, [allocator], repeats=0, samples=len(TRACE))
    timeline = result.timeline
    live_blocks = np.cumsum(np.where(TRACE.events["operation"] == FREE, -1, TRACE.events["operation"] < REALLOCATE))
    assert (timeline["live_pages"] * 4096 <= timeline["requested"] + 2 * 4096 * live_blocks.astype(np.uint64)).all()
    assert (timeline["live_pages"] <= timeline["touched_pages"]).all()
    assert (np.diff(timeline["touched_pages"].astype(np.int64)) >= 0).all()
    assert timeline["touched_pages"][-1] == result.touched_pages
    assert timeline["live_pages"].max() == result.peak_live_pages


def test_every_figure_is_there_and_of_its_kind() -> None:
    for result in compare(TRACE, ALLOCATORS, repeats=2):
        figures = result.figures()
        assert list(figures) == list(FIGURES)
        for name, figure in FIGURES.items():
            if figures[name] is not None:
                assert type(figures[name]) is (int if figure.is_whole else float), name
        missing = {name for name, value in figures.items() if value is None}
        assert missing == (set() if result.allocator == "slabheap" else {"largest_free_bytes", "occupancy"})


def test_what_is_known_of_a_figure_is_what_docs_figures_md_says() -> None:
    document = (ROOT / "docs/figures.md").read_text()
    for figures in (FIGURES, SERIES):
        assert all(name == figure.name and figure.title for name, figure in figures.items())
        assert all(figure.unit == "ns" for name, figure in figures.items() if name.endswith("_ns"))
        assert all(figure.unit == "bytes" for name, figure in figures.items() if "bytes" in name)
    assert [name for name, figure in FIGURES.items() if f"`{name}`" not in document and figure.unit != "ns"] == ["events"]
    better = {figure.name for figures in (FIGURES, SERIES) for figure in figures.values() if figure.more_is_better}
    assert better == {"operations_per_second", "occupancy", "largest_free_bytes", "largest_free"}


def test_figures_are_the_same_each_time_but_for_times() -> None:
    for allocator in ALLOCATORS:
        one, other = ({k: v for k, v in compare(TRACE, [allocator])[0].figures().items() if k not in TIMED_FIGURES} for _ in range(2))
        assert one == other


def test_a_replay_that_is_not_timed_has_no_times_and_nothing_has_no_peak() -> None:
    untimed = replay(TRACE, repeats=0).figures()
    assert {name for name, value in untimed.items() if value is None} == set(TIMED_FIGURES)
    nothing = replay(trace_of()).figures()
    assert nothing["internal_fragmentation"] is None
    assert nothing["peak_used_bytes"] == 0
    assert math.isnan(replay(trace_of()).mean("held"))
    assert replay(trace_of()).over_time().empty


def test_over_time_every_figure_has_a_row_for_each_sample() -> None:
    for result in compare(TRACE, ALLOCATORS, samples=40):
        frame = result.over_time()
        assert len(frame) == 40
        timed = [name for name in TIMED_FIGURES if name != "seconds"]
        derived = ["internal_fragmentation", "external_fragmentation", "largest_free", "occupancy", *timed]
        assert list(frame) == [*(result.timeline.dtype.names or ()), *derived]
        assert (frame["internal_fragmentation"] == frame["slack"] / frame["used"]).all()
        assert ((frame["external_fragmentation"] - (1 - frame["used"] / frame["held"])).abs() < 1e-12).all()
        assert frame["operations_per_second"].notna().all()
        assert (frame["allocate_p50_ns"] <= frame["allocate_max_ns"]).all()
        assert frame["largest_free"].notna().all() == (result.allocator == "slabheap")


def test_the_rate_over_time_is_that_of_each_stretch() -> None:
    trace = random_trace(4, 150_000)
    result = replay(trace, repeats=3, samples=150)
    assert result.stretch_seconds.shape == (3, 3)
    assert result.all_seconds == pytest.approx(result.stretch_seconds.sum(axis=1).tolist())
    rates = result.over_time()["operations_per_second"].to_numpy()
    sizes = np.array([65536, 65536, 150_000 - 2 * 65536])
    expected = sizes / np.median(result.stretch_seconds, axis=0)
    assert rates == pytest.approx(expected[result.timeline["event"].astype(int) // 65536])


def test_a_mean_weighs_by_events_or_by_time() -> None:
    happenings = (ALLOCATE, 0, 100), (ALLOCATE, 1, 100), (FREE, 0), (FREE, 1)
    trace = trace_of(*happenings)
    trace.events["time"] = [1, 2, 10, 20]
    result = replay(trace, samples=4, repeats=0)
    assert result.mean("requested") == (100 + 200 + 100 + 0) / 4
    assert result.mean("requested", "time") == (100 * 1 + 200 * 8 + 100 * 10) / 19
    with pytest.raises(ValueError, match="'days'"):
        result.mean("requested", "days")  # type: ignore[arg-type]
    at_once = trace_of(*happenings)
    at_once.events["time"] = 0
    assert replay(at_once, samples=4, repeats=0).mean("requested", "time") == 0


def test_a_series_is_a_column_of_the_frame_over_time() -> None:
    result = replay(TRACE, samples=50)
    frame = result.over_time()
    assert list(frame) == list(SERIES)
    for name in SERIES:
        assert np.array_equal(frame[name].to_numpy(), result.series(name), equal_nan=True)
    with pytest.raises(ValueError, match="there is no figure 'speed' over time; there are event, time, requested"):
        result.series("speed")


REGIONS: list[dict[str, Any]] = [{}, {"preset": "compact", "classes": [16, 64, 512, 4096]}, {"pages": "best_fit", "page_bytes": 512}]


@pytest.mark.parametrize("options", REGIONS, ids=str)
def test_bytes_are_divided_among_regions(options: dict[str, Any]) -> None:
    results = {regions: replay(TRACE, bytes=1 << 24, regions=regions, repeats=1, **options) for regions in (1, 2, 7, 64)}
    for regions, result in results.items():
        assert result.stats is not None
        assert result.stats.region_count == regions
        assert result.failures == 0
        assert result.options["regions"] == regions
        assert result.peak_used_bytes == results[1].peak_used_bytes
        assert (1 << 24) - result.stats.total_bytes - result.stats.metadata_bytes < regions * 4096
    largest = [int(result.largest_free[0]) for result in results.values() if result.largest_free is not None]
    assert all(one > other for one, other in itertools.pairwise(largest))
    again = replay(TRACE, bytes=1 << 24, regions=7, repeats=0, **options)
    assert again.timeline.tobytes() == results[7].timeline.tobytes()


def test_a_request_larger_than_each_region_fails() -> None:
    trace: Trace = trace_of((ALLOCATE, 0, 3 << 20))
    assert replay(trace, bytes=1 << 23, regions=1).failures == 0
    assert replay(trace, bytes=1 << 23, regions=4).failures == 1
