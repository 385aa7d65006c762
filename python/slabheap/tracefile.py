"""The native trace file: a magic line and then records, written and read one after the other. docs/trace-format.md describes it.

Columns of a chunk of events are stored separately, each as differences from what could be expected, in the fewest bytes that hold the
largest, and compressed.
"""

from __future__ import annotations

import dataclasses
import json
import struct
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import numpy as np
import numpy.typing as npt
import zstandard

from slabheap.events import EVENT, Events, Operation, as_events, is_allocation

__all__ = ["CHUNK_EVENTS", "Information", "TraceReader", "TraceWriter"]

MAGIC = b"slabheap trace 1\n"
CHUNK_EVENTS = 1 << 16  # events of a record at the most
_MOST_RAW_BYTES = CHUNK_EVENTS * EVENT.itemsize + 1024  # no record that this module wrote is longer

_HEAD = struct.Struct("<4sIII")  # kind, stored bytes, raw bytes, CRC-32 of the raw bytes
_INFORMATION, _EVENTS, _END = b"INFO", b"EVTS", b"END."
_WIDTHS = {0: None, 1: np.dtype("<u1"), 2: np.dtype("<u2"), 4: np.dtype("<u4"), 8: np.dtype("<u8")}


@dataclasses.dataclass
class Information:
    """What is known about a trace besides its events.

    Attributes:
        source: What made it: "recorder", a workload, another format.
        command: The program that was recorded and its arguments.
        process: Its process number, or 0.
        lost: Calls that should be in the trace and are not.
        foreign: Frees and reallocations of blocks whose allocation was not seen; they are left out.
        implied_frees: Blocks whose free was not seen, and which end where their address was handed out again.
    """

    source: str = ""
    command: list[str] = dataclasses.field(default_factory=list)
    process: int = 0
    lost: int = 0
    foreign: int = 0
    implied_frees: int = 0


# What is only known when the last event has been written.
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


def _expect_writable(events: Events, blocks: int, time: int) -> None:
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
    if (times < np.uint64(time)).any() or (np.diff(times) != deltas[1:]).any() or (times[1:] < times[:-1]).any():
        raise ValueError("the times go back")
    events["time"] = times

    count_before = _blocks_before(events, blocks)
    ages = columns.take("ages", int((~begins).sum()))
    if (ages == 0).any() or (ages > count_before[~begins]).any():
        raise ValueError("an event refers to a block before its allocation")
    events["block"][begins] = count_before[begins]
    events["block"][~begins] = count_before[~begins] - ages

    events["size"][~frees] = columns.take("sizes", int((~frees).sum()))
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


class TraceWriter:
    """Writes a trace as a stream: `write` events any number of times, then `close`, which says how many there were.

    Args:
        path: The file, which is replaced; "-" for standard output.
        information: What is known about the trace.
    """

    def __init__(self, path: str | Path, information: Information) -> None:
        self._is_shared = str(path) == "-"
        self._file: BinaryIO = sys.stdout.buffer if self._is_shared else Path(path).open("wb")  # noqa: SIM115
        self._information = information
        self._compressor = zstandard.ZstdCompressor(level=6)
        self._events = 0
        self._blocks = 0
        self._time = 0
        try:
            self._file.write(MAGIC)
            self._write_json(_INFORMATION, {k: v for k, v in vars(information).items() if k not in _KNOWN_AT_END})
        except BaseException:
            self._close_file()
            raise

    def _write_record(self, kind: bytes, raw: bytes) -> None:
        stored = self._compressor.compress(raw)
        self._file.write(_HEAD.pack(kind, len(stored), len(raw), zlib.crc32(raw)) + stored)

    def _write_json(self, kind: bytes, content: dict[str, Any]) -> None:
        self._write_record(kind, json.dumps(content).encode())

    def write(self, events: Events) -> None:
        """Writes further events; shape (n,), dtype EVENT.

        Sizes and alignments that mean nothing, those of frees and the alignments of reallocations, are not kept: they read as 0 and 1.

        Raises:
            ValueError: Blocks are not numbered in order of their allocation (see `renumber`), an event refers to one that is yet to
                come, an operation or an alignment is none, or times go back.
        """
        events = as_events(events)
        for start in range(0, events.size, CHUNK_EVENTS):
            chunk = events[start : start + CHUNK_EVENTS]
            _expect_writable(chunk, self._blocks, self._time)
            self._write_record(_EVENTS, _pack_events(chunk, self._blocks, self._time))
            self._events += chunk.size
            self._blocks += int(is_allocation(chunk).sum())
            self._time = int(chunk["time"][-1])

    def close(self) -> None:
        """Writes the end of the trace, with what `information` says by now was lost, and closes the file."""
        end = {name: getattr(self._information, name) for name in _KNOWN_AT_END}
        self._write_json(_END, {"events": self._events, **end})
        self._close_file()

    def _close_file(self) -> None:
        self._file.flush()
        if not self._is_shared:
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if kind is None:
            self.close()
        else:
            self._close_file()


class TraceReader:
    """Reads a trace as a stream: iterate over it for one array of events after another.

    Args:
        path: The file; "-" for standard input.

    Attributes:
        information: What is known about the trace; what was lost is known at the end.

    Raises:
        ValueError: The file is malformed; the message names the offset. Also while iterating.
    """

    def __init__(self, path: str | Path) -> None:
        self._is_shared = str(path) == "-"
        self._name = "standard input" if self._is_shared else str(path)
        self._file: BinaryIO = sys.stdin.buffer if self._is_shared else Path(path).open("rb")  # noqa: SIM115
        self._decompressor = zstandard.ZstdDecompressor()
        self._offset = 0
        self.information = Information()
        try:
            if self._read_bytes(len(MAGIC)) != MAGIC:
                self._fail(0, "not a slabheap trace: it does not begin as one")
            self.information = self._read_information()
        except BaseException:
            self.close()
            raise

    def _fail(self, offset: int, what: str) -> Any:
        raise ValueError(f"{self._name}: at offset {offset}: {what}")

    def _read_bytes(self, count: int) -> bytes:
        content = self._file.read(count)
        self._offset += len(content)
        return content

    def _read_record(self) -> tuple[int, bytes, bytes]:
        """Where the next record starts, its kind and its raw bytes."""
        start = self._offset
        head = self._read_bytes(_HEAD.size)
        if len(head) < _HEAD.size:
            self._fail(start, "the trace is cut short: it has no end")
        kind, stored_bytes, raw_bytes, checksum = _HEAD.unpack(head)
        if kind not in (_INFORMATION, _EVENTS, _END):
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
        try:
            content = json.loads(raw)
        except (ValueError, RecursionError) as error:
            self._fail(start, f"not JSON: {error}")
        return content if isinstance(content, dict) else self._fail(start, "not an object of JSON")

    def _read_information(self) -> Information:
        start, kind, raw = self._read_record()
        if kind != _INFORMATION:
            self._fail(start, "the first record must say where the trace comes from")
        content = self._read_json(start, raw)
        known = Information()
        for field in dataclasses.fields(Information):
            value = content.get(field.name, getattr(known, field.name))
            if type(value) is not type(getattr(known, field.name)):
                self._fail(start, f"{field.name} is not of the type {field.type}")
            setattr(known, field.name, value)
        if not all(isinstance(argument, str) for argument in known.command):
            self._fail(start, "command is not a list of strings")
        return known

    def _finish(self, start: int, raw: bytes, events: int) -> None:
        content = self._read_json(start, raw)
        for name in ("events", *_KNOWN_AT_END):
            if type(content.get(name)) is not int or content[name] < 0:
                self._fail(start, f"the end does not say how many {name} there are")
        if content["events"] != events:
            self._fail(start, f"the end speaks of {content['events']} events, but there are {events}")
        for name in _KNOWN_AT_END:
            setattr(self.information, name, content[name])
        if self._read_bytes(1):
            self._fail(self._offset - 1, "there are bytes behind the end")

    def __iter__(self) -> Iterator[Events]:
        events = blocks = time = 0
        while True:
            start, kind, raw = self._read_record()
            if kind == _END:
                self._finish(start, raw, events)
                return
            if kind != _EVENTS:
                self._fail(start, "only the first record says where the trace comes from")
            try:
                chunk = _unpack_events(raw, blocks, time)
            except ValueError as error:
                self._fail(start, str(error))
            events += chunk.size
            blocks += int(is_allocation(chunk).sum())
            time = int(chunk["time"][-1])
            yield chunk

    def close(self) -> None:
        """Closes the file."""
        if not self._is_shared:
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()
