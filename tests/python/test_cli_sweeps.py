"""The commands for experiments: sweep and optimise; what they print, and what Ctrl-C leaves."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from distributed import LocalCluster

from commanding import COMMAND, refusal, said, slabheap, told
from making_traces import ALLOCATE, random_trace, trace_of
from places import TRACES
from slabheap import Trace, optimise_classes, sweep
from slabheap.sweeping import TIMES, frame_at


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """A small trace."""
    path = tmp_path / "random.trace"
    random_trace(1, 2000).save(path)
    return path


def timeless(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What is the same each time."""
    return [{name: value for name, value in row.items() if name not in TIMES} for row in rows]


def test_sweep_tries_every_combination_and_keeps_the_rows(trace: Path, tmp_path: Path) -> None:
    output = tmp_path / "rows.parquet"
    options = ("--preset", "classic,compact", "--page-bytes", "1K,4096", "--repeats", 0, "-o", output)
    rows = told("sweep", trace, *options)
    assert [row["label"] for row in rows] == [f"{preset} page_bytes={page}" for preset in ("classic", "compact") for page in (1024, 4096)]
    assert all(row["failures"] == 0 and row["seconds"] is None for row in rows)
    text = said("sweep", trace, *options, "--jobs", 1)
    for words in ("preset", "page", "compact", "1 KiB", "not timed"):
        assert words in text
    assert "set" not in text.splitlines()[2].split()  # what does not vary has no column
    assert text.startswith("4 rows\n")
    assert said("sweep", trace, "--repeats", 0).startswith("1 row\n")
    assert len(frame_at(output)) == 4


def test_every_axis_takes_several_values_and_the_word_default(trace: Path) -> None:
    options: dict[str, tuple[str, ...]] = {
        "--preset": ("compact,default",),
        "--set-blocks": ("16", "default"),
        "--page-bytes": ("512",),
        "--pages": ("buddy,best_fit",),
        "--freed-runs": ("default,merged",),
        "--huge-pages": ("unwanted", "wanted"),
        "--bytes": ("16M",),
        "--regions": ("1,2",),
        "--classes": ("64,512", "default"),
    }
    arguments = [argument for name, values in options.items() for value in values for argument in (name, value)]
    rows = told("sweep", trace, *arguments, "--repeats", 0)
    assert len(rows) == 2 * 2 * 1 * 2 * 2 * 2 * 1 * 2 * 2
    expected: dict[str, set[Any]] = {
        "preset": {"compact", None},
        "set_blocks": {16, None},
        "page_bytes": {512},
        "pages": {"buddy", "best_fit"},
        "freed_runs": {None, "merged"},
        "huge_pages": {"unwanted", "wanted"},
        "bytes": {1 << 24},
        "regions": {1, 2},
        "classes": {"64,512", None},
    }
    assert {name: {row[name] for row in rows} for name in expected} == expected


def test_sweep_takes_allocators_and_times_what_is_asked_for(trace: Path) -> None:
    rows = told("sweep", trace, "-a", "classic", "-a", "system", "--repeats", 2, "--no-costs")
    assert [(row["label"], row["repeat"]) for row in rows] == [("classic", 0), ("classic", 1), ("system", 0), ("system", 1)]
    assert all(row["seconds"] > 0 and row["allocate_p50_ns"] is None for row in rows)


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_a_sweep_of_which_no_point_could_be_replayed_is_not_done(trace: Path, form: tuple[str, ...]) -> None:
    some, none = (slabheap("sweep", trace, "--bytes", sizes, "--repeats", 0, *form) for sizes in ("2000,16M", "2000,3000"))
    assert (some.returncode, none.returncode) == (0, 2)
    assert all("TooSmall" in ended.stdout + ended.stderr for ended in (some, none))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--page-bytes", "1000"), "a page must have a power of two of bytes"),
        (("--page-bytes", "1X"), "'1X' is no number of bytes"),
        (("--set-blocks", "16,many"), "set_blocks must be numbers with commas between them, or default, not 'many'"),
        (("--preset", "cosy"), "cosy"),
        (("--classes", "a,b"), "a,b"),
        (("--regions", "0"), "regions must be from 1 to 64, not 0"),
        (("--jobs", "2", "--scheduler", "tcp://127.0.0.1:1"), "leave out --jobs or --scheduler"),
        (("-a", "system", "-a", "clasic"), "clasic': not classic, compact, slabheap or system, nor a library's path"),
        (("-o", "rows.csv"), "rows.csv must end with .parquet"),
        (("-o", "-"), "rows are kept in a file, which standard output is not"),
    ],
)
def test_sweep_names_what_is_wrong(trace: Path, options: tuple[str, ...], words: str) -> None:
    assert words in refusal("sweep", trace, *options)


def test_a_sweep_runs_on_the_cluster_of_a_scheduler(trace: Path) -> None:
    options = ("--preset", "classic,compact", "--set-blocks", "8,64", "--repeats", 0)
    with LocalCluster(  # type: ignore[no-untyped-call]
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as cluster:
        on_cluster = told("sweep", trace, *options, "--scheduler", cluster.scheduler_address)
    assert timeless(on_cluster) == timeless(told("sweep", trace, *options))


@pytest.mark.parametrize("to_all", [True, False], ids=["from a terminal", "to the command alone"])
def test_ctrl_c_leaves_what_is_finished_and_the_same_command_goes_on(tmp_path: Path, to_all: bool) -> None:
    output = tmp_path / "rows.parquet"
    options = ["--page-bytes", "512,1K,2K,4K", "--set-blocks", "8,16,32,64", "--repeats", "12", "-o", str(output)]
    command = [*COMMAND, "sweep", str(TRACES / "perl-pod.trace"), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        while not output.exists():
            assert process.poll() is None
            time.sleep(0.01)
        (os.killpg if to_all else os.kill)(process.pid, signal.SIGINT)  # a terminal sends it to the workers, too
        printed, errors = process.communicate()
    assert process.returncode == 130
    assert printed == ""
    assert " ".join(errors.split()) == (f"slabheap: interrupted; what is finished is in {output}, and the same command goes on from there")
    left = frame_at(output)
    assert 0 < left["key"].nunique() < 16
    said(*command[len(COMMAND) :])
    whole = frame_at(output)
    assert whole["key"].nunique() == 16
    pd.testing.assert_frame_equal(whole.head(len(left)), left)  # not run again, not even its times


@pytest.mark.parametrize(("command", "doing"), [("sweep", "sweeping"), ("replay", "replaying"), ("compare", "replaying")])
def test_ctrl_c_ends_a_command_with_a_word_and_its_status(trace: Path, command: str, doing: str) -> None:
    ours, theirs = pty.openpty()
    arguments = [*COMMAND, command, str(trace), "--repeats", "1000000"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=theirs, env={**os.environ, "TERM": "xterm"}) as process:
        os.close(theirs)
        drawn = b""
        while doing.encode() not in drawn:
            drawn += os.read(ours, 4096)
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(OSError):  # the other end is closed
            while piece := os.read(ours, 4096):
                drawn += piece
        os.close(ours)
        assert process.stdout is not None
        assert process.stdout.read() == b""
    assert process.returncode == 130
    assert b"interrupted" in drawn.splitlines()[-1]
    assert b"Traceback" not in drawn


def test_optimise_finds_classes_that_replay_takes(trace: Path) -> None:
    found = told("optimise", trace, "-n", 5)
    assert len(found["classes"]) <= 5
    assert found["requested_bytes"] <= min(found["rounded_bytes"].values())
    text = said("optimise", trace, "-n", 5)
    classes = ",".join(map(str, found["classes"]))
    assert f"--classes {classes}" in text
    assert told("replay", trace, "--classes", classes, "--repeats", 0)["failures"] == 0


@pytest.mark.parametrize("page", [(), ("--page-bytes", "2K")], ids=" ".join)
def test_optimise_compares_with_presets_as_a_replay_has_them(tmp_path: Path, page: tuple[str, ...]) -> None:
    path = tmp_path / "growing.trace"
    sizes = np.random.default_rng(1).integers(1, 16384, 1000)
    trace_of(*((ALLOCATE, block, int(size)) for block, size in enumerate(sizes))).save(path)
    rounded = told("optimise", path, "--largest", "16K", *page)["rounded_bytes"]
    for preset in ("classic", "compact"):
        assert rounded[preset] == told("replay", path, "--preset", preset, "--repeats", 0, *page)["peak_used_bytes"]


def test_optimise_takes_what_the_function_takes(trace: Path) -> None:
    options = ("--weight", "requests", "--largest", "16K", "--page-bytes", "1K")
    expected = optimise_classes(Trace.load(trace), 9, weight="requests", largest=16384, page_bytes=1024)
    assert told("optimise", trace, "-n", 9, *options)["classes"] == expected
    assert "129" in refusal("optimise", trace, "-n", 129)
    assert "some" in refusal("optimise", trace, "--weight", "some")
    assert "largest must be from 8 to 65536" in refusal("optimise", trace, "--largest", "1M")


def test_the_rows_on_disk_are_those_of_the_function(trace: Path, tmp_path: Path) -> None:
    output = tmp_path / "rows.parquet"
    said("sweep", trace, "--pages", "buddy,best_fit", "--repeats", 0, "-o", output)
    expected = sweep(trace, {"pages": ["buddy", "best_fit"]}, repeats=0)
    found, wanted = (frame.drop(columns=list(TIMES)).sort_values("key", ignore_index=True) for frame in (frame_at(output), expected))
    pd.testing.assert_frame_equal(found, wanted)
