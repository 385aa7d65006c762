"""What the writers of other formats share: the file, whether and how it is packed, and that a failure leaves no half of it."""

from __future__ import annotations

import abc
import contextlib
import gzip
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Protocol, Self

import zstandard

from slabheap.events import Events, as_events
from slabheap.files import Keeping, Output
from slabheap.formats.liveness import LiveBlocks
from slabheap.information import Information

__all__ = ["EventWriter", "FileWriter"]


class EventWriter(Protocol):
    """Writes a file as a stream: `write` events any number of times, then `close`.

    As a context it closes the file, or discards it if an exception ends the context.
    """

    def write(self, events: Events) -> None:
        """Writes further events; shape (n,), dtype EVENT."""

    def close(self) -> None:
        """Writes the end and gives the file its name."""

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None: ...


class FileWriter(Keeping):
    """A writer of one of the formats.

    Args:
        path: The file, which is replaced once it is whole; "-" for standard output.
        information: What is known about the trace; whole when `close` is called.
        packing: "gzip", "zstd", or "" for a file that is not packed.

    Raises:
        OSError: The file cannot be written.
    """

    def __init__(self, path: str | Path, information: Information, packing: str = "") -> None:
        self.information = information
        self.live = LiveBlocks()
        self._output = Output(path)
        self._packer: Any = None
        if packing == "gzip":
            self._packer = gzip.GzipFile("", "wb", fileobj=self._output.file, mtime=0)  # the same bytes each time
        elif packing == "zstd":
            self._packer = zstandard.ZstdCompressor(level=6).stream_writer(self._output.file, closefd=False)
        self.file: IO[bytes] = self._output.file if self._packer is None else self._packer
        try:
            self.begin()
        except BaseException:
            self.discard()
            raise

    def begin(self) -> None:
        """Writes what stands before the first event."""

    @abc.abstractmethod
    def put(self, events: Events) -> None:
        """Writes further events, at least one; or remembers what has to be written about them at the end."""

    @abc.abstractmethod
    def finish(self) -> None:
        """Writes what stands behind the last event."""

    def write(self, events: Events) -> None:
        """Writes further events; shape (n,), dtype EVENT.

        Raises:
            ValueError: An event makes no sense, or is none that the format can hold; the message names it.
            OSError: The file cannot be written.
        """
        events = as_events(events)
        if events.size:
            self.put(events)

    def close(self) -> None:
        """Writes the end and gives the file its name."""
        try:
            self.finish()
            if self._packer is not None:
                self._packer.close()
        except BaseException:
            self.discard()
            raise
        self._output.keep()

    def discard(self) -> None:
        """Leaves what was there before."""
        if self._packer is not None:
            with contextlib.suppress(OSError):
                self._packer.close()
        self._output.discard()
