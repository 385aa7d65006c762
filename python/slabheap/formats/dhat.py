"""Writes profiles that the viewer of valgrind's DHAT opens: JSON of its second version."""

from __future__ import annotations

import json
import shlex

import numpy as np

from slabheap.events import Events
from slabheap.formats.profile import PLACE, Places, Profile, frames_of, size_range
from slabheap.formats.writing import FileWriter

__all__ = ["DhatWriter"]

# What counts as a short life. The unit of time is the event where the trace has no times.
_UNITS = {True: ("ns", "ms", 1000), False: ("events", "Mevents", 10)}


class DhatWriter(FileWriter):
    """Writes a profile of DHAT: bytes and blocks of each place in the program, in all, at the peak and at the end, and their lifetimes.

    Blocks without a tag are told apart by their thread and by ranges of sizes. Single events are lost.
    """

    def begin(self) -> None:
        """Starts a profile."""
        self._profile = Profile(self._places_of)
        self._tags: dict[int, int] = {}
        self._stacks: dict[tuple[str, ...], int] = {}

    def _places_of(self, allocations: Events) -> Places:
        places = np.zeros(allocations.size, PLACE)
        tags, inverse = np.unique(allocations["tag"], return_inverse=True)
        places["tag"] = np.array([self._tag_of(tag) for tag in tags.tolist()], np.uint32)[inverse.reshape(-1)]
        untagged = places["tag"] == 0
        places["thread"][untagged] = allocations["thread"][untagged]
        places["most_bytes"][untagged] = size_range(allocations["size"][untagged])
        return places

    def _tag_of(self, tag: int) -> int:
        """The first tag with the same stack: the viewer takes no stack twice."""
        if tag not in self._tags:
            stack = tuple(self.information.stack(tag))
            self._tags[tag] = self._stacks.setdefault(stack, tag) if stack else tag
        return self._tags[tag]

    def put(self, events: Events) -> None:
        """Adds events to the profile."""
        self._profile.advance(events)

    def finish(self) -> None:
        """Writes the profile."""
        profile = self._profile
        is_timed = profile.time > 0
        unit, million, short = _UNITS[is_timed]
        frames = {"[root]": 0}
        points = []
        for place, row in zip(profile.places, profile.figures(), strict=True):
            point = {
                "tb": row["total_bytes"],
                "tbk": row["total_blocks"],
                "tl": row["lifetimes" if is_timed else "lifetimes_events"],
                "mb": row["max_bytes"],
                "mbk": row["max_blocks"],
                "gb": row["peak_bytes"],
                "gbk": row["peak_blocks"],
                "eb": row["end_bytes"],
                "ebk": row["end_blocks"],
            }
            stack = frames_of(self.information, *place)
            points.append({name: int(value) for name, value in point.items()} | {"fs": [frames.setdefault(f, len(frames)) for f in stack]})
        content = {
            "dhatFileVersion": 2,
            "mode": "heap",
            "verb": "Allocated",
            "bklt": True,
            "bkacc": False,
            "tu": unit,
            "Mtu": million,
            "tuth": short,
            "cmd": shlex.join(self.information.command) or self.information.source,
            "pid": self.information.process,
            "te": profile.time if is_timed else profile.live.events,
            "tg": profile.peak_time if is_timed else profile.peak_event,
            "pps": points,
            "ftbl": list(frames),
        }
        self.file.write(json.dumps(content, separators=(",", ":")).encode() + b"\n")
