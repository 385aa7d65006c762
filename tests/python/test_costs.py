"""What each call costs: calls are counted exactly, and times are as large as they were made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from compiling import library
from making_traces import ALLOCATE, FREE, REALLOCATE, ZEROED, random_trace, trace_of
from slabheap import Operation, compare, replay
from slabheap.costs import OPERATIONS, PERCENTILES, Costs

TRACE = random_trace(17, 20_000)

#: An allocator of which every hundredth malloc, and every free, takes its time.
SLOW = """
#include <time.h>
static char memory[64 << 20];
static size_t used, calls;
static void wait_for(long nanoseconds) {
  struct timespec start, now;
  clock_gettime(CLOCK_MONOTONIC, &start);
  do clock_gettime(CLOCK_MONOTONIC, &now);
  while ((now.tv_sec - start.tv_sec) * 1000000000L + now.tv_nsec - start.tv_nsec < nanoseconds);
}
void *malloc(size_t size) {
  if (++calls % 100 == 0) wait_for(50000);
  void *block = memory + used;
  used += (size + 63) & -64L;
  return block;
}
void free(void *block) { wait_for(10000); }
"""


def costs_of(allocator: str) -> Costs:
    """Those of the random trace."""
    costs = compare(TRACE, [allocator])[0].costs
    assert costs is not None
    return costs


@pytest.mark.parametrize("allocator", ["classic", "compact", "system"])
def test_every_call_is_in_a_histogram(allocator: str) -> None:
    costs = costs_of(allocator)
    for operation in Operation:
        name = operation.name.lower()
        calls = int((TRACE.events["operation"] == operation).sum())
        edges, counts = costs.histogram(name)
        assert costs.count(name) == calls == counts.sum() > 0
        assert edges.shape == (counts.size + 1,)
        assert (np.diff(edges) > 0).all()
        assert counts[-1] > 0
        assert edges[-2] <= costs.largest(name) < edges[-1] + 1e-6


@pytest.mark.parametrize("allocator", ["classic", "compact", "system"])
def test_percentiles_ascend_to_the_largest(allocator: str) -> None:
    costs = costs_of(allocator)
    for name in OPERATIONS:
        values = [costs.percentile(name, percent) for percent in (0.001, 10, *PERCENTILES.values())]
        assert values == sorted(values)
        assert values[-1] == costs.largest(name)
        assert 0 < costs.mean(name) < costs.largest(name)
    assert 0 < costs.resolution_nanoseconds < 1000
    assert 0 < costs.reading_nanoseconds < 10_000


def test_windows_are_as_long_as_each_other_and_together_all_events() -> None:
    costs = costs_of("classic")
    assert costs.windows.shape == (50,)
    assert costs.windows["event"].tolist() == list(range(399, 20_000, 400))
    assert (costs.windows["time"] == TRACE.events["time"][costs.windows["event"]]).all()
    assert set(costs.windows["counts"].sum(axis=(1, 2)).tolist()) == {400}
    assert costs.over_time("free", 50).shape == (50,)


def test_costs_are_as_large_as_they_were_made(tmp_path: Path) -> None:
    path = str(library(tmp_path, SLOW))
    trace = trace_of(*((ALLOCATE, block, 8) for block in range(1000)), *((FREE, block) for block in range(1000)))
    costs = replay(trace, path).costs
    assert costs is not None
    # What is interrupted takes longer, never shorter. A bucket is at most a 32nd wide.
    assert costs.percentile("allocate", 98) < 10_000
    assert costs.percentile("allocate", 99.1) >= 50_000 * 31 / 32
    assert costs.percentile("free", 0.1) >= 10_000 * 31 / 32
    assert costs.mean("free") >= 10_000
    assert costs.mean("allocate") >= 500
    assert np.isnan(costs.over_time("free", 50)[:25]).all()
    assert (costs.over_time("free", 50)[25:] >= 10_000 * 31 / 32).all()


def test_what_there_was_no_memory_for_is_neither_reallocated_nor_freed() -> None:
    trace = trace_of((ALLOCATE, 0, 1 << 60), (REALLOCATE, 0, 5), (FREE, 0), (ZEROED, 1, 5))
    for costs in (replay(trace, bytes=1 << 20).costs, replay(trace, "system").costs):
        assert costs is not None
        assert [costs.count(name) for name in OPERATIONS] == [1, 1, 0, 0]
        assert np.isnan(costs.mean("free"))
        assert np.isnan(costs.percentile("free", 50))
        assert set(costs.summary()) == {"allocate", "allocate_zeroed"}
        assert costs.figures()["free_p50_ns"] is None


def test_costs_can_be_left_out_or_be_all_there_is() -> None:
    assert replay(TRACE, costs=False).costs is None
    assert replay(TRACE, repeats=0).costs is None
    alone = replay(TRACE, repeats=0, costs=True)
    assert alone.costs is not None
    assert alone.all_seconds == []


def test_a_question_that_makes_no_sense_is_refused() -> None:
    costs = costs_of("classic")
    with pytest.raises(ValueError, match="one of 'allocate', 'allocate_zeroed', 'reallocate', 'free', not 'malloc'"):
        costs.percentile("malloc", 50)
    for percent in (0, -1, 101):
        with pytest.raises(ValueError, match=f"above 0 and up to 100, not {percent}"):
            costs.percentile("free", percent)


def test_costs_have_a_line() -> None:
    assert repr(costs_of("classic")).startswith("<Costs: allocate ")
