"""Synthetic traces: what was asked for is what there is, and a seed makes them again."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from slabheap import Trace, replay, workloads
from slabheap.events import Operation

MAKERS: dict[str, Callable[[int], Trace]] = {
    "from_lifetimes": lambda seed: workloads.from_lifetimes(500, workloads.log_normal(64, 1.0), workloads.exponential(30), seed=seed),
    "phases": lambda seed: workloads.phases(
        [workloads.Phase(blocks, workloads.uniform(1, 300), workloads.exponential(40), 0.2) for blocks in (200, 0, 200)], seed=seed
    ),
    "generations": lambda seed: workloads.generations(500, workloads.log_uniform(1, 4096), young=5, old=300, seed=seed),
    "producer_consumer": lambda seed: workloads.producer_consumer(300, workloads.zipf([64, 128, 4096]), queue=20, seed=seed),
    "steady_state": lambda seed: workloads.steady_state(1000, workloads.log_uniform(1, 1000), 20_000, seed=seed),
    "sparse_sets": lambda _: workloads.sparse_sets(3, [64, 256], set_blocks=16),
    "doubling_holes": lambda _: workloads.doubling_holes(1 << 14, 16, 5),
}
RANDOM = np.random.default_rng(7)


@pytest.mark.parametrize("name", MAKERS)
def test_a_workload_is_a_valid_trace_that_replays(name: str) -> None:
    trace = MAKERS[name](1)
    again = Trace.from_events(trace.events)  # would refuse blocks that are not live
    assert np.array_equal(again.events, trace.events)
    result = replay(trace)
    assert result.failures == 0
    assert result.peak_requested_bytes == trace.peak_requested_bytes
    assert name in trace.information.command[0]


@pytest.mark.parametrize("name", ["from_lifetimes", "phases", "generations", "producer_consumer", "steady_state"])
def test_a_seed_makes_a_workload_again_and_another_makes_another(name: str) -> None:
    assert np.array_equal(MAKERS[name](1).events, MAKERS[name](1).events)
    assert not np.array_equal(MAKERS[name](1).events, MAKERS[name](2).events)


def test_a_lifetime_counts_allocations() -> None:
    trace = workloads.from_lifetimes(100, workloads.constant(10), workloads.constant(4))
    assert trace.peak_requested_bytes == 40
    assert trace.program.requested_bytes == 40  # what would outlive the trace is not freed
    drawn = workloads.lifetimes_of(trace).draw(np.random.default_rng(0), 1000)
    assert set(drawn.tolist()) == {4, workloads.FOREVER}


def test_a_lifetime_of_nothing_frees_a_block_before_the_next() -> None:
    trace = workloads.from_lifetimes(10, workloads.constant(8), workloads.constant(0))
    assert trace.events["operation"][:4].tolist() == [Operation.ALLOCATE, Operation.FREE] * 2
    assert trace.peak_requested_bytes == 8


def test_a_phase_leaves_the_part_that_is_kept() -> None:
    part = workloads.Phase(1000, workloads.constant(1), workloads.constant(10**6), kept=0.25)
    trace = workloads.phases([part, part])
    assert trace.peak_requested_bytes == pytest.approx(1250, abs=60)
    assert trace.program.requested_bytes == pytest.approx(500, abs=80)


def test_a_consumer_frees_in_the_order_of_the_producer() -> None:
    trace = workloads.producer_consumer(200, workloads.constant(16), queue=10)
    frees = trace.events[trace.events["operation"] == Operation.FREE]
    assert np.array_equal(frees["block"], np.arange(200))
    assert set(frees["thread"].tolist()) == {1}
    assert trace.peak_requested_bytes <= 16 * 11


def test_a_steady_state_stays_where_it_is_meant_to() -> None:
    trace = workloads.steady_state(5000, workloads.uniform(1, 100), 10_000)
    assert 10_000 <= trace.peak_requested_bytes < 10_100
    assert trace.program.requested_bytes > 9_900


def test_sparse_sets_hold_a_classic_heap_by_one_block_each() -> None:
    trace = workloads.sparse_sets(8, [64], set_blocks=64)
    result = replay(trace)
    assert result.stats is not None
    assert result.stats.used_bytes == 8 * 64
    assert result.stats.slab_total_bytes >= 8 * 4096


def test_doubling_holes_make_a_buddy_hold_a_multiple_of_what_is_live() -> None:
    trace = workloads.doubling_holes(1 << 18, 4096, 5)
    assert trace.peak_requested_bytes <= 1 << 18
    assert replay(trace, preset="classic").peak_held_bytes > 1.3 * trace.peak_requested_bytes


@pytest.mark.parametrize(
    ("distribution", "least", "most"),
    [
        (workloads.constant(5), 5, 5),
        (workloads.uniform(3, 9), 3, 9),
        (workloads.log_uniform(1, 4096), 1, 4096),
        (workloads.log_normal(100, 2.0, 16, 2000), 16, 2000),
        (workloads.exponential(10), 0, 10_000),
        (workloads.zipf([7, 11, 13], 2.0), 7, 13),
        (workloads.empirical([1, 1, 1, 9]), 1, 9),
    ],
    ids=repr,
)
def test_a_distribution_draws_integers_within_its_range(distribution: workloads.Distribution, least: int, most: int) -> None:
    drawn = distribution.draw(RANDOM, 20_000)
    assert drawn.dtype == np.int64
    assert drawn.shape == (20_000,)
    assert drawn.min() >= least
    assert drawn.max() <= most
    if most - least < 10:
        assert {drawn.min(), drawn.max()} == {least, most}


def test_distributions_have_the_middle_that_they_say() -> None:
    assert np.median(workloads.log_normal(100, 1.0).draw(RANDOM, 50_000)) == pytest.approx(100, rel=0.05)
    assert workloads.exponential(40).draw(RANDOM, 50_000).mean() == pytest.approx(40, rel=0.05)
    assert np.median(workloads.log_uniform(1, 4096).draw(RANDOM, 50_000)) == pytest.approx(64, rel=0.1)
    assert (workloads.zipf([1, 2]).draw(RANDOM, 50_000) == 1).mean() == pytest.approx(2 / 3, abs=0.02)
    assert (workloads.empirical([1, 1, 1, 9]).draw(RANDOM, 50_000) == 9).mean() == pytest.approx(0.25, abs=0.02)


def test_sizes_of_a_trace_are_drawn_as_often_as_they_occur() -> None:
    trace = workloads.from_lifetimes(10_000, workloads.zipf([10, 20, 30]), workloads.constant(5))
    drawn = workloads.sizes_of(trace).draw(RANDOM, 10_000)
    for size in (10, 20, 30):
        assert (drawn == size).mean() == pytest.approx((trace.request_sizes == size).mean(), abs=0.03)


@pytest.mark.parametrize(
    "make",
    [
        lambda: workloads.constant(-1),
        lambda: workloads.uniform(5, 4),
        lambda: workloads.log_uniform(0, 4),
        lambda: workloads.log_normal(0, 1),
        lambda: workloads.log_normal(10, -1),
        lambda: workloads.exponential(-1),
        lambda: workloads.zipf([]),
        lambda: workloads.zipf([-1]),
        lambda: workloads.empirical([]),
    ],
)
def test_a_distribution_that_makes_no_sense_is_refused(make: Callable[[], workloads.Distribution]) -> None:
    with pytest.raises(ValueError, match=r"not|must"):
        make()
