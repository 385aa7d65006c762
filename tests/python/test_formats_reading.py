"""Files of other tools, read: what they tell becomes events, and what they do not tell is as documented."""

from __future__ import annotations

import gzip
import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import zstandard

from making_traces import ALLOCATE, FREE, REALLOCATE, ZEROED, events_of, is_same
from places import TRACES
from slabheap import EVENT, Trace
from slabheap.files import Input
from slabheap.formats import FORMATS, open_trace
from slabheap.information import Site

KEPT = TRACES / "formats"

#: What mtrace saw of the sample: it does not tell what is zeroed, nor alignments.
MTRACE = [
    *((ALLOCATE, 0, 100, 16), (ALLOCATE, 1, 200, 16), (REALLOCATE, 0, 5000), (ALLOCATE, 2, 300, 16), (REALLOCATE, 2, 30), (FREE, 1)),
    *((ALLOCATE, 3, 128, 16), (ALLOCATE, 4, 1000, 16), (ALLOCATE, 5, 50, 16), (FREE, 2), (FREE, 5), (FREE, 4)),
    *((ALLOCATE, 6, 288, 16), (ALLOCATE, 7, 500, 16), (FREE, 3), (FREE, 7), (ALLOCATE, 8, 77, 16), (FREE, 8)),
    *((ALLOCATE, 9, 8, 16), (FREE, 9)),
]

#: What ltrace saw: calls of the program alone, and not what posix_memalign gave.
LTRACE = [
    *((ALLOCATE, 0, 100, 16), (ZEROED, 1, 200, 16), (REALLOCATE, 0, 5000), (ALLOCATE, 2, 300, 16), (REALLOCATE, 2, 30), (FREE, 1)),
    *((ALLOCATE, 3, 128, 64), (ALLOCATE, 4, 1000, 4096), (FREE, 2), (FREE, 4)),
    *((ZEROED, 5, 500, 16), (FREE, 3), (FREE, 5), (ALLOCATE, 6, 77, 16), (FREE, 6), (ALLOCATE, 7, 8, 16), (FREE, 7)),
]

#: What heaptrack saw: reallocations are two events; memalign and `realloc(block, 0)` are not seen, its C++ runtime is.
HEAPTRACK = [
    *((ALLOCATE, 0, 72704, 16), (ALLOCATE, 1, 100, 16), (ALLOCATE, 2, 200, 16), (FREE, 1), (ALLOCATE, 3, 5000, 16)),
    *((ALLOCATE, 4, 300, 16), (FREE, 4), (ALLOCATE, 5, 30, 16), (FREE, 2), (ALLOCATE, 6, 128, 16), (ALLOCATE, 7, 50, 16), (FREE, 7)),
    *((ALLOCATE, 8, 320, 16), (ALLOCATE, 9, 500, 16), (FREE, 6), (FREE, 9), (ALLOCATE, 10, 77, 16), (FREE, 10)),
    *((ALLOCATE, 11, 8, 16), (FREE, 11), (FREE, 0)),
]

REP = [
    (ALLOCATE, 0, 100, 16),
    (ALLOCATE, 1, 200, 16),
    (REALLOCATE, 0, 5000),
    (FREE, 1),
    (ALLOCATE, 2, 300, 16),
    (ALLOCATE, 3, 0, 16),
    (FREE, 0),
]

#: The format of each kept file, its calls, and what was lost and foreign.
FILES = {
    "sample.mtrace": ("mtrace", MTRACE, (0, 0)),
    "sample.ltrace": ("ltrace", LTRACE, (1, 1)),
    "timed.ltrace": ("ltrace", LTRACE, (1, 1)),
    "sample.heaptrack.raw": ("heaptrack", HEAPTRACK, (0, 1)),
    "sample.heaptrack.zst": ("heaptrack", HEAPTRACK, (0, 0)),
    "sample.rep": ("rep", REP, (0, 0)),
}


def happenings_of(trace: Trace) -> list[tuple[int, ...]]:
    """What happens in a trace: operation, block, size and alignment."""
    return [(e["operation"], e["block"], e["size"], e["align"]) for e in trace.events]


def sites_of(trace: Trace) -> list[list[str]]:
    """The stack of each event that allocates."""
    asking = trace.events[trace.events["operation"] != FREE]
    return [trace.information.stack(int(tag)) for tag in asking["tag"]]


@pytest.mark.parametrize("name", list(FILES))
def test_a_file_of_a_tool_becomes_the_events_that_it_tells(name: str) -> None:
    source, happenings, missing = FILES[name]
    trace = Trace.load(KEPT / name)
    expected = events_of(happenings)
    assert happenings_of(trace) == [(e["operation"], e["block"], e["size"], e["align"]) for e in expected]
    known = trace.information
    assert (known.source, (known.lost, known.foreign), known.implied_frees) == (source, missing, 0)
    assert trace.program.peak_requested_bytes == Trace(expected).peak_requested_bytes  # it replays


@pytest.mark.parametrize("name", list(FILES))
def test_the_format_may_be_named_or_found_out(name: str) -> None:
    found = Trace.load(KEPT / name)
    assert is_same(Trace.load(KEPT / name, FILES[name][0]), found)
    assert is_same(getattr(Trace, f"from_{FILES[name][0]}")(KEPT / name), found)
    for other in ("slabheap", "heaptrack", "mtrace", "rep", "ltrace", "arrow", "parquet"):
        if other != FILES[name][0]:
            with pytest.raises(ValueError, match=name):
                Trace.load(KEPT / name, other)


@pytest.mark.parametrize("name", list(FILES))
def test_a_packed_file_and_standard_input_hold_the_same(name: str, tmp_path: Path) -> None:
    content = (KEPT / name).read_bytes()
    plain = zstandard.ZstdDecompressor().decompressobj().decompress(content) if name.endswith(".zst") else content
    packed = {"gzip": gzip.compress(plain), "zstd": zstandard.compress(plain), "two": gzip.compress(plain[:99]) + gzip.compress(plain[99:])}
    for kind, written in packed.items():
        (tmp_path / kind).write_bytes(written)
        assert is_same(Trace.load(tmp_path / kind), Trace.load(KEPT / name))
    program = "import sys; from slabheap import Trace; t = Trace.load('-'); print(len(t), t.peak_requested_bytes)"
    ended = subprocess.run([sys.executable, "-c", program], input=packed["zstd"], capture_output=True, check=True)
    assert ended.stdout.split() == [
        b"%d" % number for number in (len(Trace.load(KEPT / name)), Trace.load(KEPT / name).peak_requested_bytes)
    ]


def test_a_pipe_that_gives_a_few_bytes_at_a_time_is_read_like_a_file() -> None:
    with subprocess.Popen(["dd", f"if={KEPT / 'sample.mtrace'}", "bs=7", "status=none"], stdout=subprocess.PIPE) as process:
        program = "from slabheap import Trace; print(len(Trace.load('-')))"
        ended = subprocess.run([sys.executable, "-c", program], stdin=process.stdout, capture_output=True, check=True)
    assert ended.stdout == b"20\n"


def test_mtrace_tells_the_place_of_every_call() -> None:
    trace = Trace.load(KEPT / "sample.mtrace")
    places = ["11f1", "1267", "127c", "128f", "12a4", "12e3", "12f6", "131f"]
    assert sites_of(trace)[:8] == [[f"./sample:[0x{place}]"] for place in places]
    assert sites_of(trace)[8] == ["/lib64/ld-linux-x86-64.so.2:[0x10cb3]"]


def test_heaptrack_tells_the_stack_of_every_allocation() -> None:
    made, *_ = sites_of(Trace.load(KEPT / "sample.heaptrack.zst"))[1:]
    assert made[:2] == ["make (./sample.c:8)", "main (./sample.c:21)"]
    assert made[-1] == "_start"
    raw, *_ = sites_of(Trace.load(KEPT / "sample.heaptrack.raw"))[1:]
    assert raw[:2] == ["sample+0x11f0", "sample+0x1253"]  # a byte before where mtrace saw it: within the call
    assert Trace.load(KEPT / "sample.heaptrack.zst").information.command == ["./sample"]


def test_heaptrack_names_what_is_inlined_and_what_has_no_name() -> None:
    stack = Trace.load(KEPT / "sample.heaptrack.zst").information
    names = {site.name for site in stack.sites.values()}
    assert {"call_init (./elf/dl-init.c:74)", "call_init (./elf/dl-init.c:26)"} <= names
    assert any(name.startswith("libstdc++.so.6 [0x") for name in names)
    assert not any(name.startswith(" ") for name in names)


def test_heaptracks_times_are_milliseconds(tmp_path: Path) -> None:
    lines = ["v 10400 3", "x 5 /a/b1", "X ./b1 -x", "c 5", "t 10 0", "+ 20 1 5000", "c 1f4", "- 5000", ""]
    (tmp_path / "a").write_text("\n".join(lines))
    trace = Trace.load(tmp_path / "a")
    assert trace.events["time"].tolist() == [5_000_000, 500_000_000]
    assert trace.information.command == ["./b1", "-x"]
    assert sites_of(trace) == [["0x10"]]  # in no library


def test_a_heaptrack_free_of_a_kind_takes_its_youngest(tmp_path: Path) -> None:
    lines = ["v 10400 2", "s main", "i 10 0 1", "t 1 0", "a 20 1", "a 30 1", "+ 0", "+ 0", "+ 1", "- 0", "- 0", "- 1", ""]
    (tmp_path / "a").write_text("\n".join(lines))
    trace = Trace.load(tmp_path / "a")
    assert trace.events["block"].tolist() == [0, 1, 2, 1, 0, 2]
    assert sites_of(trace)[0] == ["main"]  # strings had no length in version 2


def test_ltrace_tells_threads_times_and_places() -> None:
    trace = Trace.load(KEPT / "timed.ltrace")
    assert trace.events["thread"].tolist() == [0] * 10 + [1] * 4 + [0] * 3
    assert trace.events["time"][:3].tolist() == [0, 313_000, 436_000]
    assert trace.duration == pytest.approx(0.010716)
    assert sites_of(trace)[0] == ["sample 0x558fa5e0e1f1"]
    assert sites_of(Trace.load(KEPT / "sample.ltrace"))[0] == ["sample"]


def test_a_call_within_a_call_belongs_to_the_outer_one() -> None:
    trace = Trace.load(KEPT / "nested.ltrace")
    assert (trace.information.lost, trace.information.foreign, trace.information.implied_frees) == (0, 0, 0)
    assert trace.thread_count == 3
    sizes = [trace.events[(trace.events["thread"] == thread) & (trace.events["operation"] != FREE)]["size"].tolist() for thread in (1, 2)]
    # A vector that doubles, six strings of which some are long; a wide block; an array; a block that grows.
    assert sizes[0] == sizes[1] == [32, 8, 32, 21, 16, 32, 41, 32, 32, 61, 32, 81, 64, 32, 101, 128, 200, 40, 900]
    wide = trace.events[trace.events["size"] == 128]
    assert set(wide["align"].tolist()) == {128}
    assert np.bincount(trace.events["operation"], minlength=4).tolist()[2] == 3  # one reallocation a call of work
    assert trace.program.requested_bytes == 0


ODD_LTRACE = """\
[pid 7] 23:59:59.500000 a->strlen("free(1) = 2") = 11
[pid 7] 23:59:59.600000 a->malloc(10) = 0x100
[pid 7] 00:00:00.100000 a->realloc(0x100, 4611686018427387904) = nil
[pid 7] 00:00:00.200000   malloc@libc.so.6(20) = 0x200 <0.000011>
[pid 7] 00:00:00.300000 --- SIGCHLD (Child exited) ---
[pid 7] 00:00:00.400000 a->reallocarray(0x200, 3, 5) = 0x300
[pid 7] 00:00:00.500000 <... malloc resumed> ) = 0x400
[pid 7] 00:00:00.600000 a->pvalloc(1) = 0x5000
[pid 7] 00:00:00.700000 a->_ZnwmSt11align_val_t(64, 100, 0, 0) = 0x6000
[pid 7] 00:00:00.800000 a->operator delete[](void*)(0x6000, 1, 2, 3) = <void>
[pid 8] 00:00:00.900000 a->malloc(5 <unfinished ...>
[pid 8] 00:00:01.000000 +++ killed by SIGKILL +++
[pid 8] 00:00:01.100000 a->malloc(7) = 0x700
[pid 7] 00:00:01.200000 a->malloc(9) = 0x700
[pid 7] 00:00:01.300000 a->exit(0 <no return ...>
"""


def test_the_odd_lines_of_ltrace_are_understood(tmp_path: Path) -> None:
    (tmp_path / "a").write_text(ODD_LTRACE)
    trace = Trace.load(tmp_path / "a")
    assert happenings_of(trace) == [
        *((ALLOCATE, 0, 10, 16), (ALLOCATE, 1, 20, 16), (REALLOCATE, 1, 15, 1), (ALLOCATE, 2, 4096, 4096), (ALLOCATE, 3, 64, 128)),
        *((FREE, 3, 0, 1), (ALLOCATE, 4, 7, 16), (FREE, 4, 0, 1), (ALLOCATE, 5, 9, 16)),
    ]
    assert trace.events["time"].tolist() == [1e8, 7e8, 9e8, 11e8, 12e8, 13e8, 16e8, 17e8, 17e8]  # past midnight
    assert trace.events["thread"].tolist() == [0, 0, 0, 0, 0, 0, 1, 0, 0]
    assert (trace.information.lost, trace.information.implied_frees) == (1, 1)


def test_times_of_ltrace_may_be_since_the_line_before(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("  0.000000 a->malloc(1) = 0x10\n  0.000250 a->malloc(1) = 0x20\n  1.000001 a->free(0x10) = <void>\n")
    assert Trace.load(tmp_path / "a").events["time"].tolist() == [0, 250_000, 1_000_251_000]


def test_an_mtrace_log_may_begin_without_its_first_line_and_have_no_places(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("+ 0x10 0x5\n- 0x10\n! 0x10 0x7\n- 0x99\n< 0x98\n> 0x20 0x8\n")
    trace = Trace.load(tmp_path / "a")
    assert happenings_of(trace) == [(ALLOCATE, 0, 5, 16), (FREE, 0, 0, 1), (ALLOCATE, 1, 8, 16)]
    assert trace.events["tag"].tolist() == [0, 0, 0]
    assert trace.information.foreign == 2


def test_a_rep_file_may_end_its_lines_as_it_likes(tmp_path: Path) -> None:
    content = (KEPT / "sample.rep").read_bytes()
    for odd in (content.rstrip(), content.replace(b"\n", b"\r\n"), content.replace(b"a 0", b"a  0") + b"\n\n"):
        (tmp_path / "a").write_bytes(odd)
        assert is_same(Trace.load(tmp_path / "a"), Trace.load(KEPT / "sample.rep"))


def test_what_is_known_is_whole_before_the_events_that_refer_to_it() -> None:
    for name in FILES:
        with open_trace(KEPT / name) as reader:
            for events in reader:
                assert set(events["tag"].tolist()) - {0} <= set(reader.information.sites)


def test_sites_have_smaller_callers_and_no_name_twice() -> None:
    for name in FILES:
        sites = Trace.load(KEPT / name).information.sites
        assert all(site.caller < tag for tag, site in sites.items())
        assert len(set(sites.values())) == len(sites)
        assert all(isinstance(site, Site) for site in sites.values())


def test_every_format_says_what_it_is_and_whether_it_can_be_read() -> None:
    assert list(FORMATS) == [known.name for known in FORMATS.values()]
    for known in FORMATS.values():
        assert known.title
        assert (known.recognises is None) == (known.reader is None)
        assert known.reader or known.writer
        assert bool(known.suffixes) >= bool(known.writer)


def test_a_long_file_comes_in_pieces(tmp_path: Path) -> None:
    with (tmp_path / "a").open("w") as file:
        file.write("= Start\n")
        file.writelines(f"+ {16 * (i + 1):#x} 0x10\n" for i in range(100_000))
    with open_trace(tmp_path / "a") as reader:
        chunks = list(reader)
    assert len(chunks) > 2
    assert all(chunk.dtype == EVENT for chunk in chunks)
    assert np.concatenate(chunks)["block"].tolist() == list(range(100_000))


def test_a_stream_of_bytes_is_an_input() -> None:
    for content in ((KEPT / "sample.rep").read_bytes(), gzip.compress((KEPT / "sample.rep").read_bytes())):
        with Input(io.BytesIO(content)) as source, open_trace(source) as reader:
            assert sum(events.size for events in reader) == len(REP)
