"""Synthetic traces: what a program might do, drawn from distributions with a seed. Same arguments, same trace.

Sizes are bytes. Lifetimes are counted in allocations: a block of lifetime 10 is freed before the tenth allocation after its own.
In the traces, an event takes a microsecond.

    >>> from slabheap import workloads
    >>> trace = workloads.from_lifetimes(1000, workloads.log_normal(64, 1.0), workloads.exponential(50), seed=1)
    >>> trace.block_count
    1000
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from slabheap.events import EVENT, Operation, is_allocation
from slabheap.trace import Information, Trace

__all__ = [
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
    "sizes_of",
    "sparse_sets",
    "steady_state",
    "uniform",
    "zipf",
]

_Numbers = npt.NDArray[np.int64]
_NANOSECONDS_PER_EVENT = 1000
FOREVER = np.iinfo(np.int64).max  # the lifetime of a block that is never freed


@dataclasses.dataclass(frozen=True)
class Distribution:
    """Where sizes or lifetimes come from.

    Attributes:
        name: What it is, with its parameters, as a call.
        draw: Called with a generator and a count; gives so many numbers, int64, none below 0.
    """

    name: str
    draw: Callable[[np.random.Generator, int], _Numbers]

    def __repr__(self) -> str:
        """The call that makes it."""
        return self.name


def _within(values: npt.NDArray[np.float64], least: int, most: int) -> _Numbers:
    return np.clip(np.rint(values), least, most).astype(np.int64)


def _check_range(least: int, most: int, lowest: int = 0) -> None:
    if not lowest <= least <= most:
        raise ValueError(f"the range must be from {lowest} up and in order, not {least} to {most}")


def constant(value: int) -> Distribution:
    """Always the same number."""
    _check_range(value, value)
    return Distribution(f"constant({value})", lambda _, count: np.full(count, value, np.int64))


def uniform(least: int, most: int) -> Distribution:
    """Every number from `least` to `most`, as likely as any other."""
    _check_range(least, most)
    return Distribution(f"uniform({least}, {most})", lambda random, count: random.integers(least, most, count, endpoint=True))


def log_uniform(least: int, most: int) -> Distribution:
    """As many numbers in each doubling; `least` is 1 or more."""
    _check_range(least, most, 1)
    low, high = np.log(least), np.log(most + 1)
    return Distribution(
        f"log_uniform({least}, {most})",
        lambda random, count: np.clip(np.floor(np.exp(random.uniform(low, high, count))), least, most).astype(np.int64),
    )


def log_normal(median: float, sigma: float, least: int = 1, most: int = 1 << 20) -> Distribution:
    """The exponential of a normal distribution: many small numbers, few large ones. What is outside the range is moved to its ends.

    Args:
        median: Half of the numbers are below.
        sigma: Standard deviation of the logarithm; 1 is a factor of 2.7.
        least: No number is below.
        most: No number is above.
    """
    _check_range(least, most)
    if median <= 0 or sigma < 0:
        raise ValueError(f"the median must be above 0 and sigma not below, not {median} and {sigma}")
    return Distribution(
        f"log_normal({median}, {sigma}, {least}, {most})",
        lambda random, count: _within(random.lognormal(np.log(median), sigma, count), least, most),
    )


def exponential(mean: float) -> Distribution:
    """Memoryless lifetimes: at any age, a block has as long to live as when it was new."""
    if mean < 0:
        raise ValueError(f"the mean must not be below 0, not {mean}")
    return Distribution(f"exponential({mean})", lambda random, count: np.rint(random.exponential(mean, count)).astype(np.int64))


def zipf(values: Sequence[int], exponent: float = 1.0) -> Distribution:
    """The first value most often, the k-th with a likelihood as 1 / k ** exponent."""
    listed = np.asarray(values, np.int64)
    if listed.size == 0 or listed.min() < 0:
        raise ValueError("there must be values, and none below 0")
    weights = np.arange(1, listed.size + 1, dtype=np.float64) ** -exponent
    weights /= weights.sum()
    return Distribution(f"zipf({listed.size} values, {exponent})", lambda random, count: random.choice(listed, count, p=weights))


def empirical(values: npt.ArrayLike, name: str = "") -> Distribution:
    """Any of the values, each as likely as it is frequent."""
    listed = np.asarray(values).astype(np.int64)
    if listed.ndim != 1 or listed.size == 0 or listed.min() < 0:
        raise ValueError("there must be a list of values, and none below 0")
    distinct, counts = np.unique(listed, return_counts=True)
    weights = counts / listed.size
    return Distribution(name or f"empirical({listed.size} values)", lambda random, count: random.choice(distinct, count, p=weights))


def sizes_of(trace: Trace) -> Distribution:
    """The sizes that a trace asks for, reallocations included."""
    return empirical(trace.request_sizes, f"sizes of {trace!r}")


def lifetimes_of(trace: Trace) -> Distribution:
    """The lifetimes of the blocks of a trace, counted in allocations; blocks that are never freed live for ever."""
    begins = is_allocation(trace.events)
    births = np.cumsum(begins)[begins]
    lifetimes = np.full(births.size, FOREVER, np.int64)
    ends = trace.events["operation"] == Operation.FREE
    freed = trace.events["block"][ends].astype(np.int64)
    lifetimes[freed] = np.cumsum(begins)[ends] - births[freed] + 1
    return empirical(lifetimes, f"lifetimes of {trace!r}")


def _trace(name: str, align: int, births: _Numbers, deaths: _Numbers, sizes: _Numbers, freeing_thread: int = 0) -> Trace:
    """The trace of blocks that are born and die at given ticks; of one tick, frees come first. FOREVER is never."""
    dying = np.flatnonzero(deaths != FOREVER)
    order = np.argsort(births, kind="stable")
    numbers = np.empty(order.size, np.int64)
    numbers[order] = np.arange(order.size)
    events = np.zeros(births.size + dying.size, EVENT)
    begins, ends = events[: births.size], events[births.size :]
    begins["block"], begins["size"], begins["align"] = numbers, sizes, align
    ends["block"], ends["operation"], ends["align"], ends["thread"] = numbers[dying], Operation.FREE, 1, freeing_thread
    # A block that dies in the tick of its birth dies behind it.
    is_late = np.concatenate([np.ones(births.size, np.int8), np.where(deaths[dying] <= births[dying], 2, 0).astype(np.int8)])
    ticks = np.concatenate([births, np.maximum(deaths[dying], births[dying])])
    sequence = np.concatenate([numbers, numbers[dying]])
    events = events[np.lexsort((sequence, is_late, ticks))]
    events["time"] = np.arange(events.size, dtype=np.uint64) * np.uint64(_NANOSECONDS_PER_EVENT)
    return Trace(events, Information(source="workload", command=[name]))


def _deaths(births: _Numbers, lifetimes: _Numbers) -> _Numbers:
    return np.where(lifetimes >= FOREVER - births, FOREVER, births + np.minimum(lifetimes, FOREVER - births))


def _joined(parts: list[_Numbers]) -> _Numbers:
    return np.concatenate([np.zeros(0, np.int64), *parts])


def from_lifetimes(blocks: int, sizes: Distribution, lifetimes: Distribution, *, seed: int = 0, align: int = 16) -> Trace:
    """Blocks of drawn sizes, each freed after a drawn lifetime; those that would outlive the trace are not freed.

    Args:
        blocks: How many blocks there are.
        sizes: Their sizes, in bytes.
        lifetimes: Their lifetimes, in allocations.
        seed: Same seed, same trace.
        align: The alignment of every request.

    Examples:
        >>> from_lifetimes(100, constant(64), constant(10)).peak_requested_bytes
        640
    """
    random = np.random.default_rng(seed)
    births = np.arange(blocks, dtype=np.int64)
    drawn = sizes.draw(random, blocks)
    deaths = _deaths(births, lifetimes.draw(random, blocks))
    deaths[deaths >= blocks] = FOREVER
    return _trace(f"from_lifetimes({blocks}, {sizes}, {lifetimes}, seed={seed})", align, births, deaths, drawn)


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
    """One phase after another, each with sizes and lifetimes of its own, which leaves some of its blocks behind: a compiler, a game."""
    random = np.random.default_rng(seed)
    births: list[_Numbers] = []
    deaths: list[_Numbers] = []
    drawn: list[_Numbers] = []
    start = 0
    for part in parts:
        born = np.arange(start, start + part.blocks, dtype=np.int64)
        start += part.blocks
        dies = np.minimum(_deaths(born, part.lifetimes.draw(random, part.blocks)), start)
        stays = (dies == start) & (random.random(part.blocks) < part.kept)
        births.append(born)
        deaths.append(np.where(stays, FOREVER, dies))
        drawn.append(part.sizes.draw(random, part.blocks))
    return _trace(f"phases({len(parts)} phases, seed={seed})", align, _joined(births), _joined(deaths), _joined(drawn))


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
        align: The alignment of every request.
    """
    most, few = exponential(young), exponential(old)

    def draw(random: np.random.Generator, count: int) -> _Numbers:
        return np.where(random.random(count) < survivors, few.draw(random, count), most.draw(random, count))

    mixture = Distribution(f"generations(young={young}, old={old}, survivors={survivors})", draw)
    return from_lifetimes(blocks, sizes, mixture, seed=seed, align=align)


def producer_consumer(messages: int, sizes: Distribution, *, queue: int = 100, seed: int = 0, align: int = 16) -> Trace:
    """One thread allocates messages, another frees them in the same order; from 1 to `queue` of them wait, as chance has it."""
    random = np.random.default_rng(seed)
    births = np.arange(messages, dtype=np.int64)
    waits = births + random.integers(1, max(1, queue), messages, endpoint=True)
    deaths = np.maximum.accumulate(waits)
    return _trace(
        f"producer_consumer({messages}, {sizes}, queue={queue}, seed={seed})",
        align,
        births,
        deaths,
        sizes.draw(random, messages),
        freeing_thread=1,
    )


def steady_state(operations: int, sizes: Distribution, target_bytes: int, *, seed: int = 0, align: int = 16) -> Trace:
    """Fills up to `target_bytes` requested, and stays there: above it a random block is freed, below it one is allocated."""
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
            deaths.append(int(FOREVER))
        else:
            index = int(chances[tick] * len(live))
            block, live[index] = live[index], live[-1]
            live.pop()
            live_bytes -= int(drawn[block])
            deaths[block] = tick
    return _trace(
        f"steady_state({operations}, {sizes}, {target_bytes}, seed={seed})",
        align,
        np.array(births, np.int64),
        np.array(deaths, np.int64),
        drawn[: len(births)],
    )


def sparse_sets(sets: int, sizes: Sequence[int], *, set_blocks: int = 64, align: int = 16) -> Trace:
    """The worst for slabs: for each size, sets are filled, and then all but one block of each is freed, which holds the set.

    Args:
        sets: How many sets of each size.
        sizes: Block sizes, one after the other.
        set_blocks: Blocks of a set.
        align: The alignment of every request.
    """
    births: list[_Numbers] = []
    deaths: list[_Numbers] = []
    drawn: list[_Numbers] = []
    tick = 0
    for size in sizes:
        count = sets * set_blocks
        born = np.arange(tick, tick + count, dtype=np.int64)
        tick += count
        births.append(born)
        deaths.append(np.where(np.arange(count) % set_blocks == 0, FOREVER, tick))
        drawn.append(np.full(count, size, np.int64))
    name = f"sparse_sets({sets}, {list(sizes)}, set_blocks={set_blocks})"
    return _trace(name, align, _joined(births), _joined(deaths), _joined(drawn))


def doubling_holes(live_bytes: int, smallest: int = 16, doublings: int = 8, align: int = 16) -> Trace:
    """Holes that are too small: blocks of one size fill `live_bytes`, every other one is freed, then come blocks of twice the size.

    After J. M. Robson, "Bounds for some functions concerning dynamic storage allocation", Journal of the ACM 21(3), 1974; his
    program chooses what it frees by address, this one, which knows none, by order.

    Args:
        live_bytes: The most bytes that are live.
        smallest: The first size.
        doublings: How many times the size is doubled.
        align: The alignment of every request.
    """
    births: list[int] = []
    deaths: list[int] = []
    drawn: list[int] = []
    live: list[int] = []
    used = 0
    for size in (smallest << step for step in range(doublings + 1)):
        for block in live[1::2]:
            deaths[block] = len(births)
            used -= drawn[block]
        live = live[::2]
        while used + size <= live_bytes:
            live.append(len(births))
            births.append(len(births))
            deaths.append(int(FOREVER))
            drawn.append(size)
            used += size
    name = f"doubling_holes({live_bytes}, {smallest}, {doublings})"
    return _trace(name, align, np.array(births, np.int64), np.array(deaths, np.int64), np.array(drawn, np.int64))
