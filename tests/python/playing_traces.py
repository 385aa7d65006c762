"""What the bytes of a fuzzer mean as a trace file, and what loading such a file has to come to."""

from __future__ import annotations

import json
import re
import struct
from pathlib import Path

from making_traces import is_same
from slabheap import Trace
from writing_records import INFORMATION, MAGIC, end, record

#: What the first byte of a record chooses; behind the last, its kind is what the bytes say.
KINDS = (b"INFO", b"EVTS", b"END.") * 64 + (b"SITE",) * 48


class _Bytes:
    """Bytes taken off one by one; behind their end there are zeros."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int) -> bytes:
        taken = self._data[self._at : self._at + count]
        self._at += count
        return taken.ljust(count, b"\0")

    def number(self, width: int = 1) -> int:
        return int.from_bytes(self.take(width), "little")

    def rest(self) -> bytes:
        return self._data[self._at :]

    def is_empty(self) -> bool:
        return self._at >= len(self._data)


def _sites(stream: _Bytes) -> bytes:
    """Some sites as a record of them has them. Tags may be written with zeros in front, and a name may be too long."""
    sites = {}
    for _ in range(stream.number() % 4):
        tag, width, caller = stream.number(), stream.number() % 3 + 1, stream.number()
        name = stream.take(stream.number() % 8).decode("latin-1") * (600 if stream.number() == 255 else 1)
        sites[f"{tag:0{width}}"] = [name, caller]
    return json.dumps(sites).encode()


def _record(stream: _Bytes, events: int) -> tuple[bytes, int]:
    """A record with the checksum and the lengths that it ought to have, or one of them not; and how many events it speaks of.

    There are `events` of them before it, as the good ends among the records say.
    """
    choice, fault = stream.number(), stream.number()
    if 232 <= choice < 240:
        return end(events), 0
    kind = KINDS[choice] if choice < len(KINDS) else stream.take(4)
    raw = _sites(stream) if 192 <= choice < 224 else stream.take(stream.number(2) % 2048)
    checksum = stream.number(4) if fault == 255 else None
    sizes = struct.unpack("<II", stream.take(8)) if fault == 254 else None
    count = int.from_bytes(raw[:4], "little") if kind == b"EVTS" else 0
    return record(kind, raw, stored=raw if fault == 253 else None, sizes=sizes, checksum=checksum), count


def content_of(data: bytes) -> bytes:
    """A file: the bytes themselves, or records made of them."""
    stream = _Bytes(data)
    choice = stream.number() % 4
    if choice == 0:
        return stream.rest()
    content = MAGIC
    if choice != 1:
        content += record(b"INFO", INFORMATION)
    events = 0
    while not stream.is_empty():
        added, count = _record(stream, events)
        content += added
        events += count
    return content


def _refusal(content: bytes, path: Path) -> str | None:
    """How the file is refused, if it is."""
    path.write_bytes(content)
    try:
        trace = Trace.load(path)
    except ValueError as error:
        return str(error)
    trace.save(path)
    assert is_same(Trace.load(path), trace), "what was saved reads otherwise"
    return None


def play(data: bytes, path: Path) -> str:
    """Loads the file that `data` means, by way of `path`: why it is refused, or nothing if it is whole and reads the same again."""
    content = content_of(data)
    refusal = _refusal(content, path)
    if refusal is None:
        return ""
    found = re.fullmatch(rf"{re.escape(str(path))}: at (?:offset|line) (\d+): (.+)", refusal, re.DOTALL)
    assert found, f"the error does not say where and why: {refusal}"
    assert int(found[1]) <= len(content), f"the error is behind the end of {len(content)} bytes: {refusal}"
    return found[2]
