"""What the bytes of a fuzzer mean as a trace file, and what loading such a file has to come to."""

from __future__ import annotations

import re
import struct
from pathlib import Path

from making_traces import is_same
from slabheap import Trace
from writing_records import INFORMATION, MAGIC, record

KINDS = (b"INFO", b"EVTS", b"END.")


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


def _record(stream: _Bytes) -> bytes:
    """A record with the checksum and the lengths that it ought to have, or one of them not."""
    choice, fault = stream.number(), stream.number()
    kind = KINDS[choice % 3] if choice < 240 else stream.take(4)
    raw = stream.take(stream.number(2) % 2048)
    checksum = stream.number(4) if fault == 255 else None
    sizes = struct.unpack("<II", stream.take(8)) if fault == 254 else None
    return record(kind, raw, stored=raw if fault == 253 else None, sizes=sizes, checksum=checksum)


def content_of(data: bytes) -> bytes:
    """A file: the bytes themselves, or records made of them."""
    stream = _Bytes(data)
    choice = stream.number() % 4
    if choice == 0:
        return stream.rest()
    content = MAGIC
    if choice != 1:
        content += record(b"INFO", INFORMATION)
    while not stream.is_empty():
        content += _record(stream)
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
