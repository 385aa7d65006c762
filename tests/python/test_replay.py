"""Replay on a slabheap heap: the same figures each time, and those of the same calls made one by one."""

from __future__ import annotations

import math
import statistics
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from geometries import GEOMETRIES
from making_traces import ALLOCATE, FREE, REALLOCATE, ZEROED, event_arrays, events_of, random_trace, trace_of
from slabheap import Block, Heap, Operation, Result, TooSmall, Trace, compare, replay, workloads
from slabheap.events import Events

TRACE = random_trace(5, 3000)


def figures(result: Result) -> dict[str, Any]:
    """Everything that a result says but times."""
    return {name: value for name, value in vars(result).items() if name not in ("is_warm", "stretch_seconds", "costs")}


def assert_same(one: Result, other: Result) -> None:
    """The results are the same, times aside, to the last bit."""
    for (name, value), other_value in zip(figures(one).items(), figures(other).values(), strict=True):
        if isinstance(value, np.ndarray):
            assert value.dtype == other_value.dtype, name
            assert value.tobytes() == other_value.tobytes(), name
        elif name == "snapshots":
            assert {event: runs.tobytes() for event, runs in value.items()} == {e: runs.tobytes() for e, runs in other_value.items()}
        else:
            assert value == other_value, name


class Model:
    """The same calls, made in Python one by one on a heap of the same options."""

    def __init__(self, heap: Heap) -> None:
        self.heap = heap
        self.blocks: dict[int, Block] = {}
        self.asked: dict[int, int] = {}
        self.failures = 0
        self.touched: set[int] = set()

    def allocate(self, number: int, event: np.void) -> None:
        """A block, or a failure."""
        allocate = self.heap.allocate if event["operation"] == ALLOCATE else self.heap.allocate_zeroed
        self.blocks[number] = allocate(int(event["size"]), int(event["align"]))

    def step(self, event: np.void) -> tuple[int, ...]:
        """Does what an event says; the fields of a sample but event and time."""
        number = int(event["block"])
        self.asked[number] = int(event["size"])
        try:
            if event["operation"] <= ZEROED:
                self.allocate(number, event)
            elif event["operation"] == REALLOCATE and number in self.blocks:
                self.blocks[number] = self.heap.reallocate(self.blocks[number], int(event["size"]))
        except MemoryError:
            self.failures += 1
        if event["operation"] == FREE:
            del self.asked[number]
            if number in self.blocks:
                self.heap.deallocate(self.blocks.pop(number))
        return self.sample()

    def sample(self) -> tuple[int, ...]:
        """Bytes requested, used, held and slack; failures; pages live and touched."""
        stats = self.heap.stats()
        held = stats.slab_total_bytes + stats.buddy_used_bytes + stats.used_metadata_bytes
        used = sum(self.heap.block_size(block) for block in self.blocks.values())
        slack = used - sum(block.size for block in self.blocks.values())
        pages = {page for block in self.blocks.values() for page in pages_of(block)}
        self.touched |= pages
        return sum(self.asked.values()), used, held, slack, self.failures, len(pages), len(self.touched)


def pages_of(block: Block) -> range:
    """The pages of 4096 bytes that a block has a byte in."""
    return range(block.address // 4096, (block.address + block.size + 4095) // 4096) if block.size else range(0)


def assert_as_modelled(events: Events, size: int, options: dict[str, Any]) -> None:
    """A replay on a heap of `size` bytes has the figures of the same calls made one by one."""
    last = max(0, events.size - 1)
    result = replay(Trace(events), bytes=size, samples=max(1, events.size), snapshot_events=[last // 2, last], **options)
    with Heap(size, **options) as heap:
        model = Model(heap)
        occupancy, snapshots, rows, largest = [], {}, [], []
        for index, event in enumerate(events):
            rows.append((index, int(event["time"]), *model.step(event)))
            occupancy.append([(one.total_blocks, one.used_blocks) for one in heap.class_stats()])
            largest.append(heap.stats().largest_free_bytes)
            if index in (last // 2, last):
                snapshots[index] = heap.runs()
        stats = heap.stats()
        assert result.timeline.tolist() == rows
        assert result.failures == model.failures
        assert result.peak_requested_bytes == max((row[2] for row in rows), default=0)
        assert result.peak_used_bytes == max((row[3] for row in rows), default=0)
        assert result.peak_held_bytes == stats.peak_page_bytes + stats.used_metadata_bytes
        assert result.peak_slack_bytes == max((row[5] for row in rows), default=0)
        assert result.peak_live_pages == max((row[7] for row in rows), default=0)
        assert result.touched_pages == len(model.touched)
        assert result.at_peak is None or tuple(vars(result.at_peak).values())[:9] == rows[result.at_peak.event]
        assert result.largest_free is not None
        assert result.largest_free.tolist() == largest
        assert result.stats == stats
        assert result.class_stats == heap.class_stats()
        assert result.occupancy is not None
        assert result.occupancy.tolist() == occupancy
        assert result.snapshots.keys() == snapshots.keys()
        for index, runs in snapshots.items():
            runs["address"] -= runs["address"][0]
            assert result.snapshots[index].tolist() == runs.tolist()


@pytest.mark.parametrize("size", [1 << 16, 1 << 19])
def test_the_figures_are_those_of_the_same_calls_made_one_by_one(size: int, options: dict[str, Any]) -> None:
    assert_as_modelled(random_trace(7, 600).events, size, options)


def test_what_is_resident_has_the_freed_runs_that_were_touched() -> None:
    """Each of ten blocks in turn is a page longer: kept runs serve none of the others, merged ones all of them."""
    lengths = range(20, 30)
    trace = trace_of(*(step for block, pages in enumerate(lengths) for step in ((ALLOCATE, block, pages << 12), (FREE, block))))
    for freed_runs, pages in (("kept", sum(lengths)), ("merged", max(lengths))):
        result = replay(trace, freed_runs=freed_runs, huge_pages="unwanted", repeats=0)
        assert result.stats is not None
        assert result.peak_held_bytes == (max(lengths) << 12) + result.stats.used_metadata_bytes
        metadata = result.peak_resident_bytes - (pages << 12)
        assert 0 <= metadata - result.stats.used_metadata_bytes < 8 << 12  # in whole pages, of several tables


def test_every_region_may_be_resident() -> None:
    trace = trace_of(*((ALLOCATE, block, 1 << 20) for block in range(9)))
    result = replay(trace, bytes=16 << 20, regions=4, huge_pages="unwanted", repeats=0)
    assert result.failures == 0
    assert result.peak_resident_bytes == result.peak_held_bytes > 9 << 20  # a region has room for three


@pytest.mark.parametrize("name", ["classic", "compact"])
@given(events=event_arrays(most=60))
@settings(max_examples=30, deadline=None)
def test_the_figures_of_any_trace_are_those_of_the_same_calls(name: str, events: Events) -> None:
    events["size"] %= 1 << 17
    events["align"][events["align"] > 1 << 14] = 1 << 14
    assert_as_modelled(events, 1 << 20, GEOMETRIES[name])


def test_the_figures_of_a_few_calls_are_known() -> None:
    trace = trace_of((ALLOCATE, 0, 100), (ALLOCATE, 1, 5000), (REALLOCATE, 0, 10), (FREE, 1), (ALLOCATE, 2, 1), (FREE, 0))
    result = replay(trace, bytes=1 << 20)
    assert result.timeline["requested"].tolist() == [100, 5100, 5010, 10, 11, 1]
    assert result.timeline["used"].tolist() == [128, 8320, 8256, 64, 128, 64]
    assert result.timeline["time"].tolist() == [0, 1000, 2000, 3000, 4000, 5000]
    assert (result.peak_requested_bytes, result.peak_used_bytes, result.failures) == (5100, 8320, 0)
    assert list(result.snapshots) == [1]
    assert [(one.block_size, one.allocations) for one in result.class_stats if one.allocations] == [(64, 2), (128, 1)]


def test_the_same_replay_has_the_same_figures_to_the_last_bit(options: dict[str, Any]) -> None:
    first = replay(TRACE, **options)
    for _ in range(3):
        assert_same(first, replay(TRACE, **options, repeats=2))


def test_a_file_is_replayed_as_a_stream_with_the_same_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trace = random_trace(9, 150_000)
    trace.save(tmp_path / "a.trace")
    assert_same(replay(tmp_path / "a.trace"), replay(trace))
    assert_same(replay(str(tmp_path / "a.trace"), preset="compact"), replay(trace, preset="compact"))
    assert [path.name for path in tmp_path.iterdir()] == ["a.trace"]
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))
    with pytest.raises(RuntimeError, match=r"a file for the program in '.*none'"):
        replay(tmp_path / "a.trace")


def test_a_trace_that_makes_no_sense_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.trace").write_bytes(b"no trace at all")
    with pytest.raises(ValueError, match="at offset 0: not a trace"):
        replay(tmp_path / "a.trace")
    with pytest.raises(ValueError, match="event 1: frees block 7, which is not live"):
        replay(trace_of((ALLOCATE, 0, 1), (FREE, 7)))
    with pytest.raises(FileNotFoundError):
        replay(tmp_path / "none.trace")


def test_a_trace_of_nothing_is_replayed() -> None:
    for allocator in ("slabheap", "system"):
        result = replay(trace_of(), allocator)
        assert (result.events, result.failures, result.peak_requested_bytes, result.timeline.size) == (0, 0, 0, 0)
        assert len(result.all_seconds) == 1
    assert replay(trace_of()).occupancy.shape == (0, 7)  # type: ignore[union-attr]
    assert replay(trace_of()).snapshots == {}
    with pytest.raises(ValueError, match="the trace has no events, so there are none to take snapshots after"):
        replay(trace_of(), snapshot_events=[5])


@pytest.mark.parametrize("samples", [1, 2, 7, 999, 3000, 5000])
def test_samples_are_evenly_spread_and_end_with_the_last_event(samples: int) -> None:
    result = replay(TRACE, samples=samples)
    events = result.timeline["event"].astype(np.int64)
    fields = ("event", "time", "requested", "used", "held", "slack", "failures", "live_pages", "touched_pages")
    assert result.timeline.dtype.names == fields
    assert len(events) == min(samples, 3000)
    assert events[-1] == 2999
    gaps = np.diff(events, prepend=-1)
    assert gaps.max() - gaps.min() <= 1
    assert (result.timeline["time"] == TRACE.events["time"][events]).all()
    assert result.occupancy is not None
    assert result.occupancy.shape == (len(events), 7)
    assert result.occupancy.dtype.names == ("total_blocks", "used_blocks")


def test_snapshots_are_taken_after_the_events_asked_for() -> None:
    result = replay(TRACE, snapshot_events=[2999, 0, 100, 100])
    assert list(result.snapshots) == [0, 100, 2999]
    assert all(runs["address"][0] == 0 for runs in result.snapshots.values())
    assert list(replay(TRACE).snapshots) == [TRACE.program.peak_event]
    assert replay(TRACE, snapshot_events=[]).snapshots == {}
    assert list(replay(TRACE, snapshot_events=np.array([7, 5, 7]), samples=np.int64(9), repeats=np.int8(1)).snapshots) == [5, 7]  # type: ignore[arg-type]


def test_requests_without_memory_are_failures_and_the_replay_goes_on() -> None:
    trace = trace_of((ALLOCATE, 0, 10_000), (ALLOCATE, 1, 1 << 20), (ALLOCATE, 2, 100), (REALLOCATE, 2, 1 << 20), (FREE, 1), (FREE, 2))
    result = replay(trace, bytes=1 << 16)
    assert result.failures == 2
    assert result.timeline["used"].tolist() == [12288, 12288, 12416, 12416, 12416, 12288]
    assert result.timeline["requested"].tolist() == [10_000, 1_058_576, 1_058_676, 2_107_152, 1_058_576, 10_000]
    assert replay(trace).failures == 0


def test_a_heap_has_eight_times_the_peak_unless_its_bytes_are_given() -> None:
    small, large = trace_of((ALLOCATE, 0, 100)), trace_of((ALLOCATE, 0, 5 << 20))
    assert replay(small).stats.total_bytes > 15 << 20  # type: ignore[union-attr]
    assert 60 << 20 < replay(large).stats.total_bytes <= 64 << 20  # type: ignore[union-attr]
    assert replay(small, bytes=1 << 20).stats.total_bytes < 1 << 20  # type: ignore[union-attr]


def test_options_are_those_of_the_heap_and_are_kept_in_the_result() -> None:
    options: dict[str, Any] = {
        "preset": "compact",
        "classes": [64, 4096],
        "set_blocks": 8,
        "page_bytes": 512,
        "pages": "buddy",
        "freed_runs": "merged",
        "huge_pages": "wanted",
        "bytes": 1 << 24,
    }
    result = replay(TRACE, **options)
    assert result.options == options
    assert [one.block_size for one in result.class_stats] == [64, 4096]
    assert result.peak_used_bytes > replay(TRACE).peak_used_bytes


BAD_OPTIONS: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "unknown": ({"presets": "compact"}, ValueError, "there is no option 'presets'; those of a replay are bytes, regions, preset, classes"),
    "preset": ({"preset": "tight"}, ValueError, "preset must be one of 'classic', 'compact', not 'tight'"),
    "freed_runs": ({"freed_runs": "split"}, ValueError, "freed_runs must be one of 'kept', 'merged', not 'split'"),
    "huge_pages": ({"huge_pages": "yes"}, ValueError, "huge_pages must be one of 'system', 'wanted', 'unwanted', not 'yes'"),
    "classes": ({"classes": [5]}, ValueError, "a size class must have at least 8 bytes"),
    "page_bytes": ({"page_bytes": 3}, ValueError, "a page must have a power of two of bytes"),
    "type": ({"page_bytes": "4K"}, TypeError, "page_bytes must be an integer, not of the type str"),
    "no bytes": ({"bytes": 0}, TooSmall, "a heap of 0 bytes: the memory cannot hold"),
    "few bytes": ({"bytes": 1000}, TooSmall, "a heap of 1000 bytes: the memory cannot hold"),
    "too many bytes": ({"bytes": 1 << 62}, MemoryError, f"a heap of {1 << 62} bytes: there is no memory"),
    "too many pages": ({"bytes": 1 << 44, "page_bytes": 512}, ValueError, "a region has at most 2.31 pages"),
    "no samples": ({"samples": 0}, ValueError, "there must be at least one sample"),
    "samples": ({"samples": 1e3}, TypeError, "samples must be an integer, not of the type float"),
    "repeats": ({"repeats": -1}, ValueError, "repeats must be from 0 to 2.64 - 1, but is -1"),
    "some repeats": ({"repeats": 1.5}, TypeError, "repeats must be an integer, not of the type float"),
    "snapshot": ({"snapshot_events": [3000]}, ValueError, "snapshot_events must be from 0 to 2999"),
    "early snapshot": ({"snapshot_events": [-1]}, ValueError, "snapshot_events must be from 0 to 2999"),
}


@pytest.mark.parametrize(("options", "error", "words"), list(BAD_OPTIONS.values()), ids=list(BAD_OPTIONS))
def test_a_bad_option_of_a_replay_is_named(options: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        replay(TRACE, **options)


def test_every_timed_replay_has_its_seconds() -> None:
    result = replay(TRACE, repeats=5)
    assert len(result.all_seconds) == 5
    assert all(seconds > 0 for seconds in result.all_seconds)
    assert result.seconds == statistics.median(result.all_seconds)
    assert result.operations_per_second == 3000 / result.seconds
    untimed = replay(TRACE, repeats=0)
    assert untimed.all_seconds == []
    assert math.isnan(untimed.seconds)
    assert math.isnan(untimed.operations_per_second)
    assert_same(result, untimed)


@pytest.mark.parametrize("allocator", ["slabheap", "system"])
def test_a_warm_replay_follows_another_and_finds_its_pages_mapped(allocator: str) -> None:
    told: list[tuple[int, int]] = []
    blocks = workloads.from_lifetimes(400, workloads.constant(1 << 16), workloads.constant(400))
    fresh, warm = (
        replay(blocks, allocator, repeats=5, warm=is_warm, costs=False, progress=lambda done, total: told.append((done, total)))
        for is_warm in (False, True)
    )
    assert (fresh.is_warm, warm.is_warm, len(warm.all_seconds)) == (False, True, 5)
    assert_same(fresh, warm)
    if allocator == "slabheap":  # the system's malloc gives back what is free at the end of its heap
        # A fresh one waits for the kernel 400 times, a warm one not once: many times as long.
        assert min(warm.all_seconds) < min(fresh.all_seconds)
    assert {total for _, total in told} == {6 * len(blocks), 11 * len(blocks)}
    assert (told[-1][0], told[-1][1]) == (11 * len(blocks), 11 * len(blocks))


def test_a_result_has_a_short_name_and_a_line() -> None:
    names = [replay(TRACE, **options).label for options in ({}, {"preset": "compact"}, {"pages": "best_fit", "bytes": 1 << 24})]
    assert names == ["classic", "compact", "classic pages=best_fit"]
    result = replay(TRACE)
    assert repr(result).startswith("<Result of classic: 3,000 events, ")
    assert f"{result.peak_held_bytes:,} bytes held for {result.peak_requested_bytes:,} requested, 0 failures>" in repr(result)
    assert (result == replay(TRACE), result == result) == (False, True)


def test_compare_replays_on_each_allocator() -> None:
    results = compare(TRACE, ["slabheap", "classic", "compact", "system"], repeats=2, samples=50)
    assert [result.label for result in results] == ["classic", "classic", "compact", "system"]
    assert_same(results[1], replay(TRACE, samples=50, preset="classic"))
    assert_same(results[2], replay(TRACE, samples=50, preset="compact"))
    assert all(len(result.all_seconds) == 2 and result.timeline.size == 50 for result in results)
    assert [result.label for result in compare(TRACE)] == ["classic", "system"]
    assert compare(TRACE, []) == []


def test_options_of_compare_are_for_slabheap_alone(tmp_path: Path) -> None:
    TRACE.save(tmp_path / "a.trace")
    classic, system = compare(tmp_path / "a.trace", ["classic", "system"], bytes=1 << 25, snapshot_events=[5])
    assert (classic.options, system.options) == ({"bytes": 1 << 25, "preset": "classic"}, {})
    assert (list(classic.snapshots), system.snapshots) == ([5], {})


@pytest.mark.parametrize(
    ("allocators", "options", "words"),
    [
        (["system"], {"sampels": 3}, "there is no option 'sampels'; those of a replay are bytes, .*samples, .*snapshot_events"),
        (["system", "slabheap"], {"bogus": 1}, "there is no option 'bogus'"),
        (["system", "classic"], {"preset": "compact"}, "'classic' is a preset by itself; leave out preset='compact', or name 'slabheap'"),
    ],
)
def test_compare_names_a_bad_option_before_anything_is_replayed(allocators: list[str], options: dict[str, Any], words: str) -> None:
    told: list[tuple[int, int]] = []
    with pytest.raises(ValueError, match=words):
        compare(TRACE, allocators, progress=lambda done, total: told.append((done, total)), **options)
    assert told == []


def test_one_name_is_no_sequence_of_allocators() -> None:
    with pytest.raises(TypeError, match="allocators must be a sequence of names, not one"):
        compare(TRACE, "system")


def test_the_folder_for_temporary_files_need_not_be_utf_8(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "\udcff"
    folder.mkdir()
    TRACE.save(tmp_path / "a.trace")
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    assert_same(replay(tmp_path / "a.trace"), replay(TRACE))
    assert list(folder.iterdir()) == []
    folder.rmdir()
    with pytest.raises(RuntimeError, match=f"a file for the program in '{folder}': No such file"):
        replay(tmp_path / "a.trace")


def test_every_operation_is_replayed() -> None:
    events = events_of([(operation, 0, 100) for operation in (ALLOCATE, REALLOCATE, FREE)] + [(ZEROED, 1, 100), (FREE, 1)])
    assert set(events["operation"].tolist()) == set(Operation)
    stats = replay(Trace(events)).stats
    assert stats is not None
    assert (stats.allocations, stats.deallocations, stats.live_blocks) == (2, 2, 0)
