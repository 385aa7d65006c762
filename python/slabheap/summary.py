"""What there is to say about a trace, from its events as they come."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from slabheap.events import Events, Operation, is_allocation
from slabheap.formats.liveness import LiveBlocks
from slabheap.information import Information

__all__ = ["Summary"]


class Summary:
    """Counts the events of a stream, which need not fit into memory: what is kept is its live blocks and its sizes.

    Examples:
        >>> from slabheap import workloads
        >>> trace = workloads.from_lifetimes(100, workloads.constant(64), workloads.constant(10))
        >>> summary = Summary()
        >>> for events in trace.chunks():
        ...     summary.add(events)
        >>> facts = summary.facts(trace.information)
        >>> facts["blocks"], facts["peak_requested_bytes"]
        (100, 640)
    """

    def __init__(self) -> None:
        self._live = LiveBlocks()
        self._threads: set[int] = set()
        self._sizes: Counter[int] = Counter()
        self._blocks = self._time = self._requested = self._peak = 0

    def add(self, events: Events) -> None:
        """Takes the next events.

        Raises:
            ValueError: An event makes no sense; the message names it.

        Examples:
            >>> import numpy as np
            >>> from slabheap import EVENT
            >>> Summary().add(np.zeros(1, EVENT))
        """
        if events.size == 0:
            return
        begins = is_allocation(events)
        changes = self._live.advance(events, np.zeros(int(begins.sum()), np.int64))
        requested = self._requested + np.cumsum(changes.after - changes.before)
        self._requested, self._peak = int(requested[-1]), max(self._peak, int(requested.max()))
        self._blocks += int(begins.sum())
        self._time = int(events["time"][-1])
        self._threads.update(np.unique(events["thread"]).tolist())
        sizes, counts = np.unique(events["size"][events["operation"] != Operation.FREE], return_counts=True)
        self._sizes.update(dict(zip(sizes.tolist(), counts.tolist(), strict=True)))

    def facts(self, information: Information) -> dict[str, Any]:
        """The facts by name, in the order in which they are shown: where the events come from, counts, bytes (names in `_bytes`).

        Examples:
            >>> Summary().facts(Information(source="nowhere"))["source"]
            'nowhere'
        """
        sizes = sorted(self._sizes)
        below = np.cumsum([self._sizes[size] for size in sizes])
        return {
            "source": information.source,
            "command": information.command,
            "events": self._live.events,
            "blocks": self._blocks,
            "threads": len(self._threads),
            "seconds": self._time / 1e9,
            "peak_requested_bytes": self._peak,
            "median_request_bytes": sizes[int(np.searchsorted(below, below[-1] / 2))] if sizes else 0,
            "largest_request_bytes": sizes[-1] if sizes else 0,
            "live_at_end_bytes": self._requested,
            "sites": len(information.sites),
            "lost_events": information.lost,
            "foreign_events": information.foreign,
            "implied_frees": information.implied_frees,
        }
