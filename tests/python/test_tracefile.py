"""Trace files as they should be: written and read as a stream, the same afterwards."""

from __future__ import annotations

import contextlib
import io
import re
import struct
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from making_traces import ALLOCATE, FREE, REALLOCATE, event_arrays, events_of, is_same, random_trace, trace_of
from places import ROOT
from slabheap import EVENT, Information, Trace
from slabheap.events import MOST_BYTES, Events
from slabheap.information import Site, SiteTable
from slabheap.tracefile import CHUNK_EVENTS, TraceReader, TraceWriter
from writing_records import MAGIC, end, record, records_in, trace_file

INFORMATION = Information(source="recorder", command=["./app", "-x", "ü", "\udcff"], process=71, lost=3, foreign=2, implied_frees=1)


@given(events=event_arrays(), lost=st.integers(0, 1 << 64))
@settings(max_examples=100, deadline=None)
def test_a_trace_is_the_same_after_it_was_saved_and_loaded(tmp_path_factory: pytest.TempPathFactory, events: Events, lost: int) -> None:
    path = tmp_path_factory.mktemp("trace") / "a.trace"
    trace = Trace(events, Information(lost=lost))
    trace.save(path)
    assert is_same(Trace.load(path), trace)


def test_what_is_known_about_a_trace_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.trace"
    Trace(events_of([(ALLOCATE, 0, 1)]), INFORMATION).save(path)
    assert Trace.load(str(path)).information == INFORMATION


@given(events=event_arrays(most=60), cuts=st.lists(st.integers(0, 60), max_size=5))
@settings(max_examples=50, deadline=None)
def test_a_trace_may_be_written_in_any_pieces(tmp_path_factory: pytest.TempPathFactory, events: Events, cuts: list[int]) -> None:
    path = tmp_path_factory.mktemp("trace") / "a.trace"
    with TraceWriter(path, Information()) as writer:
        for piece in np.split(events, sorted(min(cut, events.size) for cut in cuts)):
            writer.write(piece)
    assert np.array_equal(Trace.load(path).events, events)


def test_a_long_trace_is_read_a_chunk_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "long.trace"
    trace = random_trace(1, 2 * CHUNK_EVENTS + 7)
    trace.save(path)
    with TraceReader(path) as reader:
        chunks = list(reader)
    assert [chunk.size for chunk in chunks] == [CHUNK_EVENTS, CHUNK_EVENTS, 7]
    assert np.array_equal(np.concatenate(chunks), trace.events)
    assert path.stat().st_size < 6 * len(trace)


def test_a_trace_of_nothing_is_a_file(tmp_path: Path) -> None:
    Trace(np.zeros(0, EVENT)).save(tmp_path / "a.trace")
    assert len(Trace.load(tmp_path / "a.trace")) == 0


def test_what_was_lost_is_said_at_the_end(tmp_path: Path) -> None:
    information = Information(source="recorder")
    with TraceWriter(tmp_path / "a.trace", information) as writer:
        writer.write(events_of([(ALLOCATE, 0, 1)]))
        information.lost, information.foreign, information.implied_frees = 5, 6, 7
    with TraceReader(tmp_path / "a.trace") as reader:
        assert (reader.information.source, reader.information.lost) == ("recorder", 0)
        list(reader)
        assert (reader.information.lost, reader.information.foreign, reader.information.implied_frees) == (5, 6, 7)


def test_sizes_and_alignments_that_mean_nothing_are_not_kept(tmp_path: Path) -> None:
    events = events_of([(ALLOCATE, 0, 10, 64), (REALLOCATE, 0, 20), (FREE, 0)])
    events["align"] = 64
    events["size"][2] = 20
    Trace(events).save(tmp_path / "a.trace")
    loaded = Trace.load(tmp_path / "a.trace").events
    assert loaded["align"].tolist() == [64, 1, 1]
    assert loaded["size"].tolist() == [10, 20, 0]


def test_a_file_that_was_there_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.trace"
    random_trace(1, 10_000).save(path)
    trace_of((ALLOCATE, 0, 1)).save(path)
    assert len(Trace.load(path)) == 1


def test_a_trace_goes_through_standard_input_and_output(tmp_path: Path) -> None:
    trace = random_trace(2, 1000)
    trace.save(tmp_path / "a.trace")
    program = "from slabheap import Trace; Trace.load('-').save('-')"
    with (tmp_path / "a.trace").open("rb") as file:
        ended = subprocess.run([sys.executable, "-W", "error", "-c", program], stdin=file, capture_output=True, check=True)
    (tmp_path / "b.trace").write_bytes(ended.stdout)
    assert is_same(Trace.load(tmp_path / "b.trace"), trace)


def test_a_malformed_standard_input_is_called_so() -> None:
    program = "from slabheap import Trace; Trace.load('-')"
    ended = subprocess.run([sys.executable, "-c", program], input=b"#!/bin/sh\n", capture_output=True, check=False)
    assert b"ValueError: standard input: at offset 0: not a trace: it begins as none of slabheap, " in ended.stderr


def bad_events() -> dict[str, tuple[Events, str]]:
    """Events that a file could not hold, and what is wrong with them."""
    good = events_of([(ALLOCATE, 0, 1), (ALLOCATE, 1, 1), (REALLOCATE, 0, 5), (FREE, 1)])

    def with_one(index: int, field: str, value: int) -> Events:
        events = good.copy()
        events[field][index] = value
        return events

    return {
        "number that is left out": (with_one(1, "block", 2), "blocks must be numbered from 0 in order of their allocation"),
        "number that was had": (with_one(1, "block", 0), "blocks must be numbered from 0 in order of their allocation"),
        "free too early": (with_one(3, "block", 2), "an event refers to a block before its allocation"),
        "reallocation too early": (with_one(2, "block", 1 << 63), "an event refers to a block before its allocation"),
        "free of nothing": (good[3:], "an event refers to a block before its allocation"),
        "odd alignment": (with_one(0, "align", 3), "alignments must be powers of two"),
        "no alignment": (with_one(0, "align", 0), "alignments must be powers of two"),
        "operation": (with_one(3, "operation", 9), "there is no operation 9"),
        "time": (with_one(2, "time", 0), "times must not go back"),
        "size": (with_one(1, "size", MOST_BYTES + 1), f"a request of {MOST_BYTES + 1} bytes is larger than any"),
        "size of a reallocation": (with_one(2, "size", (1 << 64) - 1), f"a request of {(1 << 64) - 1} bytes is larger than any"),
    }


@pytest.mark.parametrize("name", list(bad_events()))
def test_events_that_a_file_could_not_hold_are_not_written(name: str, tmp_path: Path) -> None:
    events, words = bad_events()[name]
    with pytest.raises(ValueError, match=words):
        Trace(events).save(tmp_path / "a.trace")
    assert list(tmp_path.iterdir()) == []


def test_times_and_numbers_go_on_from_one_write_to_the_next(tmp_path: Path) -> None:
    first, second = events_of([(ALLOCATE, 0, 1), (ALLOCATE, 1, 1)]), events_of([(ALLOCATE, 0, 1)])
    with TraceWriter(tmp_path / "a.trace", Information()) as writer:
        writer.write(first)
        with pytest.raises(ValueError, match="blocks must be numbered"):
            writer.write(second)
        second["block"] = 2
        with pytest.raises(ValueError, match="times must not go back"):
            writer.write(second)
        second["time"] = 5000
        writer.write(second)
    assert Trace.load(tmp_path / "a.trace").events["time"].tolist() == [0, 1000, 5000]


def test_what_is_no_array_of_events_is_not_written(tmp_path: Path) -> None:
    numbers: Any = np.zeros(5)
    with TraceWriter(tmp_path / "a.trace", Information()) as writer, pytest.raises(ValueError, match="one-dimensional array"):
        writer.write(numbers)


def test_a_trace_whose_writing_was_given_up_leaves_no_file(tmp_path: Path) -> None:
    with contextlib.suppress(LookupError), TraceWriter(tmp_path / "a.trace", Information()) as writer:
        writer.write(events_of([(ALLOCATE, 0, 1)]))
        raise LookupError
    assert list(tmp_path.iterdir()) == []


def test_files_that_are_not_there_are_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Trace.load(tmp_path / "none.trace")
    with pytest.raises(IsADirectoryError):
        Trace.load(tmp_path)
    with pytest.raises(FileNotFoundError):
        trace_of().save(tmp_path / "none" / "a.trace")


def test_what_is_known_must_be_text_and_numbers(tmp_path: Path) -> None:
    information = Information()
    information.command = [tmp_path]  # type: ignore[list-item]
    with pytest.raises(ValueError, match="command is not a list of strings"):
        TraceWriter(tmp_path / "a.trace", information)
    with pytest.raises(ValueError, match=r"what is known about the trace takes \d+ bytes, and a record has at most \d+"):
        Trace(events_of([]), Information(command=["x" * (3 << 20)])).save(tmp_path / "a.trace")
    wrong: list[tuple[str, Any]] = [("lost", -1), ("foreign", 1.5), ("implied_frees", True), ("process", "71"), ("source", None)]
    for name, value in wrong:
        for file in ("a.trace", "a.arrow", "a.parquet"):
            with pytest.raises(ValueError, match=f"{name} is not a "):
                Trace(events_of([]), Information(**{name: value})).save(tmp_path / file)
    assert list(tmp_path.iterdir()) == []


def test_the_example_of_the_documented_format_is_a_trace(tmp_path: Path) -> None:
    document = (ROOT / "docs/trace-format.md").read_text()
    example = re.search(r"## Example\n.*?```\n(INFO.*?)```", document, re.DOTALL)
    assert example
    lines = example[1].splitlines()
    raw = bytes.fromhex("".join(re.split(r"\s{3,}(?=[a-z])", line[6:])[0] for line in lines[1:-1]))
    content = MAGIC + record(b"INFO", lines[0][6:].encode()) + record(b"EVTS", raw) + record(b"END.", lines[-1][6:].encode())
    (tmp_path / "a.trace").write_bytes(content)
    trace = Trace.load(tmp_path / "a.trace")
    assert np.array_equal(trace.events, np.array([(0, 0, 100, 16, 0, 0, ALLOCATE), (2000, 0, 0, 1, 0, 0, FREE)], EVENT))
    assert (trace.information.command, trace.information.process) == (["./app"], 71)
    trace.save(tmp_path / "b.trace")
    assert records_in((tmp_path / "b.trace").read_bytes())[1] == (b"EVTS", raw)


def test_information_that_is_not_known_is_passed_over(tmp_path: Path) -> None:
    content = io.BytesIO()
    content.write(
        MAGIC + record(b"INFO", b'{"later": [1]}') + record(b"END.", b'{"events": 0, "lost": 0, "foreign": 0, "implied_frees": 0}')
    )
    (tmp_path / "a.trace").write_bytes(content.getvalue())
    assert Trace.load(tmp_path / "a.trace").information == Information()


def test_sites_are_kept_and_known_before_the_events_that_refer_to_them(tmp_path: Path) -> None:
    path = tmp_path / "a.trace"
    information = Information(sites={})
    events = events_of([(ALLOCATE, block, 1) for block in range(300)])
    events["tag"] = np.arange(300) + 1
    with TraceWriter(path, information) as writer:
        for tag in range(1, 301):
            information.sites[tag] = Site(f"place {tag}", tag // 2)
            writer.write(events[tag - 1 : tag])
        information.sites[999] = Site("nobody's", 300)
    with TraceReader(path) as reader:
        for chunk in reader:
            assert set(chunk["tag"].tolist()) <= set(reader.information.sites)
    assert reader.information == information
    assert reader.information.stack(300) == [f"place {tag}" for tag in (300, 150, 75, 37, 18, 9, 4, 2, 1)]


BAD_SITES = {
    "a tag is from 1 to 4294967295, not 0": {0: Site("main")},
    "the site of tag 2 has the caller 2, which is not smaller": {1: Site("main"), 2: Site("parse", 2)},
    "the name of tag 1 has 4097 characters, and not at most 4096": {1: Site("x" * 4097)},
}


@pytest.mark.parametrize("words", list(BAD_SITES))
def test_sites_that_make_no_sense_are_not_written(words: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=words):
        Trace(events_of([(ALLOCATE, 0, 1)]), Information(sites=BAD_SITES[words])).save(tmp_path / "a.trace")
    assert list(tmp_path.iterdir()) == []


def test_a_stack_ends_where_no_caller_is_known_and_where_callers_go_round() -> None:
    sites = {5: Site("a", 4), 4: Site("b", 3), 8: Site("c", 9), 9: Site("d", 8)}
    known = Information(sites=sites)
    assert [known.stack(tag) for tag in (0, 3, 5, 8, 9)] == [[], [], ["a", "b"], ["c"], ["d", "c"]]


def test_a_site_table_gives_a_site_its_tag_each_time() -> None:
    known = Information()
    table = SiteTable(known)
    assert [table.tag("a"), table.tag("b", 1), table.tag("a"), table.tag("a", 1), table.tag("x" * 9999)] == [1, 2, 1, 3, 4]
    assert known.sites == {1: Site("a"), 2: Site("b", 1), 3: Site("a", 1), 4: Site("x" * 4096)}


def test_traces_are_written_and_read_where_the_standard_streams_are_texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("stdin", "stdout"):  # as in a notebook
        monkeypatch.setattr(sys, name, io.StringIO())
    trace = trace_of((ALLOCATE, 0, 10))
    trace.save(tmp_path / "some.trace")
    assert is_same(Trace.load(tmp_path / "some.trace"), trace)


def test_memory_is_that_of_a_record_or_of_the_events_however_few_the_bytes_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.trace"
    alike = record(b"EVTS", struct.pack("<I", CHUNK_EVENTS) + bytes(7))  # columns of no width
    path.write_bytes(trace_file(*[alike] * 12, end(12 * CHUNK_EVENTS)))
    assert path.stat().st_size < 1000
    tracemalloc.start()
    try:
        with TraceReader(path) as reader:
            assert sum(chunk.size for chunk in reader) == 12 * CHUNK_EVENTS
        assert tracemalloc.get_traced_memory()[1] < 12 << 20
        tracemalloc.reset_peak()
        events = Trace.load(path).events
        assert tracemalloc.get_traced_memory()[1] < 2.5 * events.nbytes
    finally:
        tracemalloc.stop()
    assert events.nbytes == 40 * 12 * CHUNK_EVENTS
