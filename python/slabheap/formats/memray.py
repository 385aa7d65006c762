"""Reads captures of memray, through memray's own reader: `pip install memray`.

Calls of malloc and its relatives are read, and those of Python's allocator (`memray run --trace-python-allocators`); what is mapped and
unmapped is not. A free and the `realloc` of the same thread behind it are one reallocation, as memray records those. Times and alignments
are not told.

memray's reader runs in a process of its own, which sends what it reads as a trace through a pipe: on a file that is damaged it may crash.
The pipe is not the process's standard output, and of its standard error only what it or memray marks as an error counts: the user's Python
may print there what it likes.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from slabheap.events import MOST_BYTES, Events, Operation
from slabheap.files import Closing, Input
from slabheap.formats.calls import MALLOC_ALIGN, REALLOCATE_BEGINS, Call, CallReader
from slabheap.tracefile import TraceReader, TraceWriter

__all__ = ["MemrayReader", "is_memray", "main"]

_MAGIC = b"memray\0"
_PACKED = b"\x04\x22\x4d\x18"  # LZ4, which memray unpacks itself

_REFUSAL = "slabheap refuses: "  # stands before what the process itself finds wrong
_COMPLAINT = re.compile(rf"(?:{_REFUSAL}|(?=Memray (?:ERROR|CRITICAL): ))(.*)")

_OPERATIONS = {
    "MALLOC": Operation.ALLOCATE,
    "CALLOC": Operation.ALLOCATE_ZEROED,
    "REALLOC": Operation.REALLOCATE,
    "POSIX_MEMALIGN": Operation.ALLOCATE,
    "ALIGNED_ALLOC": Operation.ALLOCATE,
    "MEMALIGN": Operation.ALLOCATE,
    "VALLOC": Operation.ALLOCATE,
    "PVALLOC": Operation.ALLOCATE,
    "FREE": Operation.FREE,
    "PYMALLOC_MALLOC": Operation.ALLOCATE,
    "PYMALLOC_CALLOC": Operation.ALLOCATE_ZEROED,
    "PYMALLOC_REALLOC": Operation.REALLOCATE,
    "PYMALLOC_FREE": Operation.FREE,
}


def is_memray(head: bytes) -> bool:
    """Whether a file that begins so is a capture of memray."""
    return head.startswith(_MAGIC) or (head.startswith(_PACKED) and _MAGIC in head[:64])


class MemrayReader(Closing):
    """Reads a capture of memray as a stream of arrays of events.

    Raises:
        ValueError: memray is not installed, or refuses the capture; also while iterating.
    """

    def __init__(self, source: Input) -> None:
        self.source = source
        self._closing = contextlib.ExitStack()
        self._closing.callback(source.close)
        try:
            if importlib.util.find_spec("memray") is None:
                raise ValueError(f"{source.name}: a capture of memray, which memray has to read: pip install memray")
            self._errors = self._closing.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
            self._process = self._started(str(source.path_on_disk()))
            with self._refusals():
                self._trace = TraceReader(Input(self._pipe))
        except BaseException:
            self.close()
            raise
        self.information = self._trace.information

    def _started(self, path: str) -> subprocess.Popen[bytes]:
        """The process, which writes a trace into a pipe of which this is the other end."""
        reading, writing = os.pipe()
        try:
            self._pipe = self._closing.enter_context(os.fdopen(reading, "rb"))
            command = [sys.executable, "-c", f"from {__name__} import main; main()", path, str(writing)]
            options: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": self._errors, "pass_fds": [writing]}
            process = self._closing.enter_context(subprocess.Popen(command, **options))
        finally:
            os.close(writing)
        self._closing.callback(process.kill)  # before it is waited for
        return process

    @property
    def progress(self) -> tuple[int, int]:
        """Nothing of nothing: memray tells neither how much it has read nor how much there is."""
        return 0, 0

    def __iter__(self) -> Iterator[Events]:
        with self._refusals():
            yield from self._trace
            if self._process.wait() != 0 or self._complaints():
                self._refuse()

    def _said(self) -> list[str]:
        """The lines that the process has printed as errors, whoever in it has."""
        self._errors.seek(0)
        return self._errors.read().decode(errors="replace").strip().splitlines()

    def _complaints(self) -> list[str]:
        """Why the process refuses the capture, or what memray found wrong with records, which it then passes over."""
        return [found[1] for line in self._said() if (found := _COMPLAINT.search(line))]

    @contextlib.contextmanager
    def _refusals(self) -> Iterator[None]:
        try:
            yield
        except ValueError:
            self._refuse()

    def _refuse(self) -> NoReturn:
        """Says why there is no whole trace from the process."""
        self._pipe.close()  # it may have more to say
        status = self._process.wait()
        why = [*(self._said() if status else []), *self._complaints()]  # a line of a traceback only if there is nothing better
        by_signal = f"memray's reader ended by {signal.Signals(-status).name}" if status < 0 else None
        raise ValueError(f"{self.source.name}: {by_signal or (why[-1] if why else 'memray refuses it')}") from None

    def close(self) -> None:
        """Closes the capture."""
        self._closing.close()


def _expect_whole(path: Path) -> None:
    """Raises OSError if a capture that is packed is cut short: memray reads what there is, since a program may have been killed."""
    import pyarrow as pa

    with path.open("rb") as file:
        if file.read(len(_PACKED)) == _PACKED:
            file.seek(0)
            with pa.CompressedInputStream(pa.PythonFile(file, mode="r"), "lz4") as unpacked:
                while unpacked.read(1 << 20):
                    pass


class _Capture(CallReader):
    """A capture in this process."""

    def __init__(self, path: Path) -> None:
        import memray

        super().__init__(Input(path), "memray")
        self._kinds = {int(kind): _OPERATIONS[kind.name] for kind in memray.AllocatorType if kind.name in _OPERATIONS}
        self._records = 0
        with self._refusals():
            _expect_whole(path)
            self._reader = memray.FileReader(path)
            known = self._reader.metadata
        self.information.command = known.command_line.split(" ")  # memray quotes nothing
        self.information.process = known.pid
        self._is_native = known.has_native_traces
        self._tags: dict[Any, int] = {}

    @contextlib.contextmanager
    def _refusals(self) -> Iterator[None]:
        """Lets what memray refuses be a ValueError that says how far it came."""
        try:
            yield
        except (OSError, NotImplementedError, RuntimeError, ValueError) as error:
            raise ValueError(f"record {self._records}: memray refuses the capture: {error}") from None

    def calls(self) -> Iterator[Call]:
        """The calls of the capture."""
        kinds, threads, frees = self._kinds, self.threads, Operation.FREE
        held: Call | None = None  # a free, which the next record may show to be half of a reallocation
        with self._refusals():
            for record in self._reader.get_allocation_records():
                self._records += 1
                operation = kinds.get(record.allocator)
                if operation is None:
                    continue
                thread = threads[record.tid]
                if held is not None:
                    is_half = operation == Operation.REALLOCATE and held[4] == thread
                    yield (*held[:6], REALLOCATE_BEGINS) if is_half else held
                    if operation == Operation.REALLOCATE and not is_half:
                        operation = Operation.ALLOCATE
                    held = None
                elif operation == Operation.REALLOCATE:
                    operation = Operation.ALLOCATE  # of nothing
                if operation == frees:
                    held = (0, record.address, 0, 1, thread, 0, frees)
                    continue
                size = record.size
                if size > MOST_BYTES:
                    raise ValueError(f"a request of {size} bytes is larger than any")
                align = 1 if operation == Operation.REALLOCATE else MALLOC_ALIGN
                yield 0, record.address, size, align, thread, self._tag(record), operation
        if held is not None:
            yield held

    def _tag(self, record: Any) -> int:
        """The tag of the place that allocated."""
        key = (record.stack_id, record.native_stack_id, record.native_segment_generation) if self._is_native else record.stack_id
        tag = self._tags.get(key)
        if tag is None:
            tag = 0
            frames = record.hybrid_stack_trace() if self._is_native else record.stack_trace()
            for function, file, line in reversed(frames):
                tag = self.sites.tag(f"{function} ({file}:{line})", tag)
            self._tags[key] = tag
        return tag

    def close(self) -> None:
        """Closes the capture."""
        self._reader.close()
        super().close()


def main() -> None:
    """Writes the capture whose path is the first argument into the pipe whose number is the second, as a trace."""
    path, pipe = Path(sys.argv[1]), int(sys.argv[2])
    try:
        with contextlib.ExitStack() as closing:
            closing.enter_context(contextlib.redirect_stdout(closing.enter_context(os.fdopen(pipe, "w"))))
            capture = closing.enter_context(_Capture(path))
            writer = closing.enter_context(TraceWriter("-", capture.information))
            for events in capture:
                writer.write(events)
    except ValueError as error:
        sys.exit(_REFUSAL + " ".join(str(error).split("\n")))
