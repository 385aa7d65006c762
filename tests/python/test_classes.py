"""The best size classes: compared with all lists there are, and with the presets on real programs."""

from __future__ import annotations

import itertools
import typing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slabheap import Heap, Trace, replay, workloads
from slabheap.classes import optimise_classes, rounded_bytes, size_histogram
from slabheap.events import EVENT, Operation
from slabheap.options import Preset

TRACES = sorted((Path(__file__).parents[1] / "traces").glob("*.trace"))


def trace_of(requests: list[tuple[int, int]]) -> Trace:
    """A trace that allocates blocks of some sizes and alignments, and frees none."""
    events = np.zeros(len(requests), EVENT)
    events["block"] = np.arange(len(requests))
    events["size"], events["align"] = np.array(requests).T
    return Trace(events)


@given(st.lists(st.integers(1, 200), min_size=1, max_size=12), st.integers(1, 6))
def test_no_list_of_as_many_classes_gives_fewer_bytes(sizes: list[int], count: int) -> None:
    trace = trace_of([(size, 8) for size in sizes])
    distinct, counts = size_histogram(trace)
    classes = optimise_classes(trace, count)
    others = (
        rounded_bytes((distinct, counts), [*chosen, int(distinct[-1])])
        for length in range(min(count, distinct.size))
        for chosen in itertools.combinations(distinct[:-1].tolist(), length)
    )
    assert len(classes) <= count
    assert rounded_bytes((distinct, counts), classes) == min(others)


@pytest.mark.parametrize("path", TRACES, ids=lambda path: path.stem)
@pytest.mark.parametrize("preset", typing.get_args(Preset))
def test_as_many_classes_as_a_preset_use_fewer_bytes_on_every_kept_trace(path: Path, preset: Preset) -> None:
    trace = Trace.load(path)
    with Heap(1 << 20, preset=preset) as heap:
        count = len(heap.class_stats())
    classes = optimise_classes(trace, count)
    assert len(classes) <= count
    assert (
        replay(trace, preset=preset, classes=classes, repeats=0).peak_used_bytes < replay(trace, preset=preset, repeats=0).peak_used_bytes
    )


def test_the_bytes_foreseen_are_those_that_a_heap_uses() -> None:
    trace = workloads.from_lifetimes(2000, workloads.log_uniform(1, 4000), workloads.constant(10**6), align=16)
    classes = optimise_classes(trace, 9)
    assert replay(trace, classes=classes, repeats=0).peak_used_bytes == rounded_bytes(size_histogram(trace), classes)


def test_the_peak_counts_what_is_live_then_and_requests_count_everything() -> None:
    trace = workloads.from_lifetimes(1000, workloads.constant(100), workloads.constant(10), align=4)
    assert [column.tolist() for column in size_histogram(trace, "peak")] == [[100], [10]]
    assert [column.tolist() for column in size_histogram(trace, "requests")] == [[100], [1000]]


def test_a_reallocated_block_counts_with_its_last_size() -> None:
    events = np.zeros(2, EVENT)
    events["operation"] = Operation.ALLOCATE, Operation.REALLOCATE
    events["size"], events["align"] = (100, 300), (32, 1)
    trace = Trace(events)
    assert [column.tolist() for column in size_histogram(trace, "peak")] == [[320], [1]]
    assert [column.tolist() for column in size_histogram(trace, "requests")] == [[128, 320], [1, 1]]


def test_sizes_are_rounded_to_their_alignment_and_large_ones_left_out() -> None:
    trace = trace_of([(0, 8), (1, 16), (17, 16), (10, 64), (5000, 8), (8, 8192)])
    assert [column.tolist() for column in size_histogram(trace)] == [[8, 16, 32, 64], [1, 1, 1, 1]]
    assert optimise_classes(trace, 10) == [8, 16, 32, 64]
    assert optimise_classes(trace, 10, largest=8192) == [8, 16, 32, 64, 5000, 8192]


def test_a_heap_takes_the_classes() -> None:
    trace = workloads.from_lifetimes(500, workloads.log_uniform(1, 4096), workloads.constant(100))
    classes = optimise_classes(trace, 128)
    with Heap(1 << 20, classes=classes) as heap:
        assert [stats.block_size for stats in heap.class_stats()] == classes


def test_sixty_thousand_distinct_sizes_are_within_reach() -> None:
    trace = trace_of([(size, 1) for size in range(8, 60_000)])
    classes = optimise_classes(trace, 4, largest=65536)
    waste = rounded_bytes(size_histogram(trace, largest=65536), classes)
    assert classes[-1] == 59_999
    for index in range(3):  # no end can be moved by one for the better
        for step in (-1, 1):
            moved = [*classes]
            moved[index] += step
            assert rounded_bytes(size_histogram(trace, largest=65536), moved) >= waste


@pytest.mark.parametrize("count", [0, -1, 129])
def test_a_count_out_of_range_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match=f"from 1 to 128, not {count}"):
        optimise_classes(trace_of([(8, 8)]), count)


def test_a_trace_without_small_requests_is_refused() -> None:
    with pytest.raises(ValueError, match="no request of at most 4096"):
        optimise_classes(trace_of([(10_000, 8)]), 4)


def test_an_unknown_weight_is_refused() -> None:
    with pytest.raises(ValueError, match="'time'"):
        optimise_classes(trace_of([(8, 8)]), 4, weight="time")  # type: ignore[arg-type]
