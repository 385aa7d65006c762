"""Synthetic traces: what a program might do, drawn from distributions with a seed. Same arguments, same trace.

Sizes are bytes. Lifetimes are counted in allocations: a block of lifetime 10 is freed before the tenth allocation after its own.
In the traces, an event takes a microsecond.

    >>> from slabheap import workloads
    >>> trace = workloads.from_lifetimes(1000, workloads.log_normal(64, 1.0), workloads.exponential(50), seed=1)
    >>> trace.block_count
    1000
"""

from __future__ import annotations

from slabheap.workloads.adversaries import doubling_holes, robson, robson_bound, sparse_sets
from slabheap.workloads.distributions import (
    FOREVER,
    Distribution,
    constant,
    empirical,
    exponential,
    lifetimes_of,
    log_normal,
    log_uniform,
    sizes_of,
    uniform,
    zipf,
)
from slabheap.workloads.programs import Phase, from_lifetimes, generations, phases, producer_consumer, resembling, steady_state

__all__ = [
    "FOREVER",
    "Distribution",
    "Phase",
    "constant",
    "doubling_holes",
    "empirical",
    "exponential",
    "from_lifetimes",
    "generations",
    "lifetimes_of",
    "log_normal",
    "log_uniform",
    "phases",
    "producer_consumer",
    "resembling",
    "robson",
    "robson_bound",
    "sizes_of",
    "sparse_sets",
    "steady_state",
    "uniform",
    "zipf",
]
