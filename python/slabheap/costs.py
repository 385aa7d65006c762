"""What each call of a replay cost: histograms by operation, over time, and their percentiles."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from slabheap import _core
from slabheap.events import Operation

__all__ = ["COST_FIGURES", "OPERATIONS", "PERCENTILES", "Costs"]

#: The operations, by the names that figures have them under, in the order of `Operation`.
OPERATIONS = tuple(operation.name.lower() for operation in Operation)

#: The percentiles that summaries give, by their names; "max" is the dearest call.
PERCENTILES = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "p999": 99.9, "max": 100.0}

#: The percentiles among the figures of a result, by their names there: of which operation, and which.
COST_FIGURES = {f"{operation}_{name}_ns": (operation, name) for operation in OPERATIONS for name in PERCENTILES}

_LEAST = np.asarray(_core.cost_bounds, np.uint64)


class Costs:
    """What each call cost, in nanoseconds, from a replay in which every call was timed by itself.

    A call's cost is the time between two readings of the processor's counter before and behind it, less what such a pair of readings takes
    with nothing in between. The processor finishes what it has begun at each reading, so a call is charged with all of its own work, and
    the sum is more than the same calls take in a row. The first touch of a block's memory is not part of the call.

    Costs are kept in histograms whose buckets are at most 1/32 wide, and exactly below 64 ticks; a percentile is the middle of its bucket.
    The largest cost and the mean come from no histogram.

    Attributes:
        windows: One row for each of up to 50 stretches of as many events, in order: `event` and `time` of its last event (nanoseconds of
            the trace), and, by operation, `sum` (ticks, with the readings' own, shape (4,)), `most` (ticks, shape (4,)) and `counts` (calls
            in each bucket, shape (4, buckets)).
        nanoseconds_per_tick: The period of the counter.
        reading_nanoseconds: What a pair of readings takes; it was taken off each cost.
        resolution_nanoseconds: The step of the counter: costs differ by at least as much. Some virtual machines
            have a counter of 10 ns a step; means are still right there, percentiles are as coarse as the counter.

    Examples:
        >>> from slabheap import replay, workloads
        >>> trace = workloads.from_lifetimes(1000, workloads.log_normal(64, 1.0), workloads.exponential(50))
        >>> costs = replay(trace).costs
        >>> costs.count("allocate"), costs.count("reallocate")
        (1000, 0)
        >>> costs.percentile("allocate", 50) <= costs.percentile("allocate", 99) <= costs.largest("allocate")
        True
    """

    def __init__(self, windows: npt.NDArray[np.void], nanoseconds_per_tick: float, reading_ticks: float, resolution_ticks: int) -> None:
        self.windows = windows
        self.nanoseconds_per_tick = nanoseconds_per_tick
        self.reading_nanoseconds = reading_ticks * nanoseconds_per_tick
        self.resolution_nanoseconds = resolution_ticks * nanoseconds_per_tick

    def _counts(self, operation: str, windows: npt.NDArray[np.void]) -> npt.NDArray[np.int64]:
        """The calls in each bucket."""
        if operation not in OPERATIONS:
            raise ValueError(f"operation must be one of {', '.join(map(repr, OPERATIONS))}, not {operation!r}")
        return np.asarray(windows["counts"][:, OPERATIONS.index(operation)].sum(axis=0, dtype=np.int64))

    def histogram(self, operation: str) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
        """How many calls cost how much.

        Returns:
            The edges of the buckets in nanoseconds, shape (n + 1,), and the calls in each, shape (n,), up to the last that has any.
        """
        counts = self._counts(operation, self.windows)
        used = int(np.flatnonzero(counts)[-1]) + 1 if counts.any() else 0
        edges = np.append(_LEAST, 2 * _LEAST[-1] - _LEAST[-2])[: used + 1]
        return edges * self.nanoseconds_per_tick, counts[:used]

    def count(self, operation: str) -> int:
        """How many calls there were. A block that there was no memory for is neither reallocated nor freed."""
        return int(self._counts(operation, self.windows).sum())

    def mean(self, operation: str) -> float:
        """What a call cost on average, in nanoseconds; NaN if there was none."""
        count = self.count(operation)
        total = int(self.windows["sum"][:, OPERATIONS.index(operation)].sum())
        return max(0.0, total / count * self.nanoseconds_per_tick - self.reading_nanoseconds) if count else float("nan")

    def largest(self, operation: str) -> float:
        """What the dearest call cost, in nanoseconds; NaN if there was none."""
        return self._largest(operation, self.windows)

    def _largest(self, operation: str, windows: npt.NDArray[np.void]) -> float:
        if not self._counts(operation, windows).any():
            return float("nan")
        return int(windows["most"][:, OPERATIONS.index(operation)].max()) * self.nanoseconds_per_tick

    def percentile(self, operation: str, percent: float) -> float:
        """The cost, in nanoseconds, that so many in a hundred calls do not exceed; NaN if there was no call.

        Args:
            operation: "allocate", "allocate_zeroed", "reallocate" or "free".
            percent: Above 0 and up to 100.

        Raises:
            ValueError: There is no such operation, or `percent` is out of range.
        """
        return self._percentile(operation, percent, self.windows)

    def _percentile(self, operation: str, percent: float, windows: npt.NDArray[np.void]) -> float:
        if not 0 < percent <= 100:
            raise ValueError(f"percent must be above 0 and up to 100, not {percent}")
        counts = self._counts(operation, windows)
        largest = self._largest(operation, windows)
        if percent == 100 or not counts.any():
            return largest
        rank = max(1, int(np.ceil(counts.sum() * percent / 100)))
        bucket = int(np.searchsorted(np.cumsum(counts), rank))
        middle = (int(_LEAST[bucket]) + int(_LEAST[min(bucket + 1, _LEAST.size - 1)]) - 1) / 2
        return min(middle * self.nanoseconds_per_tick, largest)

    def over_time(self, operation: str, percent: float) -> npt.NDArray[np.float64]:
        """The percentile in each window, in nanoseconds; shape (windows,), NaN where there was no call."""
        each = (self._percentile(operation, percent, self.windows[index : index + 1]) for index in range(self.windows.size))
        return np.fromiter(each, np.float64, self.windows.size)

    def summary(self) -> dict[str, dict[str, float]]:
        """By operation that was called: `count`, and in nanoseconds `mean`, `p50`, `p90`, `p99`, `p999` and `max`."""
        rows: dict[str, dict[str, float]] = {}
        for operation in OPERATIONS:
            if count := self.count(operation):
                percentiles = {name: self.percentile(operation, percent) for name, percent in PERCENTILES.items()}
                rows[operation] = {"count": count, "mean": self.mean(operation), **percentiles}
        return rows

    def figures(self) -> dict[str, Any]:
        """The percentiles as single figures: "allocate_p50_ns" and so on; None for operations that were not called."""
        summary = self.summary()
        return {figure: summary[op][name] if op in summary else None for figure, (op, name) in COST_FIGURES.items()}

    def __repr__(self) -> str:
        """The costs in a line."""
        texts = [f"{op} {row['p50']:.0f} ns, 1 in 1000 above {row['p999']:.0f} ns" for op, row in self.summary().items()]
        return f"<Costs: {'; '.join(texts) or 'no calls'}>"
