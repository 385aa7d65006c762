"""The native trace file: a magic line and then records, written and read one after the other. docs/trace-format.md describes it.

Columns of a chunk of events are stored separately, each as differences from what could be expected, in the fewest bytes that hold the
largest, and compressed.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import struct
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import zstandard

from slabheap.events import EVENT, Events, Operation, as_events, expect_sizes, is_allocation
from slabheap.files import Closing, Input, Keeping, Output
from slabheap.information import Information, expect_site, json_object

__all__ = ["CHUNK_EVENTS", "MAGIC", "Information", "TraceReader", "TraceWriter", "expect_writable"]

MAGIC = b"slabheap trace 1\n"
CHUNK_EVENTS = 1 << 16  # events of a record at the most
_CHUNK_SITES = 64  # of a record at the most; a character of a name is at most 6 bytes of JSON
_MOST_RAW_BYTES = CHUNK_EVENTS * EVENT.itemsize + 1024  # no record that this module wrote is longer

_HEAD = struct.Struct("<4sIII")  # kind, stored bytes, raw bytes, CRC-32 of the raw bytes
_INFORMATION, _SITES, _EVENTS, _END = b"INFO", b"SITE", b"EVTS", b"END."
_WIDTHS = {0: None, 1: np.dtype("<u1"), 2: np.dtype("<u2"), 4: np.dtype("<u4"), 8: np.dtype("<u8")}


# What is known from the beginning, and what only when the last event has been written.
_KNOWN_AT_START = ("source", "command", "process")
_KNOWN_AT_END = ("lost", "foreign", "implied_frees")


def _pack_column(values: npt.NDArray[np.uint64]) -> bytes:
    most = int(values.max()) if values.size else 0
    width = 0 if most == 0 else next(width for width in (1, 2, 4, 8) if most < 1 << 8 * width)
    dtype = _WIDTHS[width]
    return bytes([width]) + (b"" if dtype is None else values.astype(dtype).tobytes())


def _blocks_before(events: Events, blocks: int) -> npt.NDArray[np.uint64]:
    """How many blocks were allocated before each event of a chunk that follows `blocks` allocations."""
    begins = is_allocation(events)
    return np.uint64(blocks) + np.cumsum(begins, dtype=np.uint64) - begins


def _pack_events(events: Events, blocks: int, time: int) -> bytes:
    """The raw bytes of a chunk that follows `blocks` allocations and an event at `time`."""
    begins = is_allocation(events)
    ages = _blocks_before(events, blocks)[~begins] - events["block"][~begins]
    shifts = np.bitwise_count(events["align"][begins] - np.uint32(1))
    columns = (
        events["operation"].astype(np.uint64),
        np.diff(events["time"], prepend=np.uint64(time)),
        ages,
        events["size"][events["operation"] != Operation.FREE],
        shifts.astype(np.uint64),
        events["thread"].astype(np.uint64),
        events["tag"].astype(np.uint64),
    )
    return struct.pack("<I", events.size) + b"".join(map(_pack_column, columns))


def expect_writable(events: Events, blocks: int, time: int) -> None:
    """Raises ValueError if the events could not be told from others once they are written."""
    begins = is_allocation(events)
    before = _blocks_before(events, blocks)
    times = events["time"]
    if (events["operation"] > Operation.FREE).any():
        raise ValueError(f"there is no operation {events['operation'].max()}")
    if (events["block"][begins] != before[begins]).any():
        raise ValueError("blocks must be numbered from 0 in order of their allocation")
    if (events["block"][~begins] >= before[~begins]).any():
        raise ValueError("an event refers to a block before its allocation")
    if (np.bitwise_count(events["align"][begins]) != 1).any():
        raise ValueError("alignments must be powers of two")
    if times[0] < time or (times[1:] < times[:-1]).any():
        raise ValueError("times must not go back")
    expect_sizes(events)


class _Columns:
    """The columns of a chunk, taken off one by one; ValueError if there are too few bytes for one."""

    def __init__(self, raw: bytes, start: int) -> None:
        self._raw = raw
        self._at = start

    def take(self, name: str, count: int) -> npt.NDArray[np.uint64]:
        width = self._raw[self._at] if self._at < len(self._raw) else -1
        if width not in _WIDTHS:
            raise ValueError(f"the column of {name} has no valid width")
        dtype = _WIDTHS[width]
        start, self._at = self._at + 1, self._at + 1 + width * count
        if self._at > len(self._raw):
            raise ValueError(f"the column of {name} is cut short")
        if dtype is None:
            return np.zeros(count, np.uint64)
        return np.frombuffer(self._raw, dtype, count, start).astype(np.uint64)

    def expect_end(self) -> None:
        if self._at != len(self._raw):
            raise ValueError("there are bytes behind the last column")


def _unpack_events(raw: bytes, blocks: int, time: int) -> Events:
    """The events of a chunk; ValueError if it could not have been written by `_pack_events`."""
    if len(raw) < 4:
        raise ValueError("the number of events is cut short")
    (count,) = struct.unpack_from("<I", raw)
    if not 0 < count <= CHUNK_EVENTS:
        raise ValueError(f"a record of events has 1 to {CHUNK_EVENTS} of them, not {count}")
    columns = _Columns(raw, 4)
    operations = columns.take("operations", count)
    if operations.max() > Operation.FREE:
        raise ValueError(f"there is no operation {operations.max()}")
    events = np.zeros(count, EVENT)
    events["operation"] = operations
    begins, frees = is_allocation(events), operations == Operation.FREE

    deltas = columns.take("times", count)
    times = np.uint64(time) + np.cumsum(deltas, dtype=np.uint64)
    if times[0] < time or (times[1:] < times[:-1]).any():  # a sum that is too large wraps around
        raise ValueError("the times go back")
    events["time"] = times

    count_before = _blocks_before(events, blocks)
    ages = columns.take("ages", int((~begins).sum()))
    if (ages == 0).any() or (ages > count_before[~begins]).any():
        raise ValueError("an event refers to a block before its allocation")
    events["block"][begins] = count_before[begins]
    events["block"][~begins] = count_before[~begins] - ages

    events["size"][~frees] = columns.take("sizes", int((~frees).sum()))
    expect_sizes(events)
    shifts = columns.take("alignments", int(begins.sum()))
    if shifts.size and shifts.max() > 31:
        raise ValueError(f"there is no alignment of 2^{shifts.max()}")
    events["align"] = 1
    events["align"][begins] = np.uint32(1) << shifts.astype(np.uint32)
    for name, field in (("threads", "thread"), ("tags", "tag")):
        values = columns.take(name, count)
        if values.max() > 0xFFFF_FFFF:
            raise ValueError(f"the column of {name} has a value beyond 2^32")
        events[field] = values
    columns.expect_end()
    return events


class TraceWriter(Keeping):
    """Writes a trace as a stream: `write` events any number of times, then `close`, which says how many there were.

    Args:
        path: The file, which is replaced once the trace is whole; "-" for standard output; or an output, which is then the writer's to
            keep or discard.
        information: What is known about the trace; sites may be added until the events that refer to them are written.

    Raises:
        OSError: The file cannot be written.
        ValueError: `information` has a value that no reader would take, or is too long for a record. Also when it is closed.
    """

    def __init__(self, path: str | Path | Output, information: Information) -> None:
        self._output = path if isinstance(path, Output) else Output(path)
        self._information = information
        self._compressor = zstandard.ZstdCompressor(level=6)
        self._events = 0
        self._blocks = 0
        self._time = 0
        self._sites = 0
        try:
            self._output.file.write(MAGIC)
            self._write_json(_INFORMATION, information.to_json(_KNOWN_AT_START))
        except BaseException:
            self.discard()
            raise

    def _write_record(self, kind: bytes, raw: bytes) -> None:
        stored = self._compressor.compress(raw)
        self._output.file.write(_HEAD.pack(kind, len(stored), len(raw), zlib.crc32(raw)) + stored)

    def _write_json(self, kind: bytes, content: Mapping[Any, Any]) -> None:
        raw = json.dumps(content).encode()
        if len(raw) > _MOST_RAW_BYTES:
            raise ValueError(f"what is known about the trace takes {len(raw)} bytes, and a record has at most {_MOST_RAW_BYTES}")
        self._write_record(kind, raw)

    def _write_sites(self) -> None:
        """Writes the sites that have become known."""
        known = itertools.islice(self._information.sites.items(), self._sites, None)
        while batch := dict(itertools.islice(known, _CHUNK_SITES)):
            for tag, site in batch.items():
                expect_site(tag, site)
            self._write_json(_SITES, batch)
            self._sites += len(batch)

    def write(self, events: Events) -> None:
        """Writes further events; shape (n,), dtype EVENT.

        Sizes and alignments that mean nothing, those of frees and the alignments of reallocations, are not kept: they read as 0 and 1.

        Raises:
            ValueError: Blocks are not numbered in order of their allocation (see `renumber`), an event refers to one that is yet to
                come, an operation or an alignment is none, a request is larger than any, times go back, or a site of `information` is none.
        """
        events = as_events(events)
        self._write_sites()
        for start in range(0, events.size, CHUNK_EVENTS):
            chunk = events[start : start + CHUNK_EVENTS]
            expect_writable(chunk, self._blocks, self._time)
            self._write_record(_EVENTS, _pack_events(chunk, self._blocks, self._time))
            self._events += chunk.size
            self._blocks += int(is_allocation(chunk).sum())
            self._time = int(chunk["time"][-1])

    def close(self) -> None:
        """Writes the end of the trace, with what `information` says by now was lost, and gives the file its name."""
        try:
            self._write_sites()
            self._write_json(_END, {"events": self._events, **self._information.to_json(_KNOWN_AT_END)})
        except BaseException:
            self.discard()
            raise
        self._output.keep()

    def discard(self) -> None:
        """Gives the writing up, and leaves what was there before."""
        self._output.discard()


class TraceReader(Closing):
    """Reads a trace as a stream: iterate over it for one array of events after another.

    Args:
        source: The file; "-" for standard input.

    Attributes:
        information: What is known about the trace; sites are added before the events that refer to them, and what was lost is known at
            the end.
        source: The file that is read.

    Raises:
        OSError: The file cannot be opened.
        ValueError: The file is malformed; the message names the offset. Also while iterating.
    """

    def __init__(self, source: str | Path | Input) -> None:
        self.source = source if isinstance(source, Input) else Input(source)
        self._decompressor = zstandard.ZstdDecompressor()
        self._offset = 0
        self.information = Information()
        try:
            if self._read_bytes(len(MAGIC)) != MAGIC:
                self._fail(0, "not a slabheap trace: it does not begin as one")
            self._read_information()
        except BaseException:
            self.close()
            raise

    def _fail(self, offset: int, what: str) -> Any:
        raise ValueError(f"{self.source.name}: at offset {offset}: {what}")

    @contextlib.contextmanager
    def _refusals(self, offset: int) -> Iterator[None]:
        """Lets what is wrong with the content of a record name the record."""
        try:
            yield
        except ValueError as error:
            self._fail(offset, str(error))

    def _read_bytes(self, count: int) -> bytes:
        content = self.source.file.read(count)
        self._offset += len(content)
        return content

    def _read_record(self) -> tuple[int, bytes, bytes]:
        """Where the next record starts, its kind and its raw bytes."""
        start = self._offset
        head = self._read_bytes(_HEAD.size)
        if len(head) < _HEAD.size:
            self._fail(start, "the trace is cut short: it has no end")
        kind, stored_bytes, raw_bytes, checksum = _HEAD.unpack(head)
        if kind not in (_INFORMATION, _SITES, _EVENTS, _END):
            self._fail(start, f"there is no record of the kind {kind!r}")
        if raw_bytes > _MOST_RAW_BYTES or stored_bytes > 2 * _MOST_RAW_BYTES:
            self._fail(start, f"a record of {raw_bytes} bytes is longer than any")
        stored = self._read_bytes(stored_bytes)
        if len(stored) < stored_bytes:
            self._fail(start, "the record is cut short")
        try:
            # Frames may leave their size out; one that states another would be believed.
            if raw_bytes == 0 or zstandard.frame_content_size(stored) not in (-1, raw_bytes):
                self._fail(start, f"the record does not hold {raw_bytes} bytes")
            raw = self._decompressor.decompress(stored, max_output_size=raw_bytes, allow_extra_data=False)
        except zstandard.ZstdError as error:
            self._fail(start, f"the record cannot be decompressed: {error}")
        if len(raw) != raw_bytes or zlib.crc32(raw) != checksum:
            self._fail(start, "the record's checksum is wrong")
        return start, kind, raw

    def _read_json(self, start: int, raw: bytes) -> dict[str, Any]:
        with self._refusals(start):
            return json_object(raw)

    def _read_information(self) -> None:
        start, kind, raw = self._read_record()
        if kind != _INFORMATION:
            self._fail(start, "the first record must say where the trace comes from")
        content = self._read_json(start, raw)
        with self._refusals(start):
            self.information.learn(content, _KNOWN_AT_START)

    def _read_sites(self, start: int, raw: bytes) -> None:
        content = self._read_json(start, raw)
        with self._refusals(start):
            self.information.learn({"sites": content})

    def _finish(self, start: int, raw: bytes, events: int) -> None:
        content = self._read_json(start, raw)
        for name in ("events", *_KNOWN_AT_END):
            if name not in content:
                self._fail(start, f"the end does not say how many {name} there are")
        if content["events"] != events or type(content["events"]) is not int:
            self._fail(start, f"the end speaks of {content['events']!r} events, but there are {events}")
        with self._refusals(start):
            self.information.learn(content, _KNOWN_AT_END)
        if self._read_bytes(1):
            self._fail(self._offset - 1, "there are bytes behind the end")

    @property
    def progress(self) -> tuple[int, int]:
        """The bytes of the file that are read, and those that there are, 0 if that is not known."""
        return self.source.done, self.source.total

    def __iter__(self) -> Iterator[Events]:
        events = blocks = time = 0
        while True:
            start, kind, raw = self._read_record()
            if kind == _END:
                self._finish(start, raw, events)
                return
            if kind == _SITES:
                self._read_sites(start, raw)
                continue
            if kind != _EVENTS:
                self._fail(start, "only the first record says where the trace comes from")
            with self._refusals(start):
                chunk = _unpack_events(raw, blocks, time)
            events += chunk.size
            blocks += int(is_allocation(chunk).sum())
            time = int(chunk["time"][-1])
            yield chunk

    def close(self) -> None:
        """Closes the file."""
        self.source.close()
