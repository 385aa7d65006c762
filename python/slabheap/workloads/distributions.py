"""Distributions of sizes and lifetimes: where a workload draws its numbers from."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from slabheap.events import Operation, is_allocation
from slabheap.trace import Trace

__all__ = [
    "FOREVER",
    "Distribution",
    "Numbers",
    "constant",
    "empirical",
    "exponential",
    "lifetimes_of",
    "log_normal",
    "log_uniform",
    "sizes_of",
    "uniform",
    "zipf",
]

#: A one-dimensional array of int64.
Numbers: TypeAlias = npt.NDArray[np.int64]

#: The lifetime of a block that is never freed.
FOREVER = int(np.iinfo(np.int64).max)


@dataclasses.dataclass(frozen=True)
class Distribution:
    """Where sizes or lifetimes come from.

    Attributes:
        name: What it is, with its parameters, as a call.
        draw: Called with a generator and a count; gives so many numbers, int64, none below 0.

    Examples:
        >>> import numpy as np
        >>> even = Distribution("even", lambda random, count: 2 * random.integers(1, 50, count))
        >>> drawn = even.draw(np.random.default_rng(1), 1000)
        >>> bool((drawn % 2 == 0).all()), drawn.shape
        (True, (1000,))
    """

    name: str
    draw: Callable[[np.random.Generator, int], Numbers]

    def __repr__(self) -> str:
        """The call that makes it."""
        return self.name


def _within(values: npt.NDArray[np.float64], least: int, most: int) -> Numbers:
    """The nearest whole numbers in the range, whose end need be no float: the one next to FOREVER is beyond int64."""
    rounded = np.clip(np.rint(values), least, most)
    is_most = rounded >= most
    return np.where(is_most, most, np.where(is_most, 0, rounded).astype(np.int64))


def _check_range(least: int, most: int, lowest: int = 0) -> None:
    if not lowest <= least <= most:
        raise ValueError(f"the range must be from {lowest} up and in order, not {least} to {most}")


def constant(value: int) -> Distribution:
    """Always the same number.

    Raises:
        ValueError: It is below 0.

    Examples:
        >>> import numpy as np
        >>> constant(64).draw(np.random.default_rng(), 3).tolist()
        [64, 64, 64]
    """
    _check_range(value, value)
    return Distribution(f"constant({value})", lambda _, count: np.full(count, value, np.int64))


def uniform(least: int, most: int) -> Distribution:
    """Every number from `least` to `most`, as likely as any other.

    Raises:
        ValueError: `least` is below 0 or above `most`.

    Examples:
        >>> import numpy as np
        >>> sorted(set(uniform(3, 5).draw(np.random.default_rng(1), 100).tolist()))
        [3, 4, 5]
    """
    _check_range(least, most)
    return Distribution(f"uniform({least}, {most})", lambda random, count: random.integers(least, most, count, endpoint=True))


def log_uniform(least: int, most: int) -> Distribution:
    """As many numbers in each doubling.

    Raises:
        ValueError: `least` is below 1 or above `most`.

    Examples:
        >>> import numpy as np
        >>> drawn = log_uniform(1, 255).draw(np.random.default_rng(1), 8000)
        >>> [round(int(((drawn >> k) == 1).sum()), -2) for k in range(8)]
        [1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000]
    """
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

    Raises:
        ValueError: `median` is not above 0, `sigma` is below 0, one of them is not finite, or the range is empty or begins below 0.

    Examples:
        >>> import numpy as np
        >>> drawn = log_normal(100, 1.0).draw(np.random.default_rng(1), 10_000)
        >>> round(float(np.median(drawn)), -1)
        100.0
    """
    _check_range(least, most)
    if not (0 < median < math.inf and 0 <= sigma < math.inf):
        raise ValueError(f"the median must be above 0 and sigma not below, both finite, not {median} and {sigma}")
    return Distribution(
        f"log_normal({median}, {sigma}, {least}, {most})",
        lambda random, count: _within(random.lognormal(np.log(median), sigma, count), least, most),
    )


def exponential(mean: float) -> Distribution:
    """Memoryless lifetimes: at any age, a block has as long to live as when it was new. What is above FOREVER is FOREVER.

    Raises:
        ValueError: `mean` is below 0, or no number.

    Examples:
        >>> import numpy as np
        >>> drawn = exponential(40).draw(np.random.default_rng(1), 10_000)
        >>> round(float(drawn.mean()), -1), round(float((drawn[drawn >= 40] - 40).mean()), -1)
        (40.0, 40.0)
    """
    if not mean >= 0:
        raise ValueError(f"the mean must be a number, 0 or above, not {mean}")
    return Distribution(f"exponential({mean})", lambda random, count: _within(random.exponential(mean, count), 0, FOREVER))


def zipf(values: Sequence[int], exponent: float = 1.0) -> Distribution:
    """The first value most often, the k-th with a likelihood as 1 / k ** exponent.

    Raises:
        ValueError: There is no value, or one is below 0.

    Examples:
        >>> import numpy as np
        >>> drawn = zipf([64, 4096]).draw(np.random.default_rng(1), 3000)
        >>> round(float((drawn == 64).mean()), 2)
        0.67
    """
    listed = np.asarray(values, np.int64)
    if listed.size == 0 or listed.min() < 0:
        raise ValueError("there must be values, and none below 0")
    weights = np.arange(1, listed.size + 1, dtype=np.float64) ** -exponent
    weights /= weights.sum()
    return Distribution(f"zipf({listed.size} values, {exponent})", lambda random, count: random.choice(listed, count, p=weights))


def empirical(values: npt.ArrayLike, name: str = "") -> Distribution:
    """Any of the values, each as likely as it is frequent.

    Args:
        values: Shape (n,), none below 0.
        name: What to call it.

    Raises:
        ValueError: `values` is no list, is empty, or has a value below 0.

    Examples:
        >>> import numpy as np
        >>> drawn = empirical([8, 8, 8, 100]).draw(np.random.default_rng(1), 4000)
        >>> round(float((drawn == 8).mean()), 2)
        0.75
    """
    listed = np.asarray(values).astype(np.int64)
    if listed.ndim != 1 or listed.size == 0 or listed.min() < 0:
        raise ValueError("there must be a list of values, and none below 0")
    distinct, counts = np.unique(listed, return_counts=True)
    weights = counts / listed.size
    return Distribution(name or f"empirical({listed.size} values)", lambda random, count: random.choice(distinct, count, p=weights))


def sizes_of(trace: Trace) -> Distribution:
    """The sizes that a trace asks for, in bytes, reallocations included.

    Raises:
        ValueError: The trace asks for nothing.

    Examples:
        >>> from slabheap import workloads
        >>> trace = workloads.from_lifetimes(100, constant(48), constant(10))
        >>> import numpy as np
        >>> sizes_of(trace).draw(np.random.default_rng(), 3).tolist()
        [48, 48, 48]
    """
    return empirical(trace.request_sizes, f"sizes of {trace!r}")


def life_spans(trace: Trace) -> Numbers:
    """The lifetime of each block of a trace, counted in allocations; shape (blocks,). FOREVER is that of a block that is not freed."""
    begins = is_allocation(trace.events)
    births = np.cumsum(begins)[begins]
    lifetimes = np.full(births.size, FOREVER, np.int64)
    ends = trace.events["operation"] == Operation.FREE
    freed = trace.events["block"][ends].astype(np.int64)
    lifetimes[freed] = np.cumsum(begins)[ends] - births[freed] + 1
    return lifetimes


def lifetimes_of(trace: Trace) -> Distribution:
    """The lifetimes of the blocks of a trace, counted in allocations; blocks that are never freed live for ever.

    Raises:
        ValueError: The trace has no block.

    Examples:
        >>> from slabheap import workloads
        >>> trace = workloads.from_lifetimes(100, constant(48), constant(10))
        >>> import numpy as np
        >>> sorted(set(lifetimes_of(trace).draw(np.random.default_rng(1), 1000).tolist())) == [10, FOREVER]
        True
    """
    return empirical(life_spans(trace), f"lifetimes of {trace!r}")
