"""While a replay runs: progress, other threads, and Ctrl-C."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from making_traces import random_trace
from slabheap import compare, replay

TRACE = random_trace(13, 150_000)


@pytest.mark.parametrize("allocator", ["slabheap", "system"])
def test_progress_goes_from_replay_to_replay_until_all_is_done(allocator: str) -> None:
    told: list[tuple[int, int]] = []
    replay(TRACE, allocator, repeats=2, progress=lambda done, total: told.append((done, total)))
    assert {total for _, total in told} == {600_000}
    done = [done for done, _ in told]
    assert done == sorted(set(done))
    assert {150_000, 300_000, 450_000, 600_000} <= set(done)
    if allocator == "slabheap":
        assert len(done) == 12


def test_progress_of_a_comparison_goes_over_all_allocators() -> None:
    told: list[tuple[int, int]] = []
    compare(TRACE, ["classic", "system", "compact"], progress=lambda done, total: told.append((done, total)))
    assert {total for _, total in told} == {1_350_000}
    done = [done for done, _ in told]
    assert done == sorted(done)
    assert {450_000, 900_000, 1_350_000} <= set(done)


@pytest.mark.parametrize("allocator", ["slabheap", "system"])
def test_what_progress_raises_ends_the_replay(allocator: str) -> None:
    told: list[int] = []

    def give_up(done: int, _total: int) -> None:
        told.append(done)
        raise LookupError("enough")

    with pytest.raises(LookupError, match="enough"):
        replay(TRACE, allocator, progress=give_up)
    assert len(told) == 1


def test_another_thread_runs_while_a_heap_is_replayed() -> None:
    short = random_trace(13, 60_000)  # shorter than what is replayed between two looks at the interpreter
    _ = short.program
    begins, ran = threading.Event(), threading.Event()

    def work() -> None:
        begins.wait()
        ran.set()

    def look(_done: int, _total: int) -> None:
        if ran.is_set():
            raise LookupError("the other thread has run")

    thread = threading.Thread(target=work)
    thread.start()
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1_000_000)  # seconds: what runs in the interpreter gives it up where it says so, and nowhere else
    try:
        begins.set()
        assert not ran.is_set()
        with pytest.raises(LookupError, match="the other thread has run"):
            replay(short, repeats=10_000, samples=1, snapshot_events=[], progress=look)  # which one or two would do for
    finally:
        sys.setswitchinterval(interval)
    thread.join()


def test_threads_replay_one_trace_at_once() -> None:
    expected = {preset: replay(TRACE, preset=preset).timeline.tobytes() for preset in ("classic", "compact")}
    found: list[tuple[str, bytes]] = []

    def work(preset: str) -> None:
        found.append((preset, replay(TRACE, preset=preset).timeline.tobytes()))

    threads = [threading.Thread(target=work, args=(preset,)) for preset in ("classic", "compact") * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert all(expected[preset] == timeline for preset, timeline in found)


ENDLESS = """
import sys
from slabheap import replay
told = []
def progress(done, total):
    if not told:
        print("running", flush=True)
    told.append(done)
try:
    replay(sys.argv[1], sys.argv[2], repeats=1_000_000_000, progress=progress)
except KeyboardInterrupt:
    sys.exit(77)
"""


@pytest.mark.parametrize("allocator", ["slabheap", "system"])
def test_ctrl_c_ends_a_replay(allocator: str, tmp_path: Path) -> None:
    TRACE.save(tmp_path / "a.trace")
    command = [sys.executable, "-c", ENDLESS, str(tmp_path / "a.trace"), allocator]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "running\n"
        process.send_signal(signal.SIGINT)
        assert process.wait() == 77
