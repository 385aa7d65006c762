"""Tools of others at work: what they record is read, and their own figures about it are ours."""

from __future__ import annotations

import collections
import json
import os
import random
import re
import subprocess
import sys
from pathlib import Path

import memray
import numpy as np
import pytest

from compiling import compiled
from making_traces import ALLOCATE, FREE, REALLOCATE, ZEROED, is_same
from places import TRACES
from slabheap import Trace, record
from slabheap.formats import open_trace

KEPT = TRACES / "formats"

PROGRAM = """
import json

def grow(count):
    block = bytearray()
    for _ in range(count):
        block += b"x" * 50
    return block

kept = [grow(count) for count in range(0, 200, 7)]
texts = [json.dumps({"number": number, "text": "x" * number}) for number in range(300)]
parsed = [json.loads(text) for text in texts]
del kept, texts
"""


def environment(**variables: str) -> dict[str, str]:
    """The environment of this process and some more."""
    return {**os.environ, **variables}


@pytest.fixture(scope="module", params=["malloc", "pymalloc"])
def capture(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What memray captured of a program: the calls of malloc, or those of Python's own allocator."""
    folder = tmp_path_factory.mktemp("memray")
    (folder / "program.py").write_text(PROGRAM)
    options = ["--trace-python-allocators"] if request.param == "pymalloc" else []
    command = [sys.executable, "-m", "memray", "run", "--quiet", *options, "--output", "capture.bin", "program.py"]
    subprocess.run(command, cwd=folder, env=environment(PYTHONMALLOC=request.param), check=True)
    return folder / "capture.bin"


def test_memray_and_we_agree_on_every_figure(capture: Path) -> None:
    trace = Trace.load(capture)
    reader = memray.FileReader(capture)
    counts: collections.Counter[str] = collections.Counter()
    mapped = total = 0
    for found in reader.get_allocation_records():
        name = memray.AllocatorType(found.allocator).name
        counts[name] += 1
        if name == "MMAP":
            mapped += found.size
        elif not name.endswith(("FREE", "MUNMAP")):
            total += found.size
    assert mapped == 0, "the program maps memory, which a trace does not show, so peaks cannot be compared"
    assert trace.peak_requested_bytes == reader.metadata.peak_memory > 100_000
    assert int(trace.request_sizes.sum()) == total
    requests = sum(count for name, count in counts.items() if not name.endswith("FREE"))
    frees = sum(count for name, count in counts.items() if name.endswith("FREE"))
    operations = trace.events["operation"]
    # A free that a reallocation begins with is no event of its own; and frees of what was there before are left out.
    assert (operations != FREE).sum() == requests
    moved = int((operations == REALLOCATE).sum())
    assert moved > 300
    known = trace.information
    assert (operations == FREE).sum() + moved + known.foreign == frees
    assert known.implied_frees == 0
    assert reader.metadata.pid == known.process
    assert known.command[-1] == "program.py"


def test_memrays_own_statistics_are_ours(capture: Path) -> None:
    output = capture.with_suffix(".json")
    command = [sys.executable, "-m", "memray", "stats", "--json", "--force", "--output", str(output), str(capture)]
    subprocess.run(command, capture_output=True, check=True)
    stats = json.loads(output.read_text())
    trace = Trace.load(capture)
    assert stats["total_num_allocations"] == trace.request_sizes.size
    assert stats["total_bytes_allocated"] == trace.request_sizes.sum()
    assert stats["metadata"]["peak_memory"] == trace.peak_requested_bytes


def test_memray_tells_the_python_stack_of_every_allocation(capture: Path) -> None:
    trace = Trace.load(capture)
    grown = trace.events[trace.events["operation"] == REALLOCATE]
    stacks = {tuple(trace.information.stack(int(tag))[:2]) for tag in grown["tag"]}
    assert any(
        inner.startswith("grow (program.py:7)") and outer.startswith("<listcomp> (program.py:10)") for inner, outer in stacks if outer
    ), stacks
    assert set(trace.events["tag"][trace.events["operation"] == FREE].tolist()) == {0}


def test_a_capture_comes_through_a_pipe_and_in_pieces(capture: Path) -> None:
    program = "from slabheap import Trace; print(len(Trace.load('-')))"
    ended = subprocess.run([sys.executable, "-c", program], input=capture.read_bytes(), capture_output=True, check=True)
    assert int(ended.stdout) == len(Trace.load(capture))
    with open_trace(capture) as reader:
        assert next(iter(reader)).size > 0  # and is left half-read


def test_a_capture_that_tells_no_single_calls_is_refused(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    command = [sys.executable, "-m", "memray", "run", "--quiet", "--aggregate", "--output", "a.bin", "program.py"]
    subprocess.run(command, cwd=tmp_path, check=True)
    with pytest.raises(ValueError, match=r"a\.bin: record 0: memray refuses the capture: .*pre-aggregated"):
        Trace.load(tmp_path / "a.bin")


def refusal(path: Path) -> str | None:
    """Why a file is refused, if it is."""
    try:
        Trace.load(path)
    except ValueError as error:
        return str(error)
    return None


def test_a_capture_that_is_damaged_is_refused(capture: Path, tmp_path: Path) -> None:
    content, chance = capture.read_bytes(), random.Random(1)
    path = tmp_path / "damaged.bin"
    for length in (100, len(content) // 2, len(content) * 3 // 4):
        path.write_bytes(content[:length])
        with pytest.raises(ValueError, match=r"damaged\.bin: "):
            Trace.load(path)
    reasons = []
    for _ in range(4):
        changed = bytearray(content)
        changed[chance.randrange(200, len(content))] ^= 1 << chance.randrange(8)
        path.write_bytes(changed)
        reasons.append(refusal(path))
    # A capture has no checksum, so some still are captures, of other calls.
    assert all(why is None or why.startswith(f"{path}: ") for why in reasons)


CRASHING_MEMRAY = """
import enum, os, signal
AllocatorType = enum.IntEnum("AllocatorType", ["MALLOC"])
FileReader = lambda path: os.kill(os.getpid(), signal.SIGSEGV)
"""


def test_where_memrays_reader_crashes_the_capture_is_refused(capture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "memray.py").write_text(CRASHING_MEMRAY)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(ValueError, match=r"capture\.bin: memray's reader ended by SIGSEGV"):
        Trace.load(capture)


NOISY_SITE = """
import atexit, sys
for stream in (sys.stdout, sys.stderr):
    print("a line", file=stream)
    print("half of one", end="", file=stream)
    atexit.register(print, "Memray is done", file=stream)
"""


def test_what_the_users_python_prints_is_no_part_of_a_capture(capture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trace = Trace.load(capture)
    (tmp_path / "sitecustomize.py").write_text(NOISY_SITE)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))
    assert is_same(Trace.load(capture), trace)
    (tmp_path / "cut.bin").write_bytes(capture.read_bytes()[:100])
    with pytest.raises(ValueError, match=r"cut\.bin: record 0: memray refuses the capture: "):
        Trace.load(tmp_path / "cut.bin")


WORRIED_MEMRAY = """
import enum, sys, types
AllocatorType = enum.IntEnum("AllocatorType", ["MALLOC"])
class FileReader:
    metadata = types.SimpleNamespace(command_line="app.py it's", pid=1, has_native_traces=False)
    def __init__(self, path): pass
    def close(self): pass
    def get_allocation_records(self):
        print("Memray LEVEL: some record", file=sys.stderr)
        return []
"""


@pytest.mark.parametrize("level", ["WARNING", "ERROR", "CRITICAL"])
def test_a_capture_of_which_memray_passes_records_over_is_refused(
    level: str, capture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "memray.py").write_text(WORRIED_MEMRAY.replace("LEVEL", level))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))
    if level == "WARNING":
        assert Trace.load(capture).information.command == ["app.py", "it's"]  # memray joins them by spaces, and quotes none
        return
    with pytest.raises(ValueError, match=rf"capture\.bin: Memray {level}: some record"):
        Trace.load(capture)


def test_without_memray_a_capture_says_what_to_install(capture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ValueError, match=r"a capture of memray, which memray has to read: pip install memray"):
        Trace.load(capture)


def heaptrack_figures(path: Path, folder: Path) -> tuple[int, str, int, int]:
    """What heaptrack's own tool says of a file: calls, the peak as it prints it, and bytes at the peak and leaked, added up by stack."""
    printed = subprocess.run(["heaptrack_print", path], capture_output=True, text=True, check=True).stdout
    calls = re.search(r"^calls to allocation functions: (\d+)", printed, re.MULTILINE)
    peak = re.search(r"^peak heap memory consumption: (\S+)", printed, re.MULTILINE)
    assert calls
    assert peak
    all_leaks = ("--disable-builtin-suppressions", "--disable-embedded-suppressions")
    sums = []
    for kind in ("peak", "leaked"):
        stacks = folder / f"{kind}.txt"
        subprocess.run(["heaptrack_print", path, *all_leaks, "--flamegraph-cost-type", kind, "-F", stacks], capture_output=True, check=True)
        sums.append(sum(int(line.rsplit(" ", 1)[1]) for line in stacks.read_text().splitlines()))
    return int(calls[1]), peak[1], sums[0], sums[1]


def as_heaptrack_prints(count: int) -> str:
    """Bytes, in powers of a thousand with two digits behind the point."""
    power = 0 if count < 1000 else 1 if count < 1_000_000 else 2
    return f"{count / 1000**power:.2f}{'KM'[power - 1]}" if power else f"{count}B"


@pytest.mark.parametrize("name", ["kept", "perl"])
def test_heaptrack_and_we_agree_on_every_figure(name: str, tmp_path: Path) -> None:
    path = KEPT / "sample.heaptrack.zst"
    if name == "perl":
        subprocess.run(["heaptrack", "--output", tmp_path / "perl", "perl", "-MPOSIX", "-e", "1"], capture_output=True, check=True)
        (path,) = tmp_path.glob("perl.*")
    trace = Trace.load(path)
    calls, peak, peak_bytes, leaked = heaptrack_figures(path, tmp_path)
    assert calls == trace.block_count
    assert peak_bytes == trace.peak_requested_bytes
    assert peak == as_heaptrack_prints(peak_bytes)
    assert leaked == trace.program.requested_bytes


def test_both_streams_of_heaptrack_tell_the_same(tmp_path: Path) -> None:
    (tmp_path / "raw").write_bytes((KEPT / "sample.heaptrack.raw").read_bytes())
    interpreter = next(Path("/usr/lib/heaptrack").rglob("heaptrack_interpret"))
    with (tmp_path / "raw").open("rb") as raw, (tmp_path / "interpreted").open("wb") as interpreted:
        subprocess.run([interpreter], stdin=raw, stdout=interpreted, stderr=subprocess.DEVNULL, check=True)
    one, other = Trace.load(tmp_path / "raw"), Trace.load(tmp_path / "interpreted")
    for field in ("time", "size", "operation", "block"):
        assert np.array_equal(one.events[field], other.events[field])


def test_mtrace_and_our_recorder_see_the_same_program(tmp_path: Path) -> None:
    program = compiled(tmp_path, (KEPT / "sample.c").read_text(), "-pthread")
    log = tmp_path / "a.mtrace"
    subprocess.run([program], env=environment(MALLOC_TRACE=str(log), LD_PRELOAD="libc_malloc_debug.so.0"), check=True)
    recorded = record([str(program)], tmp_path / "a.trace")
    assert recorded.status == 0
    theirs, ours = Trace.load(log), Trace.load(tmp_path / "a.trace")
    # Before main, and after the log has ended, there may be more; and the log does not tell what is zeroed.
    start = ours.events["size"].tolist().index(100)
    seen = ours.events[start : start + len(theirs)]
    seen["operation"][seen["operation"] == ZEROED] = ALLOCATE
    seen["block"] -= seen["block"][0]
    for field in ("operation", "block", "size"):
        assert theirs.events[field].tolist() == seen[field].tolist()
