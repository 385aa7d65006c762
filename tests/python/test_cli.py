"""The command line: what each command prints, writes, and how it ends."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compiling import compiled
from making_traces import random_trace
from places import TRACES
from slabheap import Trace

PERL = TRACES / "perl-pod.trace"

ALLOCATING = """
int main(int argc, char **argv) {
    for (int i = 0; i < 100; i++) free(malloc(10 + i));
    puts("done");
    if (argc > 1 && !strcmp(argv[1], "abort")) abort();
    return argc > 1 ? atoi(argv[1]) : 0;
}
"""


def slabheap(*arguments: object, stdin: bytes | None = None) -> subprocess.CompletedProcess[str]:
    """The command as a shell would run it, on a terminal of 120 columns that is none."""
    environment = {**os.environ, "COLUMNS": "120", "TERM": "dumb"}
    command = [sys.executable, "-m", "slabheap.cli", *map(str, arguments)]
    ended = subprocess.run(command, input=stdin, env=environment, capture_output=True, check=False)
    return subprocess.CompletedProcess(command, ended.returncode, ended.stdout.decode(), ended.stderr.decode())


def said(*arguments: object, stdin: bytes | None = None) -> str:
    """What a command that ends well prints."""
    ended = slabheap(*arguments, stdin=stdin)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def told(*arguments: object) -> Any:
    """What a command says in JSON."""
    return json.loads(said(*arguments, "--json"))


def refusal(*arguments: object, stdin: bytes | None = None) -> str:
    """The one line with which a command ends that is refused, and changes nothing."""
    ended = slabheap(*arguments, stdin=stdin)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert "Traceback" not in ended.stderr
    return " ".join(ended.stderr.split())


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A program of a hundred allocations, whose exit status is its argument."""
    return compiled(tmp_path, ALLOCATING)


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """A small trace of a kind that every command takes."""
    path = tmp_path / "random.trace"
    random_trace(1, 2000).save(path)
    return path


def is_png(path: Path) -> bool:
    """Whether a picture was written, and not of nothing."""
    return path.read_bytes().startswith(b"\x89PNG") and path.stat().st_size > 5000


@pytest.mark.parametrize("command", [(), ("record",), ("replay",), ("compare",), ("info",), ("convert",), ("sweep",), ("optimise",)])
def test_help_shows_how_a_command_is_used(command: tuple[str, ...]) -> None:
    text = said(*command, "--help")
    assert "Usage" in text
    assert f"slabheap {' '.join(command)}".strip() in " ".join(text.split())


def test_a_command_alone_says_what_there_is() -> None:
    ended = slabheap()
    for command in ("record", "replay", "compare", "info", "convert", "sweep", "optimise"):
        assert command in ended.stdout + ended.stderr


def test_record_writes_a_trace_and_says_how_many_events_it_has(program: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.trace"
    ended = slabheap("record", "-o", output, "--", program)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == "done\n"
    recorded = Trace.load(output)
    assert f"{len(recorded):,}" in ended.stderr
    assert recorded.information.command == [str(program)]


@pytest.mark.parametrize(("argument", "status"), [("0", 0), ("7", 7), ("abort", 128 + 6)])
def test_record_ends_as_the_program_did(program: Path, tmp_path: Path, argument: str, status: int) -> None:
    ended = slabheap("record", "-o", tmp_path / "out.trace", "--", program, argument)
    assert ended.returncode == status
    assert len(Trace.load(tmp_path / "out.trace")) >= 200


def test_record_takes_the_options_behind_the_dashes_for_the_programs(tmp_path: Path) -> None:
    output = tmp_path / "out.trace"
    assert "-o" in said("record", "-o", output, "--", "/bin/echo", "-o", "--json")
    assert Trace.load(output).information.command == ["/bin/echo", "-o", "--json"]


def test_record_as_json_lists_the_processes(program: Path, tmp_path: Path) -> None:
    text = said("record", "--json", "-o", tmp_path / "out.trace", "--", program)
    content = json.loads(text[text.index("{") :])
    assert content["status"] == 0
    assert content["processes"][0]["events"] == len(Trace.load(tmp_path / "out.trace"))


def test_record_of_a_program_that_is_not_there_names_it(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    assert str(missing) in refusal("record", "-o", tmp_path / "out.trace", "--", missing)
    assert not (tmp_path / "out.trace").exists()


def test_info_tells_what_is_in_a_trace() -> None:
    facts = told("info", PERL)
    loaded = Trace.load(PERL)
    assert facts["events"] == len(loaded)
    assert facts["blocks"] == loaded.block_count
    assert facts["peak_requested_bytes"] == loaded.peak_requested_bytes
    assert facts["lost_events"] == 0
    assert f"{len(loaded):,}" in said("info", PERL)


def test_a_trace_is_read_from_standard_input() -> None:
    assert said("info", "-", "--json", stdin=PERL.read_bytes()) == said("info", PERL, "--json").replace(str(PERL), "-")


@pytest.mark.parametrize("command", ["info", "replay", "compare"])
def test_what_is_no_trace_is_refused_with_its_name(command: str, tmp_path: Path) -> None:
    nothing = tmp_path / "nothing.trace"
    nothing.write_bytes(b"this is not a trace")
    assert "nothing.trace" in refusal(command, nothing)
    assert "missing.trace" in refusal(command, tmp_path / "missing.trace")


def test_replay_prints_the_figures_and_the_classes(trace: Path) -> None:
    content = told("replay", trace, "--preset", "compact", "--repeats", 1)
    assert content["options"] == {"preset": "compact"}
    assert content["failures"] == 0
    assert content["operations_per_second"] > 0
    assert content["peak_requested_bytes"] <= content["peak_used_bytes"] <= content["peak_held_bytes"]
    text = said("replay", trace, "--preset", "compact", "--repeats", 1)
    assert "Size classes" in text
    assert "4,096" in text


def test_replay_without_repeats_is_not_timed(trace: Path) -> None:
    assert told("replay", trace, "--repeats", 0)["seconds"] is None
    assert "not timed" in said("replay", trace, "--repeats", 0)


def test_replay_takes_every_option_of_a_heap(trace: Path) -> None:
    options = ("--classes", "32,64,512", "--set-blocks", 16, "--page-bytes", 1024, "--pages", "best_fit", "--bytes", 1 << 24)
    content = told("replay", trace, "--repeats", 0, *options)
    assert [c["block_size"] for c in content["class_stats"]] == [32, 64, 512]
    assert content["options"] == {
        "classes": [32, 64, 512],
        "set_blocks": 16,
        "page_bytes": 1024,
        "pages": "best_fit",
        "bytes": 1 << 24,
    }


def test_replay_draws_the_timeline_and_the_map(trace: Path, tmp_path: Path) -> None:
    timeline, page_map = tmp_path / "time.png", tmp_path / "map.png"
    said("replay", trace, "--repeats", 0, "--timeline", timeline, "--map", page_map)
    assert is_png(timeline)
    assert is_png(page_map)


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (("--classes", "a,b"), "a,b"),
        (("--classes", "64,32"), "classes"),
        (("--page-bytes", 1000), "a page must have a power of two of bytes"),
        (("--set-blocks", 65), "a set has at most 64 blocks"),
        (("--bytes", 100), "100"),
        (("--allocator", "no-such-library.so"), "no-such-library.so"),
        (("--allocator", "system", "--preset", "compact"), "preset"),
        (("--allocator", "system", "--map", "map.png"), "--map"),
        (("--preset", "cosy"), "cosy"),
        (("--repeats", -1), "--repeats"),
    ],
)
def test_replay_names_the_option_that_is_wrong(trace: Path, options: tuple[object, ...], names: str) -> None:
    assert names in refusal("replay", trace, *options)


def test_compare_sets_allocators_side_by_side(trace: Path, tmp_path: Path) -> None:
    pictures = tmp_path / "bars.png", tmp_path / "time.png"
    text = said("compare", trace, "--repeats", 1, "--plot", pictures[0], "--timeline", pictures[1])
    for label in ("classic", "compact", "system"):
        assert label in text
    assert all(map(is_png, pictures))


def test_compare_takes_the_allocators_that_are_named(trace: Path) -> None:
    results = told("compare", trace, "-a", "system", "-a", "compact", "--repeats", 0, "--bytes", 1 << 24)
    assert [result["allocator"] for result in results] == ["system", "slabheap"]
    assert results[1]["options"] == {"preset": "compact", "bytes": 1 << 24}


def test_sweep_tries_every_combination_and_keeps_the_rows(trace: Path, tmp_path: Path) -> None:
    output = tmp_path / "rows.parquet"
    options = ("--preset", "classic", "--preset", "compact", "--page-bytes", 1024, "--page-bytes", 4096, "--repeats", 0, "-o", output)
    rows = told("sweep", trace, *options)
    assert [row["label"] for row in rows] == [f"{preset} page_bytes={page}" for preset in ("classic", "compact") for page in (1024, 4096)]
    assert all(row["failures"] == 0 and row["seconds"] is None for row in rows)
    text = said("sweep", trace, *options, "--jobs", 1)
    assert "compact page_bytes=1024" in text
    assert "not timed" in text
    assert output.exists()
    assert "page_bytes" in refusal("sweep", trace, "--page-bytes", 1000, "-o", output).replace("a page must", "page_bytes")
    assert "a,b" in refusal("sweep", trace, "--classes", "a,b")


def test_optimise_finds_classes_that_replay_takes(trace: Path) -> None:
    found = told("optimise", trace, "-n", 5)
    assert len(found["classes"]) <= 5
    assert found["requested_bytes"] <= min(found["rounded_bytes"].values())
    text = said("optimise", trace, "-n", 5)
    classes = ",".join(map(str, found["classes"]))
    assert f"--classes {classes}" in text
    assert told("replay", trace, "--classes", classes, "--repeats", 0)["failures"] == 0
    assert "129" in refusal("optimise", trace, "-n", 129)
    assert "weight" in refusal("optimise", trace, "--weight", "some")


def test_a_trace_of_nothing_replays(tmp_path: Path) -> None:
    path = tmp_path / "empty.trace"
    Trace(random_trace(1, 1).events[:0]).save(path)
    assert told("info", path)["events"] == 0
    assert told("replay", path)["failures"] == 0
    assert "no events" in refusal("replay", path, "--map", tmp_path / "map.png")


def test_a_picture_of_a_kind_that_there_is_not_is_refused(trace: Path, tmp_path: Path) -> None:
    ended = slabheap("replay", trace, "--repeats", 0, "--timeline", tmp_path / "time.nonsense")
    assert ended.returncode == 2
    assert "nonsense" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_bar_is_drawn_on_a_terminal_and_nowhere_else(trace: Path) -> None:
    loaded = Trace.load(trace)
    assert np.array_equal(loaded.events, random_trace(1, 2000).events)
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "slabheap.cli", "replay", str(PERL), "--repeats", "200", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs, env={**os.environ, "TERM": "xterm"}) as process:
        os.close(theirs)
        drawn = b""
        try:
            while piece := os.read(ours, 4096):
                drawn += piece
        except OSError:  # the other end is closed
            os.close(ours)
        assert process.stdout is not None
        assert json.loads(process.stdout.read())["failures"] == 0
    assert b"replaying" in drawn
    assert slabheap("replay", PERL, "--repeats", 1, "--json").stderr == ""
