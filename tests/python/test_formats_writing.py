"""Traces in the formats of others: each holds what it can, to the bit, and the figures of profiles are those of a model."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import zstandard
from hypothesis import given, settings

from making_traces import ALLOCATE, FREE, INFORMATION, REALLOCATE, ZEROED, event_arrays, events_of, is_same, random_trace, tagged, trace_of
from places import TRACES
from slabheap import EVENT, Information, Trace
from slabheap.events import Events
from slabheap.formats import FORMATS, create_trace, format_of_name

KEPT = TRACES / "formats"


@given(events=event_arrays())
@settings(max_examples=30, deadline=None)
@pytest.mark.parametrize("suffix", [".trace", ".arrow", ".feather", ".parquet", ".parquet.gz", ".arrow.zst"])
def test_tables_and_traces_hold_everything(tmp_path_factory: pytest.TempPathFactory, suffix: str, events: Events) -> None:
    path = tmp_path_factory.mktemp("whole") / f"a{suffix}"
    trace = tagged(events)
    trace.save(path)
    assert is_same(Trace.load(path), trace)


@given(events=event_arrays())
@settings(max_examples=30, deadline=None)
def test_a_table_in_memory_holds_everything(events: Events) -> None:
    trace = tagged(events)
    table = trace.to_arrow()
    assert is_same(Trace.from_arrow(table), trace)
    assert table.column_names == ["time", "block", "size", "align", "thread", "tag", "operation"]


def test_a_table_is_a_frame_of_pandas_and_comes_back(tmp_path: Path) -> None:
    trace = random_trace(1, 1000)
    trace.save(tmp_path / "a.parquet")
    frame = pd.read_parquet(tmp_path / "a.parquet")
    assert frame["operation"].dtype == "category"
    assert (
        frame.groupby("operation", observed=True)["size"].sum()["reallocate"] == trace.events["size"][trace.events["operation"] == 2].sum()
    )
    frame.to_parquet(tmp_path / "b.parquet")
    frame.to_feather(tmp_path / "b.feather")
    for name in ("b.parquet", "b.feather"):
        assert np.array_equal(Trace.load(tmp_path / name).events, trace.events)


def as_rep(events: Events) -> Events:
    """What a .rep file can hold of events."""
    kept = np.zeros(events.size, EVENT)
    for name in ("block", "size", "operation"):
        kept[name] = events[name]
    kept["operation"][kept["operation"] == ZEROED] = ALLOCATE
    kept["align"] = np.where(kept["operation"] == ALLOCATE, 16, 1)
    return kept


@given(events=event_arrays())
@settings(max_examples=50, deadline=None)
def test_a_rep_file_holds_operations_blocks_and_sizes(tmp_path_factory: pytest.TempPathFactory, events: Events) -> None:
    events = events[events["size"] < 1 << 32] if (events["size"] < 1 << 32).all() else events[:0]
    path = tmp_path_factory.mktemp("rep") / "a.rep"
    trace = tagged(events)
    trace.save(path)
    loaded = Trace.load(path)
    assert np.array_equal(loaded.events, as_rep(events))
    header = path.read_text().splitlines()[:4]
    assert header == [str(trace.peak_requested_bytes), str(trace.block_count), str(len(trace)), "1"]
    loaded.save(path)
    assert is_same(Trace.load(path), loaded)


def test_a_rep_file_that_was_read_is_written_byte_for_byte(tmp_path: Path) -> None:
    content = (KEPT / "sample.rep").read_text().replace("a 1 300\na 2 0", "a 2 300\na 3 0").replace("\n3\n", "\n4\n")
    (tmp_path / "a.rep").write_text(content)
    Trace.load(tmp_path / "a.rep").save(tmp_path / "b.rep")
    assert (tmp_path / "b.rep").read_text() == content


def test_a_rep_file_cannot_hold_what_no_int_of_c_holds(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"a \.rep file cannot hold sizes or ids beyond 4294967295"):
        trace_of((ALLOCATE, 0, 1 << 32)).save(tmp_path / "a.rep")
    assert list(tmp_path.iterdir()) == []


def events_in_json(content: dict[str, Any]) -> Events:
    """The events that a file for Perfetto holds, put together again."""
    instants = [event for event in content["traceEvents"] if event["ph"] == "i"]
    events = np.zeros(len(instants), EVENT)
    events["align"] = 1
    for event, instant in zip(events, instants, strict=True):
        event["time"] = round(instant["ts"] * 1000)
        event["thread"] = instant["tid"]
        event["operation"] = ["allocate", "allocate zeroed", "reallocate", "free"].index(instant["name"])
        for name in ("block", "size", "align", "tag"):
            event[name] = instant["args"].get(name, event[name])
    return events


@given(events=event_arrays())
@settings(max_examples=30, deadline=None)
def test_json_for_perfetto_holds_every_event(tmp_path_factory: pytest.TempPathFactory, events: Events) -> None:
    path = tmp_path_factory.mktemp("chrome") / "a.chrome.json"
    trace = tagged(events)
    trace.save(path)
    content = json.loads(path.read_text())
    written = events_in_json(content)
    if not events["time"].any():
        assert written["time"].tolist() == [1000 * index for index in range(events.size)]
        written["time"] = 0
    assert np.array_equal(written, trace.events)
    assert content["otherData"] == {name: value for name, value in vars(INFORMATION).items() if name != "sites"}


def test_json_for_perfetto_counts_bytes_and_blocks_and_names_sites(tmp_path: Path) -> None:
    trace = trace_of((ALLOCATE, 0, 100), (ALLOCATE, 1, 50, 64), (REALLOCATE, 0, 300), (FREE, 1))
    trace.events["tag"] = 2, 9, 0, 0
    trace.events["time"] = 0, 1500, 1500, 2001
    trace.events["thread"][1:] = 4
    trace.information = INFORMATION
    trace.save(tmp_path / "a.perfetto.json")
    events = json.loads((tmp_path / "a.perfetto.json").read_text())["traceEvents"]
    assert [(event["tid"], event["name"], event["args"]) for event in events if event["ph"] == "M"] == [
        (0, "process_name", {"name": "./app 'a b'"}),
        (0, "thread_name", {"name": "thread 0"}),
        (4, "thread_name", {"name": "thread 4"}),
    ]
    assert {(event["name"], *event["args"]) for event in events if event["ph"] == "C"} == {("requested", "bytes"), ("live", "blocks")}
    counters = [(event["ts"], *event["args"].items()) for event in events if event["ph"] == "C"]
    assert counters == [
        *(
            (0, ("bytes", 100)),
            (0, ("blocks", 1)),
            (1.5, ("bytes", 350)),
            (1.5, ("blocks", 2)),
            (2.001, ("bytes", 300)),
            (2.001, ("blocks", 1)),
        ),
    ]
    instants = [event for event in events if event["ph"] == "i"]
    assert instants[0]["args"] == {"block": 0, "size": 100, "align": 8, "tag": 2, "site": "parse (json.c:71) < main (app.c:9)"}
    assert instants[1]["args"] == {"block": 1, "size": 50, "align": 64, "tag": 9}
    assert all(event["pid"] == 71 for event in events)


def test_json_for_perfetto_has_the_times_of_a_trace_whose_first_events_have_none(tmp_path: Path) -> None:
    trace = random_trace(4, 150_000)
    trace.events["time"] = np.maximum(0, np.arange(150_000) - 140_000)  # more without one than are written at a time
    trace.save(tmp_path / "a.chrome.json")
    written = events_in_json(json.loads((tmp_path / "a.chrome.json").read_text()))
    assert np.array_equal(written, trace.events)


def test_names_tell_formats_and_packings() -> None:
    assert format_of_name("x/a.trace") == format_of_name("-") == format_of_name("a") == ("slabheap", "")
    for known in FORMATS.values():
        for suffix in known.suffixes:
            assert format_of_name(f"a{suffix}")[0] == known.name
    assert format_of_name("a.dhat.json.zst") == ("dhat", "zstd")
    for name in ("a.json", "a.txt", "a.gz", "a.rep.xz", ".d/a.csv"):
        with pytest.raises(ValueError, match=r"no format has files that are called so; .*\.trace, \.rep"):
            format_of_name(name)
        with pytest.raises(ValueError, match="no format has files"):
            trace_of().save(name)


@pytest.mark.parametrize("suffix", [".rep", ".dhat.json", ".chrome.json", ".pprof"])
def test_a_packed_file_holds_what_an_unpacked_one_does(suffix: str, tmp_path: Path) -> None:
    trace = random_trace(2, 500)
    trace.save(tmp_path / f"a{suffix}")
    plain = (tmp_path / f"a{suffix}").read_bytes()
    if suffix == ".pprof":
        plain = gzip.decompress(plain)  # always packed
    trace.save(tmp_path / f"a{suffix}.gz")
    trace.save(tmp_path / f"a{suffix}.zst")
    assert gzip.decompress((tmp_path / f"a{suffix}.gz").read_bytes()) == plain
    packed = (tmp_path / f"a{suffix}.zst").read_bytes()
    assert zstandard.ZstdDecompressor().stream_reader(io.BytesIO(packed)).read() == plain
    with pytest.raises(ValueError, match=r"a trace of slabheap is packed already; leave \.gz out"):
        trace.save(tmp_path / "a.trace.gz")


def write_one_by_one(events: Events, path: Path, name: str) -> None:
    """Writes a file, an event at a time."""
    with create_trace(path, Information(), name) as writer:
        for event in events:
            writer.write(np.array([event], EVENT))


WRITTEN = [name for name, known in FORMATS.items() if known.writer]


@pytest.mark.parametrize("name", WRITTEN)
def test_the_same_trace_gives_the_same_file(name: str, tmp_path: Path) -> None:
    for file in ("a", "b"):
        random_trace(3, 2000).save(tmp_path / file, name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("name", WRITTEN)
def test_a_failure_leaves_the_file_that_was_there_and_no_other(name: str, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"what was there")
    events = random_trace(1, 70_000).events.copy()
    events[-1]["block"] = 1 << 40
    for target in (path, tmp_path / "new"):
        with pytest.raises(ValueError, match=r"event 69999: block 1099511627776 is not live|before its allocation|the next number"):
            Trace(events).save(target, name)
        with contextlib.suppress(KeyboardInterrupt), create_trace(target, Information(), name) as writer:
            writer.write(events[:100])
            raise KeyboardInterrupt
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("a", b"what was there")]


@pytest.mark.parametrize("name", WRITTEN)
def test_a_full_disk_leaves_no_half_of_a_file(name: str, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space left on device"):
        random_trace(1, 50_000).save("/dev/full", name)
    with pytest.raises(OSError, match=r"none/a'"):
        random_trace(1, 10).save(tmp_path / "none" / "a", name)
    with pytest.raises(IsADirectoryError, match=str(tmp_path)):
        random_trace(1, 10).save(tmp_path, name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", WRITTEN)
def test_a_trace_of_nothing_is_a_file_of_every_format(name: str, tmp_path: Path) -> None:
    Trace(np.zeros(0, EVENT), INFORMATION).save(tmp_path / "a", name)
    if FORMATS[name].reader:
        assert len(Trace.load(tmp_path / "a")) == 0


def test_a_file_behind_a_link_is_replaced_and_one_that_is_new_has_the_usual_rights(tmp_path: Path) -> None:
    trace = random_trace(1, 10)
    (tmp_path / "link").symlink_to("real.trace")
    trace.save(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert is_same(Trace.load(tmp_path / "real.trace"), trace)
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE((tmp_path / "real.trace").stat().st_mode) == 0o666 & ~umask


def test_a_format_that_is_not_written_is_named(tmp_path: Path) -> None:
    for name in ("memray", "nonsense"):
        with pytest.raises(ValueError, match=f"there is no format '{name}' to write; there are slabheap, rep"):
            trace_of().save(tmp_path / "a", name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", sorted(set(WRITTEN) - {"slabheap"}))
def test_events_that_make_no_sense_are_named(name: str, tmp_path: Path) -> None:
    happenings: dict[str, list[tuple[int, ...]]] = {
        "event 1: block 5 does not have the next number": [(ALLOCATE, 0, 1), (ALLOCATE, 5, 1)],
        "event 0: block 0 is not live": [(FREE, 0)],
        "event 2: block 0 is not live": [(ALLOCATE, 0, 1), (FREE, 0), (FREE, 0)],
        "event 3: block 0 is not live": [(ALLOCATE, 0, 1), (FREE, 0), (ALLOCATE, 1, 1), (REALLOCATE, 0, 5)],
        "event 1: block 1 is not live": [(ALLOCATE, 0, 1), (FREE, 1), (ALLOCATE, 1, 1)],
    }
    if name in ("arrow", "parquet"):
        return  # tables hold any rows; they are looked at when they are read
    for words, given_happenings in happenings.items():
        with pytest.raises(ValueError, match=words):
            Trace(events_of(given_happenings)).save(tmp_path / "a", name)
        with pytest.raises(ValueError, match=words):
            write_one_by_one(events_of(given_happenings), tmp_path / "a", name)
    assert list(tmp_path.iterdir()) == []
