"""The best size classes: compared with all lists there are, and with the presets on real programs."""

from __future__ import annotations

import itertools
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slabheap import Heap, Trace, replay, workloads
from slabheap.classes import SizeHistogram, optimise_classes, rounded_bytes, size_histogram
from slabheap.events import EVENT, Operation
from slabheap.options import Preset

TRACES = sorted((Path(__file__).parents[1] / "traces").glob("*.trace"))


def trace_of(requests: list[tuple[int, int]]) -> Trace:
    """A trace that allocates blocks of some sizes and alignments, and frees none."""
    events = np.zeros(len(requests), EVENT)
    events["block"] = np.arange(len(requests))
    events["size"], events["align"] = np.array(requests).T
    return Trace(events)


def served_by(classes: Sequence[int], size: int, align: int) -> int | None:
    """The class that a heap would route a request to."""
    return next((block for block in classes if block >= size and block % align == 0), None)


def best_cost(requests: list[tuple[int, int]], count: int, largest: int) -> int:
    """The fewest bytes that any list of at most `count` classes takes, every list tried."""
    least = min(max(8, size) for size, _ in requests)
    costs = []
    for length in range(1, count + 1):
        for classes in itertools.combinations(range(least, largest + 1), length):
            blocks = [served_by(classes, size, align) for size, align in requests]
            costs += [] if None in blocks else [sum(block for block in blocks if block)]
    return min(costs)


@given(st.lists(st.integers(1, 200), min_size=1, max_size=12), st.integers(1, 6))
def test_no_list_of_as_many_classes_gives_fewer_bytes(sizes: list[int], count: int) -> None:
    trace = trace_of([(size, 8) for size in sizes])
    histogram = size_histogram(trace)
    classes = optimise_classes(trace, count)
    distinct = sorted({(size + 7) // 8 * 8 for size in sizes})
    others = (
        rounded_bytes(histogram, [*chosen, distinct[-1]])
        for length in range(min(count, len(distinct)))
        for chosen in itertools.combinations(distinct[:-1], length)
    )
    assert len(classes) <= count
    assert rounded_bytes(histogram, classes) == min(others)


@given(st.lists(st.tuples(st.integers(0, 28), st.sampled_from([1, 2, 4, 8, 16])), min_size=1, max_size=8), st.integers(1, 3))
@settings(max_examples=60, deadline=None)
def test_no_list_at_all_gives_fewer_bytes_whatever_the_alignments(requests: list[tuple[int, int]], count: int) -> None:
    trace = trace_of(requests)
    classes = optimise_classes(trace, count, weight="requests", largest=32)  # behind the peak, blocks of no bytes may come
    assert classes == sorted(set(classes))
    assert len(classes) <= count
    assert classes[-1] <= 32
    blocks = [served_by(classes, size, align) for size, align in requests]
    assert None not in blocks
    assert sum(block for block in blocks if block) == best_cost(requests, count, 32)


@given(
    st.lists(st.tuples(st.integers(0, 3000), st.sampled_from([1, 8, 16, 64, 256, 4096]), st.integers(1, 5)), min_size=1, max_size=30),
    st.lists(st.integers(8, 4096), min_size=1, max_size=8, unique=True),
    st.sampled_from([512, 4096]),
)
def test_the_bytes_of_a_list_are_those_that_a_heap_says(kinds: list[tuple[int, int, int]], sizes: list[int], page_bytes: int) -> None:
    requests = [(size, align) for size, align, count in kinds for _ in range(count) if align <= page_bytes]
    if not requests:
        return
    classes = sorted(sizes)
    histogram = size_histogram(trace_of(requests), "requests", page_bytes=page_bytes)
    with Heap(1 << 20, classes=classes, page_bytes=page_bytes) as heap:
        assert rounded_bytes(histogram, classes, page_bytes=page_bytes) == sum(heap.usable_size(*one).max for one in requests)
    assert histogram.total_bytes == sum(max(1, size) for size, _ in requests)


@pytest.mark.parametrize("path", TRACES, ids=lambda path: path.stem)
def test_as_many_classes_as_a_preset_has_use_fewer_bytes_on_every_kept_trace(path: Path) -> None:
    trace = Trace.load(path)
    presets = typing.get_args(Preset)
    used, best = {}, {}
    for preset in presets:
        result = replay(trace, preset=preset, repeats=0)
        used[preset] = result.peak_used_bytes
        lists = [stats.block_size for stats in result.class_stats]
        classes = optimise_classes(trace, len(lists))
        assert len(classes) <= len(lists)
        histogram = size_histogram(trace)
        assert rounded_bytes(histogram, classes) < rounded_bytes(histogram, lists)
        best[preset] = replay(trace, preset=preset, classes=classes, repeats=0).peak_used_bytes
        assert best[preset] < used[preset]
    assert best["compact"] < min(used.values())


def test_the_bytes_foreseen_are_those_that_a_heap_uses() -> None:
    trace = workloads.from_lifetimes(2000, workloads.log_uniform(1, 4000), workloads.constant(10**6), align=16)
    classes = optimise_classes(trace, 9)
    assert replay(trace, classes=classes, repeats=0).peak_used_bytes == rounded_bytes(size_histogram(trace), classes)


def columns(histogram: SizeHistogram) -> list[list[int]]:
    """Sizes, alignments and counts."""
    return [column.tolist() for column in vars(histogram).values()]


def test_the_peak_counts_what_is_live_then_and_requests_count_everything() -> None:
    trace = workloads.from_lifetimes(1000, workloads.constant(100), workloads.constant(10), align=4)
    assert columns(size_histogram(trace, "peak")) == [[100], [4], [10]]
    assert columns(size_histogram(trace, "requests")) == [[100], [4], [1000]]


def test_a_reallocated_block_counts_with_its_last_size() -> None:
    events = np.zeros(2, EVENT)
    events["operation"] = Operation.ALLOCATE, Operation.REALLOCATE
    events["size"], events["align"] = (100, 300), (32, 1)
    trace = Trace(events)
    assert columns(size_histogram(trace, "peak")) == [[300], [32], [1]]
    assert columns(size_histogram(trace, "requests")) == [[100, 300], [32, 32], [1, 1]]


def test_what_slabs_cannot_serve_is_left_out() -> None:
    trace = trace_of([(0, 8), (1, 16), (17, 16), (10, 64), (5000, 8), (8, 8192), (4090, 1024)])
    assert columns(size_histogram(trace)) == [[1, 1, 10, 17, 4090], [8, 16, 64, 16, 1024], [1, 1, 1, 1, 1]]
    assert size_histogram(trace, page_bytes=512).sizes.tolist() == [1, 1, 10, 17]
    assert size_histogram(trace, largest=8192).sizes.tolist() == [1, 1, 10, 17, 4090, 5000]
    assert optimise_classes(trace, 10) == [8, 16, 32, 64, 4096]
    assert optimise_classes(trace, 10, largest=8192, page_bytes=8192) == [8, 16, 32, 64, 4096, 5000, 8192]


def test_a_class_of_odd_size_is_kept_for_those_who_want_no_alignment() -> None:
    # Two classes: one exactly for the many, and one above for the few that want an alignment.
    trace = trace_of([(100, 4)] * 1000 + [(90, 32)] * 3 + [(120, 4)])
    assert optimise_classes(trace, 2) == [100, 128]
    # If the few were many, too, one class for both is better.
    assert optimise_classes(trace_of([(100, 4)] * 10 + [(90, 32)] * 1000 + [(120, 4)]), 2) == [96, 120]


def test_a_heap_takes_the_classes() -> None:
    trace = workloads.from_lifetimes(500, workloads.log_uniform(1, 4096), workloads.constant(100))
    classes = optimise_classes(trace, 128)
    with Heap(1 << 20, classes=classes) as heap:
        assert [stats.block_size for stats in heap.class_stats()] == classes


def test_all_sizes_there_are_and_a_million_events_are_within_reach() -> None:
    trace = trace_of([(size, 1) for size in range(1, 1_000_001)])
    classes = optimise_classes(trace, 4, largest=65536)
    histogram = size_histogram(trace, largest=65536)
    assert histogram.sizes.size == 65536
    waste = rounded_bytes(histogram, classes)
    assert classes[-1] == 65536
    for index in range(3):  # no end can be moved by one for the better
        for step in (-1, 1):
            moved = [*classes]
            moved[index] += step
            assert rounded_bytes(histogram, moved) >= waste
    assert len(optimise_classes(trace, 128, largest=65536)) == 128


def test_a_few_aligned_requests_among_many_are_no_hardship() -> None:
    random = np.random.default_rng(1)
    sizes = workloads.log_normal(200, 1.2, 1, 4000).draw(random, 20_000)
    aligns = np.where(random.random(20_000) < 0.02, 2 ** random.integers(5, 8, 20_000), 16)
    trace = trace_of(list(zip(sizes.tolist(), aligns.tolist(), strict=True)))
    histogram = size_histogram(trace)
    classes = optimise_classes(trace, 12)
    assert len(classes) == 12
    uneven = [block for block in classes if block % 128]
    assert uneven  # or nothing is shown
    assert rounded_bytes(histogram, classes) <= rounded_bytes(histogram, [-(-block // 128) * 128 for block in classes])


@pytest.mark.parametrize("count", [0, -1, 129])
def test_a_count_out_of_range_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match=f"from 1 to 128, not {count}"):
        optimise_classes(trace_of([(8, 8)]), count)


def test_a_trace_without_small_requests_is_refused() -> None:
    with pytest.raises(ValueError, match="no request of at most 4096"):
        optimise_classes(trace_of([(10_000, 8)]), 4)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"largest": 7}, "largest must be from 8 to 65536, as blocks of slabs are, not 7"),
        ({"largest": 65537}, "not 65537"),
        ({"page_bytes": 1000}, "page_bytes must be a power of two, 512 to 65536, not 1000"),
        ({"page_bytes": 256}, "not 256"),
    ],
)
def test_a_number_out_of_range_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        optimise_classes(trace_of([(8, 8)]), 4, **options)


def test_an_unknown_weight_is_refused() -> None:
    with pytest.raises(ValueError, match="'time'"):
        optimise_classes(trace_of([(8, 8)]), 4, weight="time")  # type: ignore[arg-type]
