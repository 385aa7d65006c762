"""What a replay showed: `Result`, and its figures. docs/figures.md defines them."""

from __future__ import annotations

import dataclasses
import statistics
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import numpy.typing as npt

from slabheap import _core
from slabheap.costs import COST_FIGURES, PERCENTILES, Costs
from slabheap.markup import card
from slabheap.merits import SERIES
from slabheap.stats import ClassStats, Stats
from slabheap.texts import bytes_text, counted, distinct_labels, printable

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Moment", "Result", "allocator_label"]


def allocator_label(allocator: str, options: dict[str, Any]) -> str:
    """An allocator and its options in a few words.

    Examples:
        >>> allocator_label("slabheap", {"preset": "compact", "classes": [64, 512], "bytes": 1 << 24})
        'compact classes=64,512'
        >>> allocator_label("/usr/lib/libjemalloc.so.2", {})
        'libjemalloc'
    """
    chosen = [
        f"{name}={','.join(map(str, value)) if name == 'classes' else value}"
        for name, value in options.items()
        if name not in ("preset", "bytes") and value is not None
    ]
    if allocator == "slabheap":
        name = str(options.get("preset") or "classic")
    else:
        name = allocator if allocator == "system" else Path(allocator).name.split(".")[0]
    return " ".join([name, *chosen])


def _ratios(part: npt.NDArray[np.float64], whole: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.divide(part, whole, out=np.zeros(whole.shape), where=whole != 0)


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


@dataclasses.dataclass(frozen=True)
class Moment:
    """The figures after one event.

    Attributes:
        event: Its number, from 0.
        time: Nanoseconds of the trace.
        requested: Bytes of live blocks as they were asked for.
        used: Bytes of live blocks as the allocator rounds them.
        held: Bytes that the allocator keeps from others.
        slack: Bytes of live blocks beyond their requests.
        failures: Requests so far that there was no memory for.
        live_pages: Pages of 4096 bytes with a byte of a live block.
        touched_pages: Pages of 4096 bytes that had one so far.
        largest_free: The longest run of pages that one request would get, in bytes; None for others than slabheap.
        occupancy: The part of the slabs' blocks that is in use, by bytes, 0 to 1; 0 if there are none; None for others than slabheap.
    """

    event: int
    time: int
    requested: int
    used: int
    held: int
    slack: int
    failures: int
    live_pages: int
    touched_pages: int
    largest_free: int | None = None
    occupancy: float | None = None

    @classmethod
    def of(cls, sample: np.void, largest_free: int | None = None, occupancy: float | None = None) -> Self:
        """The figures of a row of a timeline."""
        return cls(**{name: int(sample[name]) for name in sample.dtype.names or ()}, largest_free=largest_free, occupancy=occupancy)

    @property
    def internal_fragmentation(self) -> float:
        """The part of the used bytes that nobody asked for: slack / used."""
        return _ratio(self.slack, self.used)

    @property
    def external_fragmentation(self) -> float:
        """The part of the held bytes that is in no block: (held - used) / held."""
        return _ratio(self.held - self.used, self.held)


@dataclasses.dataclass(frozen=True, eq=False)
class Result:
    """What a replay showed. Bytes and counts are the same each time; times are not. docs/figures.md has the formulas.

    Attributes:
        allocator: "slabheap", "system", or the path of a library.
        options: The options of the heap, as they were given.
        events: Events replayed.
        peak_requested_bytes: The most bytes live at once, as they were asked for.
        peak_used_bytes: The most bytes live at once, as the allocator rounds them.
        peak_held_bytes: The most bytes that the allocator kept from others: for slabheap, pages in use and the metadata for them; for
            others, resident anonymous memory, looked at at each sample.
        peak_resident_bytes: The most bytes that were resident: for slabheap, freed pages that were touched are among them, and only here;
            for others, the same as what was held.
        peak_slack_bytes: The most bytes of live blocks beyond their requests.
        peak_live_pages: The most pages of 4096 bytes that had a byte of a live block at once.
        touched_pages: The pages of 4096 bytes that had a byte of a block at any time.
        failures: Requests that there was no memory for, or, for a library, no function.
        at_peak: The figures after the event with which most bytes were requested; None for a trace of nothing.
        is_warm: Whether each timed replay followed another on the same heap, or in the same process.
        stretch_seconds: The time of each timed replay, by stretches of 65,536 events: shape (repeats, stretches), float64.
        costs: What each call cost; None unless it was measured.
        timeline: Samples evenly spread over the events, the last event among them; a structured array with the fields `event`, `time`
            (nanoseconds, of the event in the trace), `requested`, `used`, `held`, `slack` (bytes), `failures` (so far), `live_pages` and
            `touched_pages` (of 4096 bytes), all uint64.
        occupancy: For slabheap, at each sample the blocks of each size class: shape (samples, classes), with the fields `total_blocks` and
            `used_blocks`, uint64. None for others.
        largest_free: For slabheap, at each sample the longest run of pages that one request would get, in bytes: shape (samples,),
            uint64. None for others.
        snapshots: For slabheap, by event: the runs of the heap after it, like those of `Heap.runs`, addresses counted from the
            first page.
        class_stats: For slabheap, the size classes after the last event.
        stats: For slabheap, the heap after the last event.

    Examples:
        >>> from slabheap import replay, workloads
        >>> trace = workloads.from_lifetimes(1000, workloads.constant(48), workloads.constant(100))
        >>> result = replay(trace, preset="classic")
        >>> result.peak_requested_bytes, result.peak_used_bytes, result.at_peak.internal_fragmentation
        (4800, 6400, 0.25)
        >>> result.figures()["failures"]
        0
    """

    allocator: str
    options: dict[str, Any]
    events: int
    peak_requested_bytes: int
    peak_used_bytes: int
    peak_held_bytes: int
    peak_resident_bytes: int
    peak_slack_bytes: int
    peak_live_pages: int
    touched_pages: int
    failures: int
    at_peak: Moment | None
    is_warm: bool
    stretch_seconds: npt.NDArray[np.float64]
    costs: Costs | None
    timeline: npt.NDArray[np.void]
    occupancy: npt.NDArray[np.void] | None = None
    largest_free: npt.NDArray[np.uint64] | None = None
    snapshots: dict[int, npt.NDArray[np.void]] = dataclasses.field(default_factory=dict)
    class_stats: list[ClassStats] = dataclasses.field(default_factory=list)
    stats: Stats | None = None

    @property
    def all_seconds(self) -> list[float]:
        """The time of each timed replay."""
        return [float(seconds) for seconds in self.stretch_seconds.sum(axis=1)]

    @property
    def seconds(self) -> float:
        """The median time of a timed replay; NaN if there was none."""
        return statistics.median(self.all_seconds) if self.all_seconds else float("nan")

    @property
    def operations_per_second(self) -> float:
        """Events a second, of the median replay."""
        return self.events / self.seconds if self.seconds else float("nan")

    @property
    def label(self) -> str:
        """The allocator in a word or two: "compact", "system", "libjemalloc"."""
        return allocator_label(self.allocator, self.options)

    def mean(self, name: str, over: Literal["events", "time"] = "events") -> float:
        """The mean of a field of the timeline.

        Args:
            name: The field, such as "held".
            over: "events" weighs each sample by the events since the one before, "time" by the nanoseconds of the trace until the next.

        Returns:
            The mean; NaN for a trace of nothing. Over a trace that takes no time, the last sample.

        Raises:
            ValueError: There is no such `over`, or no such field.

        Examples:
            >>> from slabheap import replay, workloads
            >>> result = replay(workloads.from_lifetimes(100, workloads.constant(64), workloads.constant(10)), repeats=0)
            >>> 0 < result.mean("requested") <= result.peak_requested_bytes
            True
        """
        if over not in ("events", "time"):
            raise ValueError(f'over must be "events" or "time", not {over!r}')
        if not self.timeline.size:
            return float("nan")
        if over == "events":
            weights = np.diff(self.timeline["event"].astype(np.float64), prepend=-1.0)
        else:
            times = self.timeline["time"].astype(np.float64)
            weights = np.diff(times, append=times[-1])
        values = self.timeline[name].astype(np.float64)
        return float(values @ weights / weights.sum()) if weights.sum() else float(values[-1])

    def figures(self) -> dict[str, Any]:
        """All figures that are one number, in the order of `FIGURES`: what a row of a sweep has. None where there is none to give.

        Fragmentation, occupancy and the largest free run are those at the peak of the requested bytes.

        Examples:
            >>> from slabheap import replay, workloads
            >>> result = replay(workloads.from_lifetimes(100, workloads.constant(64), workloads.constant(10)), repeats=0)
            >>> result.figures()["peak_requested_bytes"]
            640
        """
        peak = self.at_peak
        is_timed = bool(self.all_seconds)
        return {
            "events": self.events,
            "peak_requested_bytes": self.peak_requested_bytes,
            "peak_used_bytes": self.peak_used_bytes,
            "peak_held_bytes": self.peak_held_bytes,
            "peak_resident_bytes": self.peak_resident_bytes,
            "peak_slack_bytes": self.peak_slack_bytes,
            "held_ratio": self.peak_held_bytes / max(1, self.peak_requested_bytes),
            "internal_fragmentation": peak and peak.internal_fragmentation,
            "external_fragmentation": peak and peak.external_fragmentation,
            "largest_free_bytes": peak and peak.largest_free,
            "occupancy": peak and peak.occupancy,
            "mean_held_bytes": self.mean("held") if peak else None,
            "mean_held_bytes_by_time": self.mean("held", "time") if peak else None,
            "peak_live_pages": self.peak_live_pages,
            "touched_pages": self.touched_pages,
            "failures": self.failures,
            "seconds": self.seconds if is_timed else None,
            "operations_per_second": self.operations_per_second if is_timed and self.events else None,
            **(self.costs.figures() if self.costs is not None else dict.fromkeys(COST_FIGURES)),
        }

    def series(self, name: str) -> npt.NDArray[Any]:
        """A figure at each sample of the timeline; shape (samples,).

        Args:
            name: One of `SERIES`: a field of `timeline` (uint64; `time` in nanoseconds of the trace), or, float64 and NaN where nothing was
                measured, `internal_fragmentation`, `external_fragmentation`, `largest_free`, `occupancy`, `operations_per_second` (of the
                stretch of 65,536 events that the sample lies in, the median of the replays), or a percentile of cost, such as
                `allocate_p50_ns` (of the window that it lies in).

        Raises:
            ValueError: There is no such figure.

        Examples:
            >>> from slabheap import replay, workloads
            >>> trace = workloads.steady_state(1000, workloads.log_uniform(16, 4096), 100_000)
            >>> result = replay(trace, samples=10)
            >>> result.series("event").tolist()
            [99, 199, 299, 399, 499, 599, 699, 799, 899, 999]
            >>> bool((result.series("internal_fragmentation") > 0).all())
            True
        """
        if name in (self.timeline.dtype.names or ()):
            return np.asarray(self.timeline[name])
        if name not in SERIES:
            raise ValueError(f"there is no figure {name!r} over time; there are {', '.join(SERIES)}")
        slack, used, held = (self.timeline[field].astype(np.float64) for field in ("slack", "used", "held"))
        unknown = np.full(self.timeline.size, np.nan)
        if name == "internal_fragmentation":
            return _ratios(slack, used)
        if name == "external_fragmentation":
            return _ratios(held - used, held)
        if name == "largest_free":
            return unknown if self.largest_free is None else self.largest_free.astype(np.float64)
        if name == "occupancy":
            return unknown if self.occupancy is None else block_occupancy(self.occupancy, self.class_stats)
        if name == "operations_per_second":
            return self._rate_at(self.timeline["event"])
        return unknown if self.costs is None else self._cost_at(name, self.costs)

    def over_time(self) -> pd.DataFrame:
        """Every figure over time, a row for each sample.

        Returns:
            A frame with a column for each of `SERIES`, in that order.

        Examples:
            >>> from slabheap import replay, workloads
            >>> trace = workloads.steady_state(1000, workloads.log_uniform(16, 4096), 100_000)
            >>> frame = replay(trace, samples=10).over_time()
            >>> bool((frame["touched_pages"] >= frame["live_pages"]).all())
            True
        """
        import pandas as pd  # so that whoever needs no frame need not wait for it

        return pd.DataFrame({name: self.series(name) for name in SERIES})

    def _cost_at(self, name: str, costs: Costs) -> npt.NDArray[np.float64]:
        """A percentile of cost in the window of each sample."""
        operation, percentile = COST_FIGURES[name]
        windows = np.searchsorted(costs.windows["event"], self.timeline["event"])
        return np.asarray(costs.over_time(operation, PERCENTILES[percentile])[windows])

    def _rate_at(self, events: npt.NDArray[np.uint64]) -> npt.NDArray[np.float64]:
        """Events a second in the stretch of each event."""
        if not self.stretch_seconds.size:
            return np.full(events.size, np.nan)
        sizes = np.full(self.stretch_seconds.shape[1], _core.stretch_events)
        sizes[-1] = self.events - _core.stretch_events * (sizes.size - 1)
        rates = sizes / np.median(self.stretch_seconds, axis=0)
        return np.asarray(rates[events.astype(np.int64) // _core.stretch_events])

    def __repr__(self) -> str:
        """The result in a line."""
        return (
            f"<Result of {printable(self.label)}: {counted(self.events, 'event')}, {self.operations_per_second:,.3g} a second, "
            f"{self.peak_held_bytes:,} bytes held for {self.peak_requested_bytes:,} requested, {counted(self.failures, 'failure')}>"
        )

    def _repr_html_(self) -> str:
        """A table, and a map of the pages at the first snapshot, for Jupyter."""
        rate = f"{self.operations_per_second / 1e6:,.1f} million a second" if self.all_seconds else "not timed"
        ratio = f"{self.peak_held_bytes / self.peak_requested_bytes:.3f}" if self.peak_requested_bytes else "-"
        facts = [
            ("events", f"{self.events:,}"),
            ("operations", rate),
            ("peak requested", bytes_text(self.peak_requested_bytes)),
            ("peak used", bytes_text(self.peak_used_bytes)),
            ("peak held", bytes_text(self.peak_held_bytes)),
            ("held / requested", ratio),
            ("failures", f"{self.failures:,}"),
        ]
        event, runs = next(iter(self.snapshots.items()), (0, None))
        return card(f"Result of {distinct_labels([self.label])[0]}", facts, runs, f", after event {event:,}")


def block_occupancy(occupancy: npt.NDArray[np.void], classes: list[ClassStats]) -> npt.NDArray[np.float64]:
    """The part of the slabs' blocks that is in use, by bytes; shape (samples,), 0 where there are no blocks."""
    sizes = np.array([one.block_size for one in classes], np.float64)
    total, used = (occupancy[name].astype(np.float64) @ sizes for name in ("total_blocks", "used_blocks"))
    return _ratios(used, total)
