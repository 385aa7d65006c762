"""Records of a trace file, put together by hand as docs/trace-format.md says, so that they may be wrong."""

from __future__ import annotations

import struct
import zlib

import zstandard

MAGIC = b"slabheap trace 1\n"
INFORMATION = b'{"source": "test"}'


def record(
    kind: bytes, raw: bytes, *, stored: bytes | None = None, sizes: tuple[int, int] | None = None, checksum: int | None = None
) -> bytes:
    """A record; what is given takes the place of what would be right."""
    frame = zstandard.ZstdCompressor().compress(raw) if stored is None else stored
    stored_bytes, raw_bytes = (len(frame), len(raw)) if sizes is None else sizes
    return struct.pack("<4sIII", kind, stored_bytes, raw_bytes, zlib.crc32(raw) if checksum is None else checksum) + frame


def column(*numbers: int, width: int = 1) -> bytes:
    """A column of numbers of so many bytes."""
    return bytes([width]) + b"".join(number.to_bytes(width, "little") for number in numbers)


def end(events: int) -> bytes:
    """The last record."""
    return record(b"END.", f'{{"events": {events}, "lost": 0, "foreign": 0, "implied_frees": 0}}'.encode())


def trace_file(*records: bytes) -> bytes:
    """A file of these records behind a good beginning."""
    return MAGIC + record(b"INFO", INFORMATION) + b"".join(records)


def records_in(content: bytes) -> list[tuple[bytes, bytes]]:
    """The kinds and raw contents of a file's records."""
    assert content.startswith(MAGIC)
    offset, found = len(MAGIC), []
    while offset < len(content):
        kind, stored, raw, checksum = struct.unpack_from("<4sIII", content, offset)
        unpacked = zstandard.ZstdDecompressor().decompress(content[offset + 16 : offset + 16 + stored], max_output_size=raw)
        assert zlib.crc32(unpacked) == checksum
        found.append((kind, unpacked))
        offset += 16 + stored
    return found
