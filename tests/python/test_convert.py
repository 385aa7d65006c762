"""Conversion: streams of any size, from any format to any other, and the command for it."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from commanding import refusal, said, slabheap, told
from making_traces import is_same, random_trace
from places import TRACES
from slabheap import EVENT, Information, Trace, replay, sweep
from slabheap.events import Events
from slabheap.formats import FORMATS, convert, create_trace

KEPT = TRACES / "formats"
READ = ["sample.mtrace", "timed.ltrace", "sample.heaptrack.raw", "sample.heaptrack.zst", "sample.rep"]
WRITTEN = [name for name, known in FORMATS.items() if known.writer]


@pytest.mark.parametrize("source", READ)
@pytest.mark.parametrize("target", WRITTEN)
def test_every_format_becomes_every_other(source: str, target: str, tmp_path: Path) -> None:
    whole = Trace.load(KEPT / source)
    done = convert(KEPT / source, tmp_path / "out", target_format=target)
    assert (done.format, done.events, done.requested_bytes) == (target, len(whole), whole.request_sizes.sum())
    whole.save(tmp_path / "expected", target)
    assert (tmp_path / "out").read_bytes() == (tmp_path / "expected").read_bytes()
    if target in ("slabheap", "arrow", "parquet"):
        assert is_same(Trace.load(tmp_path / "out"), whole)


def test_a_trace_stays_what_it_is_on_its_way_round(tmp_path: Path) -> None:
    names = ["a.trace", "b.arrow", "c.parquet", "d.feather.zst", "e.trace"]
    trace = random_trace(4, 150_000)
    trace.information = Information("recorder", ["./app"], 5, 1, 2, 3)
    trace.save(tmp_path / names[0])
    for source, target in itertools.pairwise(names):
        convert(tmp_path / source, tmp_path / target)
    assert is_same(Trace.load(tmp_path / names[-1]), trace)


def test_a_file_of_any_format_replays_and_sweeps(tmp_path: Path) -> None:
    path = KEPT / "sample.mtrace"
    result = replay(path, repeats=0)
    assert (result.events, result.peak_requested_bytes) == (20, 6208)
    frame = sweep(path, {"preset": ["classic", "compact"]}, repeats=0, jobs=1)
    assert frame["peak_requested_bytes"].tolist() == [6208, 6208]
    assert tmp_path.exists()


@pytest.mark.parametrize("suffix", [".trace", ".rep", ".rep.gz", ".parquet"])
def test_progress_goes_from_nothing_to_all_that_there_is(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    random_trace(1, 200_000).save(path)
    seen: list[tuple[int, int]] = []
    convert(path, tmp_path / "out", progress=lambda done, total: seen.append((done, total)))
    size = 200_000 if suffix == ".parquet" else path.stat().st_size
    assert len(seen) >= 4
    assert seen == sorted(seen)
    assert {total for _, total in seen} == {size}
    assert seen[-1][0] > 0.8 * size


def test_progress_says_where_it_is_not_known_how_much_there_is(tmp_path: Path) -> None:
    random_trace(1, 10).save(tmp_path / "a.arrow")
    seen: list[tuple[int, int]] = []
    convert(tmp_path / "a.arrow", tmp_path / "out", progress=lambda done, total: seen.append((done, total)))
    assert seen == [(10, 0)]


def many_events(count: int, start: int) -> Events:
    """A chunk of a program that keeps a thousand blocks, each for a thousand allocations."""
    index = np.arange(start, start + count)
    events = np.zeros(count, EVENT)
    is_free = (index % 2 == 1) & (index > 2000)
    numbers = np.where(index <= 2000, index, 2000 + (index - 2000 + 1) // 2)
    events["operation"] = np.where(is_free, 3, 0)
    events["block"] = np.where(is_free, numbers - 1000, numbers)
    events["time"] = index * 100
    events["size"] = np.where(is_free, 0, index * 7 % 500)
    events["align"] = np.where(is_free, 1, 16)
    return events


def large_trace(path: Path, events: int, name: str | None = None) -> None:
    """Writes a trace of so many events, without having them all in memory."""
    with create_trace(path, Information("large"), name) as writer:
        for start in range(0, events, 65_536):
            writer.write(many_events(min(65_536, events - start), start))


MEASURED = """
import resource, sys
from slabheap.formats import convert
done = convert(sys.argv[1], sys.argv[2], target_format=sys.argv[3])
print(done.events, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak_bytes(source: Path, target: str) -> tuple[int, int]:
    """Events that a process converts, and the most memory that it holds meanwhile."""
    ended = subprocess.run([sys.executable, "-c", MEASURED, source, "/dev/null", target], capture_output=True, text=True, check=True)
    events, kibibytes = map(int, ended.stdout.split())
    return events, kibibytes << 10


@pytest.mark.parametrize(
    "formats", ["slabheap rep", "slabheap arrow", "slabheap chrome", "slabheap dhat", "rep slabheap", "parquet slabheap"]
)
def test_a_trace_that_is_larger_takes_no_more_memory(formats: str, tmp_path: Path) -> None:
    source, target = formats.split()
    small, large = 140_000, 500_000
    assert (large - small) * EVENT.itemsize > 13 << 20
    held = {}
    for events in (small, large):
        large_trace(tmp_path / "large", events, source)
        done, held[events] = peak_bytes(tmp_path / "large", target)
        assert done == events
    assert held[large] - held[small] < 6 << 20


# ---- the command


def test_convert_writes_the_format_that_the_name_says_and_tells_what_it_did(tmp_path: Path) -> None:
    ended = slabheap("convert", KEPT / "timed.ltrace", tmp_path / "a.parquet")
    assert (ended.returncode, ended.stdout) == (0, "")
    assert "17 events; 1 lost, 1 foreign" in " ".join(ended.stderr.split())
    assert is_same(Trace.load(tmp_path / "a.parquet"), Trace.load(KEPT / "timed.ltrace"))
    assert told("convert", KEPT / "sample.rep", tmp_path / "a.trace") == {
        "source": "rep",
        "format": "slabheap",
        "events": 7,
        "requests": 5,
        "requested_bytes": 5600,
        "lost": 0,
        "foreign": 0,
        "implied_frees": 0,
        "sites": 0,
    }


def test_convert_goes_through_pipes(tmp_path: Path) -> None:
    content = (KEPT / "sample.heaptrack.zst").read_bytes()
    assert said("convert", "-", "-", "--to", "rep", stdin=content).splitlines()[:5] == ["78682", "12", "21", "1", "a 0 72704"]
    environment = {**os.environ, "TERM": "dumb"}
    command = [sys.executable, "-m", "slabheap.cli", "convert", "-", "-"]
    for target in ("slabheap", "arrow", "parquet", "pprof"):
        ended = subprocess.run([*command, "--to", target], input=content, env=environment, capture_output=True, check=True)
        convert(KEPT / "sample.heaptrack.zst", tmp_path / target, target_format=target)
        assert ended.stdout == (tmp_path / target).read_bytes()
    assert json.loads(said("info", "-", "--json", stdin=(tmp_path / "parquet").read_bytes()))["events"] == 21


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("sample.mtrace", "a.json"), "a.json: no format has files that are called so; name it, or let the file end with one of .trace"),
        (("sample.mtrace", "a", "--to", "memray"), "there is no format 'memray' to write; there are slabheap, rep, arrow"),
        (("sample.mtrace", "a", "--from", "dhat"), "there is no format 'dhat' to read; there are slabheap, heaptrack"),
        (("sample.mtrace", "a", "--from", "rep"), "sample.mtrace: line 1: not a number of the header: b'= Start'"),
        (("README.md", "a"), "README.md: at offset 0: not a trace: it begins as none of slabheap"),
        (("none", "a"), "none"),
        (("sample.mtrace", "none/a.trace"), "none/a.trace"),
        (("sample.mtrace", "-", "--json"), "the trace and --json cannot both go to standard output"),
    ],
)
def test_convert_refuses_in_a_line_and_writes_nothing(
    options: tuple[str, ...], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert words in refusal("convert", KEPT / options[0], *options[1:])
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_conversion_leaves_what_was_there(tmp_path: Path) -> None:
    large_trace(tmp_path / "large.trace", 1_000_000)
    (tmp_path / "a.chrome.json").write_text("what was there")
    command = [sys.executable, "-m", "slabheap.cli", "convert", str(tmp_path / "large.trace"), str(tmp_path / "a.chrome.json")]

    def hear_interrupts() -> None:  # which those who run tests in the background may be deaf to
        signal.signal(signal.SIGINT, signal.default_int_handler)

    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=hear_interrupts) as process:
        while not any(path.suffix == ".new" for path in tmp_path.iterdir()):
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        assert process.wait() != 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.chrome.json", "large.trace"]
    assert (tmp_path / "a.chrome.json").read_text() == "what was there"


@pytest.mark.parametrize("name", READ)
def test_info_tells_what_is_in_a_file_of_any_format(name: str) -> None:
    loaded = Trace.load(KEPT / name)
    facts = told("info", KEPT / name)
    assert facts["events"] == len(loaded)
    assert facts["source"] == loaded.information.source
    assert facts["peak_requested_bytes"] == loaded.peak_requested_bytes
    assert facts["live_at_end_bytes"] == loaded.program.requested_bytes
    assert facts["median_request_bytes"] == np.quantile(loaded.request_sizes, 0.5, method="inverted_cdf")
    assert facts["largest_request_bytes"] == loaded.request_sizes.max()
    assert (facts["threads"], facts["blocks"], facts["sites"]) == (loaded.thread_count, loaded.block_count, len(loaded.information.sites))
