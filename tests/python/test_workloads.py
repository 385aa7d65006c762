"""Synthetic traces: what was asked for is what there is, and a seed makes them again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from making_traces import ALLOCATE, FREE, REALLOCATE, random_trace, trace_of
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
    "robson": lambda _: workloads.robson(1 << 18, 4096, 4),
    "resembling": lambda seed: workloads.resembling(random_trace(3, 2000), 700, seed=seed),
}
RANDOM = np.random.default_rng(7)
NAN, INFINITY = float("nan"), float("inf")


@pytest.mark.parametrize("name", MAKERS)
def test_a_workload_is_a_valid_trace_that_replays(name: str) -> None:
    trace = MAKERS[name](1)
    again = Trace.from_events(trace.events)  # would refuse blocks that are not live
    assert np.array_equal(again.events, trace.events)
    result = replay(trace)
    assert result.failures == 0
    assert result.peak_requested_bytes == trace.peak_requested_bytes
    assert name in trace.information.command[0]


@pytest.mark.parametrize("name", ["from_lifetimes", "phases", "generations", "producer_consumer", "steady_state", "resembling"])
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


HEAPS: list[dict[str, Any]] = [{"pages": "buddy"}, {"pages": "best_fit"}, {"preset": "compact"}, {"preset": "compact", "pages": "buddy"}]


@pytest.mark.parametrize("options", HEAPS, ids=str)
@pytest.mark.parametrize(("live_bytes", "unit", "doublings"), [(1 << 20, 4096, 6), (1 << 22, 4096, 8), (1 << 17, 64, 8)])
def test_robsons_program_takes_what_his_theorem_says(options: dict[str, Any], live_bytes: int, unit: int, doublings: int) -> None:
    bound = workloads.robson_bound(live_bytes, unit, doublings)
    assert bound > 3 * live_bytes
    trace = workloads.robson(live_bytes, unit, doublings, **options)
    result = replay(trace, bytes=8 * live_bytes + (1 << 20), repeats=0, **options)
    assert result.failures == 0
    assert result.peak_requested_bytes == live_bytes
    assert result.touched_pages * 4096 > 0.95 * bound  # the theorem counts gaps between blocks, too
    for size in (bound // 2, bound):  # with its metadata, a heap of the bound has a little less
        too_small = workloads.robson(live_bytes, unit, doublings, bytes=size, **options)
        assert replay(too_small, bytes=size, repeats=0, **options).failures == 1


def test_robsons_bound_is_that_of_the_paper() -> None:
    assert workloads.robson_bound(64, 1, 6) == 64 * (6 // 2 + 1) - 64 + 1
    assert workloads.robson_bound(1024, 1, 10) == 1024 * (10 // 2 + 1) - 1024 + 1
    assert workloads.robson_bound(4096 * 8, 4096, 3) == 4096 * (8 * 3 // 2 + 8 - 8 + 1)
    with pytest.raises(ValueError, match="multiple of the largest size, 64, not 100"):
        workloads.robson_bound(100, 1, 6)


def test_what_resembles_a_trace_has_its_blocks_in_another_order() -> None:
    short = [(ALLOCATE, 0, 100, 64), (FREE, 0), (ALLOCATE, 1, 10, 8), (REALLOCATE, 1, 5000), (ALLOCATE, 2, 7, 8)]
    trace = workloads.resembling(trace_of(*short), 3000, seed=5)
    begins = trace.events[trace.events["operation"] == ALLOCATE]
    kinds = set(zip(begins["size"].tolist(), begins["align"].tolist(), strict=True))
    assert kinds == {(100, 64), (5000, 8), (7, 8)}
    assert set(begins["size"][trace.events["block"][trace.events["operation"] == FREE]].tolist()) == {100}  # sizes keep their lifetimes
    assert (begins["size"] == 100).mean() == pytest.approx(1 / 3, abs=0.05)


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
        lambda: workloads.log_normal(NAN, 1),
        lambda: workloads.log_normal(10, NAN),
        lambda: workloads.log_normal(INFINITY, 1),
        lambda: workloads.log_normal(10, INFINITY),
        lambda: workloads.exponential(-1),
        lambda: workloads.exponential(NAN),
        lambda: workloads.zipf([]),
        lambda: workloads.zipf([-1]),
        lambda: workloads.empirical([]),
    ],
)
def test_a_distribution_that_makes_no_sense_is_refused(make: Callable[[], workloads.Distribution]) -> None:
    with pytest.raises(ValueError, match=r"not|must"):
        make()


SIXTEEN = workloads.constant(16)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: workloads.from_lifetimes(-1, SIXTEEN, SIXTEEN), "blocks must be at least 0, not -1"),
        (lambda: workloads.resembling(random_trace(1, 10), -2), "blocks must be at least 0, not -2"),
        (lambda: workloads.resembling(trace_of(), 5), "the trace has no block"),
        (lambda: workloads.phases([workloads.Phase(-1, SIXTEEN, SIXTEEN)]), "the blocks of a phase must be at least 0, not -1"),
        (lambda: workloads.phases([workloads.Phase(1, SIXTEEN, SIXTEEN, kept=2)]), "what a phase keeps must be from 0 to 1, not 2"),
        (lambda: workloads.generations(5, SIXTEEN, survivors=-0.5), "survivors must be from 0 to 1, not -0.5"),
        (lambda: workloads.producer_consumer(-1, SIXTEEN), "messages must be at least 0, not -1"),
        (lambda: workloads.producer_consumer(5, SIXTEEN, queue=0), "queue must be at least 1, not 0"),
        (lambda: workloads.steady_state(-1, SIXTEEN, 5), "operations must be at least 0, not -1"),
        (lambda: workloads.steady_state(5, SIXTEEN, -1), "target_bytes must be at least 0, not -1"),
        (lambda: workloads.sparse_sets(1, [64], set_blocks=0), "set_blocks not below 1"),
        (lambda: workloads.doubling_holes(100, 0), "nor the smallest size below 1: 100, 0, 8"),
        (lambda: workloads.robson(100, 16, -1), "doublings must not be below 0"),
        (lambda: workloads.robson(1 << 20, pages="none"), "pages must be one of"),
    ],
)
def test_a_workload_that_makes_no_sense_is_refused(make: Callable[[], Trace], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make()


def test_a_workload_of_nothing_is_a_trace_of_nothing() -> None:
    for trace in (
        workloads.from_lifetimes(0, SIXTEEN, SIXTEEN),
        workloads.phases([]),
        workloads.producer_consumer(0, SIXTEEN),
        workloads.steady_state(0, SIXTEEN, 100),
        workloads.sparse_sets(0, [64]),
        workloads.doubling_holes(0),
        workloads.robson(0),
        workloads.resembling(random_trace(1, 10), 0),
    ):
        assert len(trace) == 0
        assert trace.information.source == "workload"


@pytest.mark.parametrize(
    "lifetimes",
    [workloads.exponential(INFINITY), workloads.exponential(1e30), workloads.log_normal(1e30, 1.0, 1, workloads.FOREVER)],
    ids=repr,
)
def test_who_lives_longer_than_a_number_tells_lives_for_ever(lifetimes: workloads.Distribution) -> None:
    assert set(lifetimes.draw(RANDOM, 1000).tolist()) == {workloads.FOREVER}
    trace = workloads.from_lifetimes(100, workloads.constant(8), lifetimes)
    assert set(trace.events["operation"].tolist()) == {ALLOCATE}
