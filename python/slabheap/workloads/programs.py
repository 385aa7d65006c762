"""What programs do: blocks with lifetimes, phases, generations, queues, steady states."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from slabheap.events import Operation, is_allocation
from slabheap.trace import Trace
from slabheap.workloads.distributions import FOREVER, Distribution, Numbers, exponential, life_spans
from slabheap.workloads.lives import deaths_after, joined, trace_of_lives

__all__ = ["Phase", "from_lifetimes", "generations", "phases", "producer_consumer", "resembling", "steady_state"]


def _check_count(name: str, value: int, least: int = 0) -> None:
    if value < least:
        raise ValueError(f"{name} must be at least {least}, not {value}")


def _check_part(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise ValueError(f"{name} must be from 0 to 1, not {value}")


def from_lifetimes(blocks: int, sizes: Distribution, lifetimes: Distribution, *, seed: int = 0, align: int = 16) -> Trace:
    """Blocks of drawn sizes, each freed after a drawn lifetime; those that would outlive the trace are not freed.

    Args:
        blocks: How many blocks there are.
        sizes: Their sizes, in bytes.
        lifetimes: Their lifetimes, in allocations.
        seed: Same seed, same trace.
        align: The alignment of every request, in bytes, a power of two.

    Raises:
        ValueError: `blocks` is below 0.

    Examples:
        >>> from slabheap.workloads import constant
        >>> from_lifetimes(100, constant(64), constant(10)).peak_requested_bytes
        640
    """
    _check_count("blocks", blocks)
    random = np.random.default_rng(seed)
    births = np.arange(blocks, dtype=np.int64)
    drawn = sizes.draw(random, blocks)
    deaths = deaths_after(births, lifetimes.draw(random, blocks))
    deaths[deaths >= blocks] = FOREVER
    return trace_of_lives(f"from_lifetimes({blocks}, {sizes}, {lifetimes}, seed={seed})", births, deaths, drawn, align=align)


def resembling(trace: Trace, blocks: int, *, seed: int = 0) -> Trace:
    """Blocks like those of a trace: each has the size, alignment and lifetime that one of them has, drawn at random.

    Size and lifetime stay together, so that what is short-lived in the trace is short-lived here; when a block comes does not. So it is
    a stationary program with the trace's blocks: what changes in a replay against the trace's own is due to its order.

    Args:
        trace: The trace. A reallocated block counts with its last size.
        blocks: How many blocks there are.
        seed: Same seed, same trace.

    Raises:
        ValueError: `blocks` is below 0, or the trace has no block.

    Examples:
        >>> from slabheap.workloads import constant, exponential, zipf
        >>> original = from_lifetimes(1000, zipf([32, 500]), exponential(20))
        >>> sorted(set(resembling(original, 5000).request_sizes.tolist()))
        [32, 500]
    """
    _check_count("blocks", blocks)
    begins = is_allocation(trace.events)
    spans, aligns = life_spans(trace), trace.events["align"][begins].astype(np.int64)
    if not spans.size:
        raise ValueError("the trace has no block")
    sized = trace.events[trace.events["operation"] != Operation.FREE]
    sizes = np.zeros(spans.size, np.int64)
    sizes[sized["block"]] = sized["size"]  # of several for a block, the last one counts
    chosen = np.random.default_rng(seed).integers(0, spans.size, blocks)
    births = np.arange(blocks, dtype=np.int64)
    deaths = deaths_after(births, spans[chosen])
    deaths[deaths >= blocks] = FOREVER
    return trace_of_lives(f"resembling({trace!r}, {blocks}, seed={seed})", births, deaths, sizes[chosen], align=aligns[chosen])


@dataclasses.dataclass(frozen=True)
class Phase:
    """A part of a program's life.

    Attributes:
        blocks: How many blocks it allocates.
        sizes: Their sizes, in bytes.
        lifetimes: Their lifetimes, in allocations.
        kept: The part of what is live at its end, from 0 to 1, that stays; the rest is freed.
    """

    blocks: int
    sizes: Distribution
    lifetimes: Distribution
    kept: float = 0.0


def phases(parts: Sequence[Phase], *, seed: int = 0, align: int = 16) -> Trace:
    """One phase after another, each with sizes and lifetimes of its own, which leaves some of its blocks behind: a compiler, a game.

    Args:
        parts: The phases.
        seed: Same seed, same trace.
        align: The alignment of every request, in bytes, a power of two.

    Raises:
        ValueError: A phase has less than no blocks, or keeps a part that is not from 0 to 1.

    Examples:
        >>> from slabheap.workloads import constant
        >>> parsing = Phase(1000, constant(64), constant(FOREVER), kept=0.5)
        >>> writing = Phase(1000, constant(512), constant(3))
        >>> trace = phases([parsing, writing])
        >>> round(trace.program.requested_bytes / 64, -2)
        500.0
    """
    random = np.random.default_rng(seed)
    births: list[Numbers] = []
    deaths: list[Numbers] = []
    drawn: list[Numbers] = []
    start = 0
    for part in parts:
        _check_count("the blocks of a phase", part.blocks)
        _check_part("what a phase keeps", part.kept)
        born = np.arange(start, start + part.blocks, dtype=np.int64)
        start += part.blocks
        dies = np.minimum(deaths_after(born, part.lifetimes.draw(random, part.blocks)), start)
        stays = (dies == start) & (random.random(part.blocks) < part.kept)
        births.append(born)
        deaths.append(np.where(stays, FOREVER, dies))
        drawn.append(part.sizes.draw(random, part.blocks))
    return trace_of_lives(f"phases({len(parts)} phases, seed={seed})", joined(births), joined(deaths), joined(drawn), align=align)


def generations(
    blocks: int, sizes: Distribution, *, young: float = 100, old: float = 100_000, survivors: float = 0.05, seed: int = 0, align: int = 16
) -> Trace:
    """Most blocks die young, a few grow old, as the generational hypothesis of garbage collection has it.

    Args:
        blocks: How many blocks there are.
        sizes: Their sizes, in bytes.
        young: Mean lifetime of most, in allocations.
        old: Mean lifetime of the survivors.
        survivors: The part of the blocks that survives, 0 to 1.
        seed: Same seed, same trace.
        align: The alignment of every request, in bytes, a power of two.

    Raises:
        ValueError: A number is below 0, or `survivors` above 1.

    Examples:
        >>> from slabheap.workloads import constant
        >>> trace = generations(10_000, constant(64), young=10, old=5000, survivors=0.1)
        >>> 300 < trace.peak_requested_bytes / 64 < 600
        True
    """
    _check_part("survivors", survivors)
    most, few = exponential(young), exponential(old)

    def draw(random: np.random.Generator, count: int) -> Numbers:
        return np.where(random.random(count) < survivors, few.draw(random, count), most.draw(random, count))

    mixture = Distribution(f"generations(young={young}, old={old}, survivors={survivors})", draw)
    return from_lifetimes(blocks, sizes, mixture, seed=seed, align=align)


def producer_consumer(messages: int, sizes: Distribution, *, queue: int = 100, seed: int = 0, align: int = 16) -> Trace:
    """One thread allocates messages, another frees them in the same order; from 1 to `queue` of them wait, as chance has it.

    Args:
        messages: How many there are.
        sizes: Their sizes, in bytes.
        queue: The most that wait, 1 or more.
        seed: Same seed, same trace.
        align: The alignment of every request, in bytes, a power of two.

    Raises:
        ValueError: `messages` is below 0, or `queue` below 1.

    Examples:
        >>> from slabheap.workloads import constant
        >>> trace = producer_consumer(1000, constant(100), queue=8)
        >>> trace.thread_count, trace.peak_requested_bytes
        (2, 800)
    """
    _check_count("messages", messages)
    _check_count("queue", queue, 1)
    random = np.random.default_rng(seed)
    births = np.arange(messages, dtype=np.int64)
    waits = births + random.integers(1, queue, messages, endpoint=True)
    deaths = np.maximum.accumulate(waits) if messages else waits
    name = f"producer_consumer({messages}, {sizes}, queue={queue}, seed={seed})"
    return trace_of_lives(name, births, deaths, sizes.draw(random, messages), align=align, freeing_thread=1)


def steady_state(operations: int, sizes: Distribution, target_bytes: int, *, seed: int = 0, align: int = 16) -> Trace:
    """Fills up to `target_bytes` requested, and stays there: above it a random block is freed, below it one is allocated.

    Args:
        operations: How many events there are.
        sizes: The blocks' sizes, in bytes.
        target_bytes: What to stay at.
        seed: Same seed, same trace.
        align: The alignment of every request, in bytes, a power of two.

    Raises:
        ValueError: A number is below 0.

    Examples:
        >>> from slabheap.workloads import uniform
        >>> trace = steady_state(10_000, uniform(1, 100), 20_000)
        >>> 20_000 <= trace.peak_requested_bytes < 20_100
        True
    """
    _check_count("operations", operations)
    _check_count("target_bytes", target_bytes)
    random = np.random.default_rng(seed)
    drawn = sizes.draw(random, operations)
    chances = random.random(operations)
    births: list[int] = []
    deaths: list[int] = []
    live: list[int] = []
    live_bytes = 0
    for tick in range(operations):
        if live_bytes < target_bytes or not live:
            live.append(len(births))
            live_bytes += int(drawn[len(births)])
            births.append(tick)
            deaths.append(FOREVER)
        else:
            index = int(chances[tick] * len(live))
            block, live[index] = live[index], live[-1]
            live.pop()
            live_bytes -= int(drawn[block])
            deaths[block] = tick
    name = f"steady_state({operations}, {sizes}, {target_bytes}, seed={seed})"
    return trace_of_lives(name, np.array(births, np.int64), np.array(deaths, np.int64), drawn[: len(births)], align=align)
