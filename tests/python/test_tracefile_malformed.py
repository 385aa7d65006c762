"""Trace files as they should not be: each is a ValueError that names the file and the offset of the record at fault."""

from __future__ import annotations

import contextlib
import json
import re
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from making_traces import is_same, random_trace
from slabheap import Information, Trace
from slabheap.formats import FORMATS
from slabheap.tracefile import TraceReader
from writing_records import INFORMATION, MAGIC, column, end, record, trace_file

NO_TRACE = "not a trace: it begins as none of slabheap, heaptrack, memray, mtrace, rep, arrow, parquet, ltrace does"
SECOND = len(MAGIC) + len(record(b"INFO", INFORMATION))  # where the record behind the first begins


def load(folder: Path, content: bytes) -> Trace:
    """The trace in a file of this content."""
    path = folder / "a.trace"
    path.write_bytes(content)
    return Trace.load(path)


def error_of(folder: Path, content: bytes) -> tuple[int, str]:
    """Where and why a file is refused."""
    with pytest.raises(ValueError, match="at offset") as raised:
        load(folder, content)
    found = re.fullmatch(rf"{re.escape(str(folder))}/a\.trace: at offset (\d+): (.+)", str(raised.value))
    assert found, raised.value
    return int(found[1]), found[2]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, Trace]:
    """A small file that is as it should be, and what it holds."""
    path = tmp_path_factory.mktemp("good") / "a.trace"
    trace = random_trace(3, 40)
    trace.information = Information(source="recorder", command=["./app", "-x"], process=71, lost=1)
    trace.save(path)
    return path.read_bytes(), trace


def record_starts(content: bytes) -> list[int]:
    """Where each record begins."""
    starts, offset = [], len(MAGIC)
    while offset < len(content):
        starts.append(offset)
        offset += 16 + struct.unpack_from("<I", content, offset + 4)[0]
    return starts


def test_a_file_that_is_cut_short_anywhere_is_refused_where_it_was_cut(good: tuple[bytes, Trace], tmp_path: Path) -> None:
    content, _ = good
    starts = record_starts(content)
    for length in range(len(content)):
        offset, why = error_of(tmp_path, content[:length])
        if length < len(MAGIC):
            assert (offset, why) == (0, NO_TRACE)
        else:
            assert offset == max([start for start in starts if start <= length], default=length)
            assert "cut short" in why


def test_a_file_with_any_bit_flipped_is_refused_or_holds_the_same(good: tuple[bytes, Trace], tmp_path: Path) -> None:
    content, trace = good
    same = 0
    for place in range(8 * len(content)):
        flipped = bytearray(content)
        flipped[place // 8] ^= 1 << place % 8
        loaded = None
        with contextlib.suppress(ValueError):
            loaded = load(tmp_path, bytes(flipped))
        if loaded is None:
            error_of(tmp_path, bytes(flipped))
        else:
            assert is_same(loaded, trace)
            same += 1
    assert same < 16  # bits of a frame's head that mean nothing


@given(content=st.binary(max_size=100), is_headed=st.booleans())
@settings(max_examples=200, deadline=None)
def test_random_bytes_are_no_trace(tmp_path_factory: pytest.TempPathFactory, content: bytes, is_headed: bool) -> None:
    assume(not any(known.recognises and known.recognises(content) for known in FORMATS.values()))
    offset, _ = error_of(tmp_path_factory.mktemp("random"), (trace_file() if is_headed else b"") + content)
    assert offset == (SECOND if is_headed else 0)


@given(place=st.integers(0, 400), junk=st.binary(min_size=1, max_size=20))
@settings(max_examples=200, deadline=None)
def test_bytes_put_in_or_behind_are_noticed(
    tmp_path_factory: pytest.TempPathFactory, good: tuple[bytes, Trace], place: int, junk: bytes
) -> None:
    content, _ = good
    place = min(place, len(content))
    error_of(tmp_path_factory.mktemp("junk"), content[:place] + junk + content[place:])


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"slabheap trace 2\n", b"slabheap trace 1\r\n", b"\x7fELF" + bytes(60), b"#!/bin/sh\nexit\n"],
    ids=["empty", "line", "version 2", "carriage return", "program", "script"],
)
def test_what_does_not_begin_as_a_trace_is_none(content: bytes, tmp_path: Path) -> None:
    assert error_of(tmp_path, content) == (0, NO_TRACE)


def frame_that_claims(size: int) -> bytes:
    """A frame whose head speaks of so many bytes, and which holds none."""
    return bytes.fromhex("28b52ffd") + b"\xe0" + struct.pack("<Q", size) + b"\x01\x00\x00"


BAD_RECORDS: dict[str, tuple[bytes, str]] = {
    "kind": (record(b"EVTZ", b"x"), "there is no record of the kind b'EVTZ'"),
    "second information": (record(b"INFO", INFORMATION), "only the first record says where the trace comes from"),
    "4 GiB stored": (record(b"EVTS", b"x", sizes=((1 << 32) - 1, 1)), "a record of 1 bytes is longer than any"),
    "4 GiB raw": (record(b"EVTS", b"x", sizes=(10, (1 << 32) - 1)), "a record of 4294967295 bytes is longer than any"),
    "more stored than there is": (record(b"EVTS", b"x", sizes=(1000, 1)), "the record is cut short"),
    "less stored": (record(b"EVTS", b"abcdef", sizes=(8, 6)), "the record cannot be decompressed"),
    "no frame": (record(b"EVTS", b"x", stored=b"plain"), "the record cannot be decompressed"),
    "nothing stored": (record(b"EVTS", b"x", stored=b""), "the record cannot be decompressed"),
    "frame and more": (record(b"EVTS", b"x", stored=zstandard.compress(b"x") + b"y"), "the record cannot be decompressed"),
    "frame of a tebibyte": (record(b"EVTS", b"x", stored=frame_that_claims(1 << 40)), "the record does not hold 1 bytes"),
    "frame of all there is": (record(b"EVTS", b"x", stored=frame_that_claims((1 << 63) - 1)), "the record does not hold 1 bytes"),
    "frame of the right size": (record(b"EVTS", b"x" * 9, stored=frame_that_claims(9)), "the record cannot be decompressed"),
    "empty": (record(b"EVTS", b""), "the record does not hold 0 bytes"),
    "longer than said": (record(b"EVTS", b"abc", sizes=(12, 2)), "the record does not hold 2 bytes"),
    "shorter than said": (record(b"EVTS", b"abc", sizes=(12, 9)), "the record does not hold 9 bytes"),
    "checksum": (record(b"EVTS", b"abc", checksum=5), "the record's checksum is wrong"),
    "events that are no events": (record(b"EVTS", b"abc"), "the number of events is cut short"),
    "end that is not JSON": (record(b"END.", b"{"), "not JSON: "),
    "end that is no text": (record(b"END.", b"\xff\xfe\xfa"), "not JSON: "),
    "end of brackets": (record(b"END.", b"[" * 100_000), "not JSON: "),
    "end of a list": (record(b"END.", b"[1, 2]"), "not an object of JSON"),
    "end without figures": (record(b"END.", b"{}"), "the end does not say how many events there are"),
    "end that counts wrongly": (end(1), "the end speaks of 1 events, but there are 0"),
}


@pytest.mark.parametrize(("bad", "words"), list(BAD_RECORDS.values()), ids=list(BAD_RECORDS))
def test_a_bad_record_is_refused_where_it_begins(bad: bytes, words: str, tmp_path: Path) -> None:
    offset, why = error_of(tmp_path, trace_file(bad, end(0)))
    assert offset == SECOND
    assert why.startswith(words)


BAD_SITES: dict[str, tuple[bytes, str]] = {
    "no object": (b"[]", "not an object of JSON"),
    "no tag": (b'{"x": ["main", 0]}', "site 'x': a tag is from 1 to 4294967295, not 0"),
    "tag 0": (b'{"0": ["main", 0]}', "site '0': a tag is from 1 to"),
    "tag too large": (b'{"4294967296": ["main", 0]}', "site '4294967296': a tag is from 1 to"),
    "no list": (b'{"1": "main"}', "site '1': too many values to unpack"),
    "number": (b'{"1": 5}', "site '1': "),
    "no caller": (b'{"1": ["main"]}', "site '1': not enough values to unpack"),
    "name": (b'{"1": [5, 0]}', "site '1': a site has a name and the tag of its caller"),
    "caller": (b'{"1": ["main", "x"]}', "site '1': a site has a name and the tag of its caller"),
    "truth": (b'{"2": ["main", true]}', "site '2': a site has a name and the tag of its caller"),
    "caller of itself": (b'{"1": ["main", 1]}', "site '1': the site of tag 1 has the caller 1, which is not smaller"),
    "negative caller": (b'{"1": ["main", -1]}', "site '1': the site of tag 1 has the caller -1"),
    "long name": (b'{"1": ["' + b"x" * 4097 + b'", 0]}', "site '1': the name of tag 1 has 4097 characters"),
    "long tag": (b'{"' + b"9" * 5000 + b'": ["main", 0]}', "site '99999999999999999999': "),
    "named twice": (b'{"1": ["main", 0], "01": ["main", 0]}', "site '01': tag 1 is named twice"),
}


@pytest.mark.parametrize(("sites", "words"), list(BAD_SITES.values()), ids=list(BAD_SITES))
def test_bad_sites_are_refused_where_their_record_begins(sites: bytes, words: str, tmp_path: Path) -> None:
    offset, why = error_of(tmp_path, trace_file(record(b"SITE", sites), end(0)))
    assert offset == SECOND
    assert why.startswith(words)


@pytest.mark.parametrize("missing", ["events", "lost", "foreign", "implied_frees"])
@pytest.mark.parametrize("value", [None, -1, 1.5, "1", True, [0]])
def test_an_end_must_have_every_figure(missing: str, value: Any, tmp_path: Path) -> None:
    content = {"events": 0, "lost": 0, "foreign": 0, "implied_frees": 0} | {missing: value}
    if value is None:
        del content[missing]
    offset, why = error_of(tmp_path, trace_file(record(b"END.", json.dumps(content).encode())))
    assert offset == SECOND
    if value is None:
        assert why == f"the end does not say how many {missing} there are"
    elif missing == "events":
        assert why == f"the end speaks of {value!r} events, but there are 0"
    else:
        assert why == f"{missing} is not a number from 0 on"


BAD_INFORMATION: dict[str, tuple[bytes, str]] = {
    "not JSON": (b"source: recorder", "not JSON: "),
    "number": (b"5", "not an object of JSON"),
    "source": (b'{"source": 5}', "source is not a string"),
    "command": (b'{"command": "./app"}', "command is not a list of strings"),
    "argument": (b'{"command": ["./app", 5]}', "command is not a list of strings"),
    "process": (b'{"process": "71"}', "process is not a number from 0 on"),
    "truth": (b'{"process": true}', "process is not a number from 0 on"),
    "negative": (b'{"process": -1}', "process is not a number from 0 on"),
}


@pytest.mark.parametrize(("information", "words"), list(BAD_INFORMATION.values()), ids=list(BAD_INFORMATION))
def test_bad_information_is_refused(information: bytes, words: str, tmp_path: Path) -> None:
    offset, why = error_of(tmp_path, MAGIC + record(b"INFO", information) + end(0))
    assert offset == len(MAGIC)
    assert why.startswith(words)


def test_the_first_record_must_be_information(tmp_path: Path) -> None:
    assert error_of(tmp_path, MAGIC + end(0)) == (len(MAGIC), "the first record must say where the trace comes from")


def test_bytes_behind_the_end_are_refused(tmp_path: Path) -> None:
    content = trace_file(end(0))
    assert error_of(tmp_path, content + b"\n") == (len(content), "there are bytes behind the end")


#: The columns of two events: an allocation of 100 bytes, and its free.
GOOD_COLUMNS = {
    "operations": column(0, 3),
    "times": column(5, 7),
    "ages": column(1),
    "sizes": column(100),
    "alignments": column(4),
    "threads": column(0, 1),
    "tags": b"\0",
}


def events_record(count: int = 2, tail: bytes = b"", **columns: bytes) -> bytes:
    """A record of two events; columns that are given take the place of the good ones."""
    return record(b"EVTS", struct.pack("<I", count) + b"".join((GOOD_COLUMNS | columns).values()) + tail)


def test_the_columns_of_these_tests_are_good(tmp_path: Path) -> None:
    events = load(tmp_path, trace_file(events_record(), end(2))).events
    assert events.tolist() == [(5, 0, 100, 16, 0, 0, 0), (12, 0, 0, 1, 1, 0, 3)]
    unsized = zstandard.ZstdCompressor(write_content_size=False)
    raw = struct.pack("<I", 2) + b"".join(GOOD_COLUMNS.values())
    again = load(tmp_path, trace_file(record(b"EVTS", raw, stored=unsized.compress(raw)), end(2))).events
    assert again.tolist() == events.tolist()


BAD_COLUMNS: dict[str, tuple[bytes, str]] = {
    "no events": (events_record(0), "a record of events has 1 to 65536 of them, not 0"),
    "too many events": (events_record(65_537), "a record of events has 1 to 65536 of them, not 65537"),
    "4 billion events": (events_record((1 << 32) - 1), "a record of events has 1 to 65536 of them, not 4294967295"),
    "more than there are": (events_record(3), "the column of"),
    "operation": (events_record(operations=column(0, 4)), "there is no operation 4"),
    "wide operation": (events_record(operations=column(0, 259, width=2)), "there is no operation 259"),
    "width 3": (events_record(times=b"\x03" + bytes(6)), "the column of times has no valid width"),
    "width 255": (events_record(tags=b"\xff"), "the column of tags has no valid width"),
    "no width": (events_record(tags=b""), "the column of tags has no valid width"),
    "cut short": (events_record(tags=column(0, width=4)), "the column of tags is cut short"),
    "times that wrap": (events_record(times=column(5, (1 << 64) - 5, width=8)), "the times go back"),
    "times that wrap twice": (events_record(times=column((1 << 64) - 1, (1 << 64) - 1, width=8)), "the times go back"),
    "age 0": (events_record(ages=column(0)), "an event refers to a block before its allocation"),
    "age 2": (events_record(ages=column(2)), "an event refers to a block before its allocation"),
    "huge age": (events_record(ages=column((1 << 64) - 1, width=8)), "an event refers to a block before its allocation"),
    "free first": (events_record(operations=column(3, 0)), "an event refers to a block before its allocation"),
    "size": (events_record(sizes=column((1 << 62) + 1, width=8)), "a request of 4611686018427387905 bytes is larger than any"),
    "huge size": (events_record(sizes=column((1 << 64) - 1, width=8)), "a request of 18446744073709551615 bytes is larger than any"),
    "alignment": (events_record(alignments=column(32)), "there is no alignment of 2^32"),
    "huge alignment": (events_record(alignments=column(1 << 40, width=8)), f"there is no alignment of 2^{1 << 40}"),
    "thread": (events_record(threads=column(0, 1 << 32, width=8)), "the column of threads has a value beyond 2^32"),
    "tag": (events_record(tags=column(1 << 63, 0, width=8)), "the column of tags has a value beyond 2^32"),
    "tail": (events_record(tail=b"\0"), "there are bytes behind the last column"),
}


@pytest.mark.parametrize(("bad", "words"), list(BAD_COLUMNS.values()), ids=list(BAD_COLUMNS))
def test_a_bad_column_is_refused_where_its_record_begins(bad: bytes, words: str, tmp_path: Path) -> None:
    offset, why = error_of(tmp_path, trace_file(bad, end(2)))
    assert offset == SECOND
    assert why.startswith(words)


def test_absurd_sizes_take_no_memory(tmp_path: Path) -> None:
    tracemalloc.start()
    try:
        for bad, _ in BAD_RECORDS.values():
            error_of(tmp_path, trace_file(bad, end(0)))
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


def test_a_reader_that_finds_a_fault_later_gives_what_came_before(tmp_path: Path) -> None:
    (tmp_path / "a.trace").write_bytes(trace_file(events_record(), record(b"EVTS", b"abc"), end(2)))
    with TraceReader(tmp_path / "a.trace") as reader:
        chunks = iter(reader)
        assert next(chunks).size == 2
        with pytest.raises(ValueError, match=f"at offset {SECOND + len(events_record())}: the number of events is cut short"):
            next(chunks)
