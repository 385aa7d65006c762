"""Files of other tools as they should not be: each is a ValueError that names the file and the line, and nothing is half-read."""

from __future__ import annotations

import gc
import gzip
import json
import random
import re
import zlib
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from making_traces import is_same, random_trace
from places import TRACES
from slabheap import Trace
from slabheap.formats import FORMATS, open_trace

KEPT = TRACES / "formats"


def error_of(folder: Path, content: bytes, format_: str | None = None) -> str:
    """Why a file is refused; the file's name is taken off."""
    path = folder / "a.log"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=re.escape(f"{path}: ")) as raised:
        Trace.load(path, format_)
    return str(raised.value).removeprefix(f"{path}: ")


def refusal(path: Path) -> str | None:
    """Why a file is refused, if it is. The message names the file, whose name is taken off."""
    try:
        Trace.load(path)
    except ValueError as error:
        name, colon, why = str(error).partition(": ")
        return why if (name, colon) == (str(path), ": ") else f"without its name: {error}"
    return None


def replaced(content: bytes, line: int, by: bytes) -> bytes:
    """A file of which a line, counted from 1, is another."""
    lines = content.split(b"\n")
    lines[line - 1] = by
    return b"\n".join(lines)


BAD_MTRACE = {
    b"": "not a line of mtrace: b''",
    b"@ ./sample:[0x1] * 0x10 0x5": "not a line of mtrace: b'@ ./sample:[0x1] * 0x10 0x5'",
    b"@ ./sample:[0x1] + 0x10": "not a line of mtrace",
    b"@ ./sample:[0x1] + 10 0x5": "not a line of mtrace",
    b"@ ./sample:[0x1] + 0x10 0x5 0x6": "not a line of mtrace",
    b"@ ./sample:[0x1] - 0x10 0x5": "not a line of mtrace",
    b"@ ./sample:[0x1] - 0x11112222333344445": "not a line of mtrace",
    b"@ ./sample:[0x1] + 0x10 0x4000000000000001": "a request of 4611686018427387905 bytes is larger than any",
    b"\xff\x00": "not a line of mtrace",
}


@pytest.mark.parametrize("line", list(BAD_MTRACE))
def test_a_bad_line_of_mtrace_is_named(line: bytes, tmp_path: Path) -> None:
    why = error_of(tmp_path, replaced((KEPT / "sample.mtrace").read_bytes(), 9, line))
    assert why.startswith(f"line 9: {BAD_MTRACE[line]}")


BAD_LTRACE = {
    b"21366 what is this": "not a line of ltrace: b'21366 what is this'",
    b"21366 sample->malloc(100)": "the call of malloc is not understood",
    b"21366 sample->malloc(100) = ": "the call of malloc is not understood",
    b"21366 sample->malloc(100) = 0x5 or so": "the call of malloc is not understood",
    b"21366 sample->malloc() = 0x5": "malloc lacks an argument: ()",
    b"21366 sample->calloc(5) = 0x5": "calloc lacks an argument: (5)",
    b"21366 sample->realloc(, 6) = 0x5": "realloc lacks an argument: (, 6)",
    b"21366 sample->free(<nothing>) = <void>": "free lacks an argument: (<nothing>)",
    b"21366 sample->malloc(4611686018427387905) = 0x5": "a request of 4611686018427387905 bytes is larger than any",
    b"21366 sample->free(18446744073709551616) = <void>": "free lacks an argument: (18446744073709551616)",
    b"21366 sample->malloc(99999999999999999999999) = 0x5": "malloc lacks an argument: (99999999999999999999999)",
    b"21366 <... malloc resumed> )": "the return of malloc is not understood",
    b"\xff\x00": "not a line of ltrace",
}


@pytest.mark.parametrize("line", list(BAD_LTRACE))
def test_a_bad_line_of_ltrace_is_named(line: bytes, tmp_path: Path) -> None:
    why = error_of(tmp_path, replaced((KEPT / "sample.ltrace").read_bytes(), 5, line))
    assert why.startswith(f"line 5: {BAD_LTRACE[line]}")


BAD_HEAPTRACK = [
    *(b"+", b"+ ", b"+ 64", b"+ 64 9", b"+ 64 9 10 11", b"+ 64 99 10", b"+ zz 9 10", b"+ -1 9 10", b"+ 64 9 -10"),
    *(b"+ 4000000000000001 9 10", b"+ 64 9 11112222333344445", b"- ", b"- x", b"- -5", b"- 11112222333344445", b"- 1 2"),
    *(b"+ 40 -1 4a0", b"+ +40 9 4a0", b"+ 0x40 9 4a0", b"+ 4_0 9 4a0", b"+ 40 9 4a0 ", b"+ 40  9 4a0", b"- 4_0", b"- 0x40", b"-  40"),
    *(b"c -1", b"c 1_0", b"c 11112222333344445", b"t 5 -1", b"m -1 /lib 5", b"m 4 /lib -5", b"m 4 /lib 5 0x0 1"),
    *(b"t 5", b"t 5 99", b"t x 1", b"m 4 /lib 5 6", b"m zz", b"x 3 four", b"q 1", b"c", b"c now", b"i 1 2", b"\xff\x00"),
]


@pytest.mark.parametrize("line", BAD_HEAPTRACK)
def test_a_bad_line_of_heaptracks_raw_stream_is_named(line: bytes, tmp_path: Path) -> None:
    content = (KEPT / "sample.heaptrack.raw").read_bytes()
    places = content.split(b"\n").index(b"+ 64 9 55b224c831d0") + 1
    why = error_of(tmp_path, replaced(content, places, line))
    assert why == f"line {places}: not a line of heaptrack, or one that refers to what is not there: {line!r}"


@pytest.mark.parametrize(
    "line",
    [
        *(b"+ 1", b"- 1", b"a 20", b"a 20 9", b"s 9 main", b"s main", b"i 10 9 1", b"i 10 0 9", b"i", b"t 9 0", b"+ 1 2 3"),
        *(b"- -1", b"+ -1", b"+ 0_0", b"+ 0x0", b"a 20 -1", b"a -20 1", b"t -1 0", b"t 1 -1", b"i 10 -1 1", b"i 10 0 -1", b"i -10 0 1"),
    ],
)
def test_a_bad_line_of_heaptracks_interpreted_stream_is_named(line: bytes, tmp_path: Path) -> None:
    lines = [b"v 10400 3", b"s 4 main", b"i 10 0 1", b"t 1 0", b"a 20 1", b"+ 0", line, b""]
    why = error_of(tmp_path, b"\n".join(lines))
    assert why.startswith("line 7: not a line of heaptrack, or one that refers to what is not there")


def test_a_version_of_heaptracks_files_that_is_not_known_is_refused(tmp_path: Path) -> None:
    content = (KEPT / "sample.heaptrack.raw").read_bytes()
    for version in (b"v 10400 0", b"v 20000 4", b"v 20000 ff"):
        why = error_of(tmp_path, replaced(content, 1, version))
        assert why == f"line 1: not a version of heaptrack's files that is known, 1 to 3: {version!r}"


BAD_REP = {
    (5, b"b 0 100"): "line 5: neither `a id size`, `r id size` nor `f id`: b'b 0 100'",
    (5, b"a 0"): "line 5: neither",
    (5, b"a 0 100 1"): "line 5: neither",
    (5, b"a -1 100"): "line 5: neither",
    (5, b"a 0 -100"): "line 5: neither",
    (5, b"a 0 4294967296"): "line 5: a number is larger than 4294967295",
    (5, b"a 0 " + b"9" * 5000): "line 5: a number is larger than 4294967295",
    (5, b"a " + b"9" * 5000 + b" 1"): "line 5: a number is larger than 4294967295",
    (6, b"a 0 100"): "line 6: the id 0 is allocated twice",
    (6, b"a 3 100"): "line 6: the id 3 is not one of the 3 that the header speaks of",
    (6, b"f 1"): "line 6: the id 1 is not allocated",
    (6, b"r 1 100"): "line 6: the id 1 is not allocated",
    (8, b"f 2"): "line 8: the id 2 is not allocated",
    (3, b"8"): "line 11: the trace ends after 7 operations, but the header speaks of 8",
    (3, b"6"): "line 11: the trace ends after 7 operations, but the header speaks of 6",
    (2, b"2"): "line 10: the id 2 is not one of the 2 that the header speaks of",
}


@pytest.mark.parametrize("line", list(BAD_REP))
def test_a_bad_line_of_a_rep_file_is_named(line: tuple[int, bytes], tmp_path: Path) -> None:
    why = error_of(tmp_path, replaced((KEPT / "sample.rep").read_bytes(), *line), "rep")
    assert why.startswith(BAD_REP[line])


def test_a_header_of_a_rep_file_has_four_numbers(tmp_path: Path) -> None:
    assert error_of(tmp_path, b"1\n2\nthree\n4\n", "rep") == "line 3: not a number of the header: b'three'"
    assert error_of(tmp_path, b"1\n2\n", "rep") == "line 3: the header is cut short"
    assert error_of(tmp_path, b"", "rep") == "line 1: the header is cut short"
    many = b"9" * 5000
    assert error_of(tmp_path, b"1\n" + many + b"\n1\n1\n", "rep") == f"line 2: not a number of the header: {many[:100]!r}"
    assert error_of(tmp_path, b"1\n1\n" + many + b"\n1\n", "rep") == f"line 3: not a number of the header: {many[:100]!r}"


TEXTS = ["sample.mtrace", "sample.ltrace", "nested.ltrace", "sample.heaptrack.raw"]


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_that_ends_within_a_line_is_refused_there(name: str, tmp_path: Path) -> None:
    content = (KEPT / name).read_bytes()[:2000]
    source = name.split(".")[1]
    for length in range(1, len(content), 3):
        if content[length - 1 : length] == b"\n":
            continue
        line = content[:length].count(b"\n") + 1
        assert error_of(tmp_path, content[:length], source).startswith(f"line {line}: ")


@pytest.mark.parametrize(("head", "format_"), [(b"= Start\n", "mtrace"), (b"1\n", "rep")])
def test_a_text_without_lines_takes_no_memory(head: bytes, format_: str, tmp_path: Path) -> None:
    assert error_of(tmp_path, head + b"x" * (3 << 20), format_) == "line 2: the line is longer than any"


@pytest.mark.parametrize("name", [*TEXTS, "sample.rep", "sample.heaptrack.zst"])
def test_a_file_with_any_byte_changed_is_read_or_refused_with_its_place(name: str, tmp_path: Path) -> None:
    content = (KEPT / name).read_bytes()
    chance = random.Random(name)
    path, refused = tmp_path / "a.log", 0
    for _ in range(200):
        changed = bytearray(content)
        for _ in range(chance.choice([1, 1, 3])):
            place = chance.randrange(len(changed))
            what = chance.randrange(3)
            if what == 0:
                changed[place] ^= 1 << chance.randrange(8)
            elif what == 1:
                del changed[place]
            else:
                changed.insert(place, chance.choice(b"0159af -+\n(=x"))
        path.write_bytes(changed)
        why = refusal(path)
        refused += why is not None
        assert why is None or re.match(r"(line|at offset) \d+: ", why), why
    assert refused > 20


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress], ids=["gzip", "zstd"])
def test_a_packed_file_that_is_damaged_is_refused(pack: Callable[[bytes], bytes], tmp_path: Path) -> None:
    packed = pack((KEPT / "sample.mtrace").read_bytes() * 1000)
    for bad in (packed[:-3], packed[: len(packed) // 2], packed[:9], packed + b"junk"):
        assert re.match(r"at offset \d+: cannot be unpacked: ", error_of(tmp_path, bad))
    flipped = bytearray(packed)
    flipped[len(packed) // 2] ^= 255
    assert re.match(r"(at offset|line) \d+: ", error_of(tmp_path, bytes(flipped)))


@pytest.mark.parametrize("content", [b"", b"\n", b"hello\n", b"1\n2\n3\n", b"{}", b"v 1\n", bytes(1000), zlib.compress(b"x")])
def test_what_is_of_no_format_is_refused_with_the_formats(content: bytes, tmp_path: Path) -> None:
    names = ", ".join(known.name for known in FORMATS.values() if known.reader)
    assert error_of(tmp_path, content) == f"at offset 0: not a trace: it begins as none of {names} does"


@pytest.mark.parametrize("name", [name for name, known in FORMATS.items() if known.reader])
def test_an_empty_file_is_of_no_format_that_is_named(name: str, tmp_path: Path) -> None:
    if name in ("mtrace", "ltrace"):
        return  # logs of no call may be empty
    assert error_of(tmp_path, b"", name)


def test_a_format_that_is_not_known_or_not_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"")
    for name in ("nonsense", "dhat", "chrome", "pprof"):
        with pytest.raises(ValueError, match=f"there is no format '{name}' to read; there are slabheap, heaptrack"):
            Trace.load(tmp_path / "a", name)


def test_a_file_that_is_not_there_is_an_os_error(tmp_path: Path) -> None:
    for name in FORMATS:
        with pytest.raises((OSError, ValueError), match=r"none\.log|to read"):
            Trace.load(tmp_path / "none.log", name)
    with pytest.raises(IsADirectoryError):
        Trace.load(tmp_path)


TABLES = {"arrow": ".arrow", "parquet": ".parquet"}


def written(folder: Path, table: pa.Table, source: str) -> bytes:
    """A file of a table."""
    path = folder / "table"
    if source == "parquet":
        pa.parquet.write_table(table, path)
    else:
        with pa.ipc.new_file(path, table.schema) as writer:
            writer.write_table(table)
    return path.read_bytes()


GOOD_TABLE = {"operation": ["allocate", "reallocate", "free"], "block": [5, 5, 5], "size": [10, 20, 0]}

BAD_TABLES: dict[str, tuple[dict[str, object], str]] = {
    "no blocks": ({"operation": ["free"]}, "a trace has at least the columns operation and block, not operation"),
    "other columns": ({"a": [1]}, "a trace has at least the columns operation and block, not a"),
    "operation": (
        GOOD_TABLE | {"operation": ["allocate", "grow", "free"]},
        "an operation is none of allocate, allocate_zeroed, reallocate, free",
    ),
    "operation number": (GOOD_TABLE | {"operation": [0, 2, 4]}, "there is no operation 4"),
    "operation of none": (GOOD_TABLE | {"operation": [0, None, 3]}, "an operation is none of"),
    "no value": (GOOD_TABLE | {"size": [10, None, 0]}, "the column size has rows without a value"),
    "negative": (GOOD_TABLE | {"size": [10, -20, 0]}, "Integer value -20 not in range"),
    "text": (GOOD_TABLE | {"size": ["10", "many", "0"]}, "Failed to parse string: 'many'"),
    "twice": (GOOD_TABLE | {"operation": ["allocate", "allocate", "free"]}, "event 1: block 5 is allocated twice"),
    "not live": (GOOD_TABLE | {"operation": ["allocate", "free", "free"]}, "event 2: block 5 is not live"),
    "times": (GOOD_TABLE | {"time": [5, 4, 6]}, "times must not go back"),
    "alignment": (GOOD_TABLE | {"align": [3, 1, 1]}, "alignments must be powers of two"),
}


@pytest.mark.parametrize("source", TABLES)
@pytest.mark.parametrize("name", BAD_TABLES)
def test_a_bad_table_is_refused_and_so_is_its_file(name: str, source: str, tmp_path: Path) -> None:
    columns, words = BAD_TABLES[name]
    table = pa.table(columns)
    with pytest.raises(ValueError, match=words):
        Trace.from_arrow(table)
    assert error_of(tmp_path, written(tmp_path, table, source)).startswith(f"in or behind row 0: {words}")


BAD_METADATA = [
    *(
        b"{",
        b"[]",
        b"\xff",
        b"[" * 100_000,
        b'{"source": 5}',
        b'{"command": [1]}',
        b'{"command": "a"}',
        b'{"lost": -1}',
        b'{"process": true}',
    ),
    *(b'{"sites": []}', b'{"sites": {"x": ["a", 0]}}', b'{"sites": {"1": "a"}}', b'{"sites": {"1_0": ["a", 0]}}'),
    b'{"sites": {"1": ["a", 0], "01": ["b", 0]}}',
]


@pytest.mark.parametrize("metadata", BAD_METADATA)
@pytest.mark.parametrize("source", TABLES)
def test_bad_metadata_of_a_table_is_refused(metadata: bytes, source: str, tmp_path: Path) -> None:
    table = pa.table(GOOD_TABLE).replace_schema_metadata({b"slabheap": metadata})
    words = "what the metadata tell about the trace makes no sense: "
    with pytest.raises(ValueError, match=words):
        Trace.from_arrow(table)
    assert error_of(tmp_path, written(tmp_path, table, source)).startswith(f"in or behind row 0: {words}")


JSON = st.recursive(st.none() | st.booleans() | st.integers(-2, 5) | st.floats() | st.text(max_size=3), st.lists, max_leaves=3)
KNOWN = st.fixed_dictionaries(
    {},
    optional={name: JSON | st.integers(0, 1 << 70) for name in ("source", "process", "lost", "foreign", "implied_frees", "later")}
    | {
        "command": JSON | st.lists(st.text(max_size=5)),
        "sites": JSON | st.dictionaries(st.sampled_from(["1", "2", "03", "x", "-1"]), st.tuples(st.text(max_size=5), st.integers(-1, 2))),
    },
)


@given(known=KNOWN)
@settings(max_examples=200, deadline=None)
@pytest.mark.parametrize("suffix", [".trace", ".arrow", ".parquet"])
def test_whatever_is_known_about_a_table_that_is_read_is_written_and_read_again(
    suffix: str, known: dict[str, object], tmp_path_factory: pytest.TempPathFactory
) -> None:
    table = pa.table(GOOD_TABLE).replace_schema_metadata({b"slabheap": json.dumps(known).encode()})
    try:
        trace = Trace.from_arrow(table)
    except ValueError:
        return
    path = tmp_path_factory.mktemp("known") / f"a{suffix}"
    trace.save(path)
    assert is_same(Trace.load(path), trace)
    assert repr(trace)


@pytest.mark.parametrize("source", TABLES)
def test_a_table_file_that_is_damaged_is_refused_or_read(source: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{TABLES[source]}"
    random_trace(1, 3000).save(path)
    content, chance = path.read_bytes(), random.Random(source)
    for length in (9, 100, len(content) // 2, len(content) - 1):
        assert error_of(tmp_path, content[:length]).startswith("in or behind row 0: ")
    for _ in range(100):
        changed = bytearray(content)
        changed[chance.randrange(8, len(content))] ^= 1 << chance.randrange(8)
        path.write_bytes(changed)
        why = refusal(path)
        assert why is None or "without its name" not in why


def test_a_reader_that_is_refused_leaves_no_file_open(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"nothing")
    gc.collect()
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        for name in (None, "arrow", "parquet", "slabheap"):
            with pytest.raises(ValueError, match="a: "):
                open_trace(tmp_path / "a", name)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
