"""Writes the JSON that Perfetto and Chromium's chrome://tracing open: a track a thread with an instant a call, and two counters.

An instant has the name of its operation, and as arguments the block, and what there is of size, alignment, tag and the stack of its site,
innermost first. Times are in microseconds; a trace without times has its events a microsecond apart.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator

import numpy as np

from slabheap.events import EVENT, Events, Operation, is_allocation
from slabheap.files import spooled
from slabheap.formats.writing import FileWriter
from slabheap.tracefile import CHUNK_EVENTS

__all__ = ["ChromeWriter"]

_NAMES = [operation.name.lower().replace("_", " ") for operation in Operation]


class ChromeWriter(FileWriter):
    """Writes JSON of trace events. No event is lost, nor what its fields say."""

    def begin(self) -> None:
        """Writes the head."""
        self._is_first = True
        self._is_timed = False
        # Until a time is told, what stamps its events have is not known; they wait on disk.
        self._waiting = spooled()
        self._threads: set[int] = set()
        self._stacks: dict[int, str] = {}
        self._bytes = self._blocks = 0
        known = self.information
        process = shlex.join(known.command) or known.source or "slabheap"
        self.file.write(b'{"displayTimeUnit":"ns","traceEvents":[\n')
        self._put_lines([json.dumps({"ph": "M", "pid": known.process, "tid": 0, "name": "process_name", "args": {"name": process}})])

    def _put_lines(self, lines: list[str]) -> None:
        self.file.write((("" if self._is_first else ",\n") + ",\n".join(lines)).encode())
        self._is_first = False

    def put(self, events: Events) -> None:
        """Writes instants and counters, once it is known whether there are times."""
        if not self._is_timed and not events["time"].any():
            self._waiting.write(events.tobytes())
            return
        if not self._is_timed:
            self._is_timed = True
            self._put_waiting()
        self._put(events)

    def _put_waiting(self) -> None:
        """Writes the events that waited."""
        self._waiting.seek(0)
        while content := self._waiting.read(CHUNK_EVENTS * EVENT.itemsize):
            self._put(np.frombuffer(content, EVENT))
        self._waiting.close()

    def _put(self, events: Events) -> None:
        begins = is_allocation(events)
        first = self.live.events
        changes = self.live.advance(events, np.zeros(int(begins.sum()), np.int64))
        times = events["time"] if self._is_timed else np.uint64(1000) * np.arange(first, first + events.size, dtype=np.uint64)
        stamps = [f"{time // 1000}.{time % 1000:03d}" for time in times.tolist()]
        requested = self._bytes + np.cumsum(changes.after - changes.before)
        blocks = self._blocks + np.cumsum(begins.astype(np.int64) - (events["operation"] == Operation.FREE))
        self._bytes, self._blocks = int(requested[-1]), int(blocks[-1])
        # Of several values at a time the last is seen, and enough.
        is_last = np.append(times[1:] != times[:-1], True).tolist()
        lines = [self._thread_name(thread) for thread in np.unique(events["thread"]).tolist() if thread not in self._threads]
        pid = self.information.process
        columns = (stamps, requested.tolist(), blocks.tolist(), is_last)
        for instant, stamp, held, live, counted in zip(self._instants(events, stamps), *columns, strict=True):
            lines.append(instant)
            if counted:
                lines.append(f'{{"ph":"C","pid":{pid},"tid":0,"ts":{stamp},"name":"requested","args":{{"bytes":{held}}}}}')
                lines.append(f'{{"ph":"C","pid":{pid},"tid":0,"ts":{stamp},"name":"live","args":{{"blocks":{live}}}}}')
        self._put_lines(lines)

    def _instants(self, events: Events, stamps: list[str]) -> Iterator[str]:
        """Each event as an instant of its thread."""
        head = f'{{"ph":"i","s":"t","pid":{self.information.process},"cat":"heap"'
        columns = (events[name].tolist() for name in ("block", "size", "align", "thread", "tag", "operation"))
        for stamp, block, size, align, thread, tag, operation in zip(stamps, *columns, strict=True):
            arguments = f'"block":{block}'
            if operation != Operation.FREE:
                arguments += f',"size":{size}'
            if operation < Operation.REALLOCATE:
                arguments += f',"align":{align}'
            if tag:
                arguments += f',"tag":{tag}{self._stack(tag)}'
            yield f'{head},"tid":{thread},"ts":{stamp},"name":"{_NAMES[operation]}","args":{{{arguments}}}}}'

    def _thread_name(self, thread: int) -> str:
        self._threads.add(thread)
        name = {"name": f"thread {thread}"}
        return json.dumps({"ph": "M", "pid": self.information.process, "tid": thread, "name": "thread_name", "args": name})

    def _stack(self, tag: int) -> str:
        """What is written about the site of a tag."""
        if tag not in self._stacks:
            stack = self.information.stack(tag)
            self._stacks[tag] = f',"site":{json.dumps(" < ".join(stack))}' if stack else ""
        return self._stacks[tag]

    def finish(self) -> None:
        """Writes the events that wait, and what is known about the trace."""
        if not self._is_timed:
            self._put_waiting()
        known = {name: value for name, value in vars(self.information).items() if name != "sites"}
        self.file.write(f'\n],"otherData":{json.dumps(known)}}}\n'.encode())

    def discard(self) -> None:
        """Leaves what was there before."""
        self._waiting.close()
        super().discard()
