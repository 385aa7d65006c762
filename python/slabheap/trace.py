"""Traces: what a program allocated, reallocated and freed, call by call."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from slabheap import _core
from slabheap.events import EVENT, Events, Operation, as_events, is_allocation, renumber
from slabheap.formats import create_trace, open_trace
from slabheap.information import Information
from slabheap.markup import card
from slabheap.summary import Summary
from slabheap.texts import counted, fact_rows, printable
from slabheap.tracefile import CHUNK_EVENTS, TraceReader, TraceWriter

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Information", "Trace", "TraceReader", "TraceWriter", "compile_trace"]


class Trace:
    """A trace in memory.

    Args:
        events: Shape (n,), dtype EVENT. Blocks are numbered from 0 in order of their allocation; `from_events` sees to that.
        information: Where they come from.

    Attributes:
        events: The events.
        information: Where they come from, and how many were lost.

    Examples:
        >>> import numpy as np
        >>> from slabheap.events import EVENT, Operation
        >>> events = np.zeros(2, EVENT)
        >>> events["operation"] = Operation.ALLOCATE, Operation.FREE
        >>> events["size"], events["align"] = (100, 0), (8, 1)
        >>> Trace(events).peak_requested_bytes
        100
    """

    def __init__(self, events: Events, information: Information | None = None) -> None:
        self.events = as_events(events)
        self.information = Information() if information is None else information

    @classmethod
    def from_events(cls, events: Events, information: Information | None = None) -> Trace:
        """A trace of events whose blocks may have any numbers, used again or not; they get new ones.

        Raises:
            ValueError: An event refers to a block that is not live, or allocates one that is; the message names the event.

        Examples:
            >>> events = np.zeros(3, EVENT)
            >>> events["operation"] = Operation.ALLOCATE, Operation.FREE, Operation.ALLOCATE
            >>> events["block"], events["size"], events["align"] = 7, (100, 0, 50), 8  # the number is used again
            >>> Trace.from_events(events).events["block"].tolist()
            [0, 0, 1]
        """
        return cls(renumber(events), information)

    @classmethod
    def load(
        cls,
        path: str | Path,
        format: str | None = None,  # noqa: A002
        *,
        progress: Callable[[int, int], None] | None = None,
    ) -> Trace:
        """The trace in a file of any format; docs/formats.md says which there are, and what they hold.

        It takes 40 bytes an event, and twice that while it loads. A small file may hold very many events: to read some of them, iterate
        over a `TraceReader`.

        Args:
            path: The file, packed by gzip or Zstandard or not; "-" for standard input.
            format: One of "slabheap", "heaptrack", "memray", "mtrace", "rep", "arrow", "parquet", "ltrace"; what the file's first bytes
                say unless given.
            progress: Called now and then with what is read and what there is, counted as suits the format; 0 if that is not known.

        Raises:
            OSError: The file cannot be opened.
            ValueError: The file is malformed; the message names the file and the offset, line, or row.

        Examples:
            >>> Trace.load("no.trace")
            Traceback (most recent call last):
            FileNotFoundError: [Errno 2] No such file or directory: 'no.trace'
        """
        with open_trace(path, format) as reader:
            chunks = []
            for chunk in reader:
                chunks.append(chunk)
                if progress is not None:
                    progress(*reader.progress)
            # Without a dtype NumPy would drop the padding, and the events be copied once more.
            return cls(np.concatenate([np.zeros(0, EVENT), *chunks], dtype=EVENT), reader.information)

    @classmethod
    def from_mtrace(cls, path: str | Path) -> Trace:
        r"""The trace in a log of glibc's mtrace. Raises as `load` does.

        Examples:
            >>> import tempfile
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     path = Path(folder, "app.mtrace")
            ...     _ = path.write_text("= Start\n@ ./app:[0x11f1] + 0x4a0 0x64\n@ ./app:[0x1267] - 0x4a0\n= End\n")
            ...     Trace.from_mtrace(path).peak_requested_bytes
            100
        """
        return cls.load(path, "mtrace")

    @classmethod
    def from_rep(cls, path: str | Path) -> Trace:
        r"""The trace in a `.rep` file of the malloc lab of "Computer Systems: A Programmer's Perspective". Raises as `load` does.

        Examples:
            >>> import tempfile
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     path = Path(folder, "app.rep")
            ...     _ = path.write_text("20000\n1\n2\n1\na 0 100\nf 0\n")
            ...     Trace.from_rep(path).peak_requested_bytes
            100
        """
        return cls.load(path, "rep")

    @classmethod
    def from_heaptrack(cls, path: str | Path) -> Trace:
        r"""The trace in a file of heaptrack, raw or interpreted. Raises as `load` does.

        Examples:
            >>> import tempfile
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     path = Path(folder, "app.heaptrack.raw")
            ...     _ = path.write_text("v 10400 3\nx 3 app\nX ./app\nc 5\n+ 64 0 4a0\n- 4a0\n")  # 0x64 bytes at 0x4a0
            ...     Trace.from_heaptrack(path).peak_requested_bytes
            100
        """
        return cls.load(path, "heaptrack")

    @classmethod
    def from_memray(cls, path: str | Path) -> Trace:
        """The trace in a capture of memray, which has to be installed: `pip install memray`. Raises as `load` does.

        Examples:
            >>> import tempfile
            >>> import memray
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     path = Path(folder, "app.bin")
            ...     with memray.Tracker(path):
            ...         kept = bytearray(1 << 20)
            ...     Trace.from_memray(path).peak_requested_bytes > 1 << 20
            True
        """
        return cls.load(path, "memray")

    @classmethod
    def from_ltrace(cls, path: str | Path) -> Trace:
        r"""The trace in what ltrace printed. Raises as `load` does.

        Examples:
            >>> import tempfile
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     path = Path(folder, "app.ltrace")
            ...     _ = path.write_text("malloc(100) = 0x4a0\nfree(0x4a0) = <void>\n")
            ...     Trace.from_ltrace(path).peak_requested_bytes
            100
        """
        return cls.load(path, "ltrace")

    @classmethod
    def from_arrow(cls, table: pa.Table) -> Trace:
        """The trace in a table of Arrow, with a row for each event and the fields of EVENT as columns.

        At least `operation` (names in lower case, or numbers) and `block` have to be there; what else is missing is 0, alignments 1. Blocks
        may have any numbers, used again or not.

        Raises:
            ValueError: The rows are no events, or make no sense; the message names the row.

        Examples:
            >>> import pyarrow as pa
            >>> table = pa.table({"operation": ["allocate", "free"], "block": [7, 7], "size": [100, 0]})
            >>> Trace.from_arrow(table).peak_requested_bytes
            100
        """
        from slabheap.formats.arrow import trace_of

        return cls(*trace_of(table))

    def to_arrow(self) -> pa.Table:
        """The events as a table of Arrow, a row each; `to_arrow().to_pandas()` is a frame. Nothing is lost: `from_arrow` has it all.

        Examples:
            >>> from slabheap import workloads
            >>> trace = workloads.from_lifetimes(100, workloads.constant(32), workloads.constant(10))
            >>> trace.to_arrow().column("operation").value_counts().to_pylist()
            [{'values': 'allocate', 'counts': 100}, {'values': 'free', 'counts': 90}]
        """
        from slabheap.formats.arrow import table_of

        return table_of(self.events, self.information)

    def save(self, path: str | Path, format: str | None = None) -> None:  # noqa: A002
        """Writes the trace to a file, which is replaced once it is whole.

        Args:
            path: The file; "-" for standard output. If its name ends with .gz or .zst, it is packed; but a trace of slabheap always is, and
                has no such name.
            format: One of "slabheap", "rep", "arrow", "parquet", "dhat", "chrome", "pprof"; what the file's name says unless given: a trace
                ends with ".trace" or without a suffix.

        Raises:
            OSError: The file cannot be written.
            ValueError: There is no such format, or it cannot hold the events; the file is as it was before.

        Examples:
            >>> import tempfile
            >>> from slabheap import workloads
            >>> trace = workloads.from_lifetimes(100, workloads.constant(64), workloads.constant(10))
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     trace.save(Path(folder, "small.trace"))
            ...     len(Trace.load(Path(folder, "small.trace"))) == len(trace)
            True
        """
        with create_trace(path, self.information, format) as writer:
            for chunk in self.chunks():
                writer.write(chunk)

    def __len__(self) -> int:
        """The number of events."""
        return int(self.events.size)

    def chunks(self) -> Iterator[Events]:
        """The events in pieces, as a reader would give them.

        Examples:
            >>> [chunk.size for chunk in Trace(np.zeros(100_000, EVENT)).chunks()]
            [65536, 34464]
        """
        for start in range(0, len(self), CHUNK_EVENTS):
            yield self.events[start : start + CHUNK_EVENTS]

    @property
    def block_count(self) -> int:
        """How many blocks are allocated in it."""
        return int(is_allocation(self.events).sum())

    @property
    def thread_count(self) -> int:
        """How many threads there are."""
        return int(np.unique(self.events["thread"]).size)

    @property
    def duration(self) -> float:
        """The seconds from the beginning to the last event."""
        return float(self.events["time"][-1]) / 1e9 if len(self) else 0.0

    def __getstate__(self) -> dict[str, Any]:
        """What is pickled: all but the program, which is compiled anew when it is wanted."""
        return {name: value for name, value in vars(self).items() if name != "program"}

    @functools.cached_property
    def program(self) -> _core.Program:
        """The trace compiled for replay, in memory.

        Raises:
            ValueError: An event makes no sense; the message names it.
        """
        return compile_trace(self)

    @property
    def peak_requested_bytes(self) -> int:
        """The most bytes that were allocated at once, as they were asked for."""
        return int(self.program.peak_requested_bytes)

    @property
    def request_sizes(self) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
        """The bytes of every request, reallocations included, in order; shape (m,), uint64."""
        return np.asarray(self.events["size"][self.events["operation"] != Operation.FREE])

    def summary(self) -> dict[str, Any]:
        """What is in the trace, by name: where it comes from, counts, and bytes (names that end in `_bytes`).

        The peak is that of requests that are served one after the other; a size is that of an allocation or a reallocation.

        Examples:
            >>> from slabheap import workloads
            >>> summary = workloads.from_lifetimes(100, workloads.constant(64), workloads.constant(10)).summary()
            >>> summary["blocks"], summary["peak_requested_bytes"]
            (100, 640)
        """
        summary = Summary()
        for events in self.chunks():
            summary.add(events)
        return summary.facts(self.information)

    def __repr__(self) -> str:
        """The trace in a line."""
        program = self.information.command[0] if self.information.command else self.information.source or "unknown origin"
        counts = f"{counted(len(self), 'event')}, {counted(self.block_count, 'block')}"
        return f"<Trace of {printable(program)}: {counts}, {self.duration:.3g} s>"

    def _repr_html_(self) -> str:
        """A table for Jupyter."""
        return card("Trace", fact_rows(self.summary()))


def compile_trace(source: Trace | Iterable[Events], folder: str = "") -> _core.Program:
    """A trace, or the events of a reader, compiled for replay; the steps are kept in an unnamed file in `folder`, or in memory.

    Raises:
        ValueError: An event makes no sense; the message names it.
    """
    program = _core.Program(folder)
    for chunk in source.chunks() if isinstance(source, Trace) else source:
        program.append(chunk)
    return program
