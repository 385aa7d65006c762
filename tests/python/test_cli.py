"""The command line: what each command prints, writes, and how it ends."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer import BadParameter

from commanding import COMMAND, completions, refusal, said, slabheap, told
from compiling import compiled
from making_traces import FREE, random_trace
from places import TRACES
from slabheap import Trace, __version__, replay
from slabheap.cli.app import byte_count
from slabheap.merits import TIMED_FIGURES

PERL = TRACES / "perl-pod.trace"

ALLOCATING = """
int main(int argc, char **argv) {
    for (int i = 0; i < 100; i++) free(malloc(10 + i));
    puts("done");
    if (argc > 1 && !strcmp(argv[1], "abort")) abort();
    return argc > 1 ? atoi(argv[1]) : 0;
}
"""


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


def test_record_into_a_pipe_leaves_standard_output_to_the_trace(tmp_path: Path) -> None:
    script = "echo out; echo err >&2; exit 3"
    command = [*COMMAND, "record", "-o", "-", "--", "/bin/sh", "-c", script]
    ended = subprocess.run(command, capture_output=True, check=False, cwd=tmp_path)
    assert ended.returncode == 3
    assert b"out\nerr\n" in ended.stderr
    facts = json.loads(said("info", "-", "--json", stdin=ended.stdout))
    assert facts["command"][-1] == script
    assert facts["events"] > 0
    assert list(tmp_path.iterdir()) == []
    assert "cannot both go to standard output" in refusal("record", "--json", "-o", "-", "--", "/bin/true")


def test_record_says_why_there_is_no_trace(program: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.trace"
    limited = ["/bin/sh", "-c", 'ulimit -f 8; exec "$@"', "sh", *COMMAND, "record", "-o", str(output), "--", str(program), "3"]
    ended = subprocess.run(limited, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (3, "done\n")
    assert f"a process was not recorded: there is no room in '{tmp_path}'" in ended.stderr
    assert "statically linked" not in ended.stderr
    static = compiled(tmp_path, ALLOCATING, "-static")
    assert "is it statically linked?" in slabheap("record", "-o", output, "--", static).stderr
    assert not output.exists()


def test_record_of_a_program_that_is_not_there_names_it(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    assert str(missing) in refusal("record", "-o", tmp_path / "out.trace", "--", missing)
    missing.write_text("not a program")
    assert f"'{missing}' is a file that cannot be executed" in refusal("record", "-o", tmp_path / "out.trace", "--", missing)
    assert not (tmp_path / "out.trace").exists()


def test_record_names_the_folder_that_is_not_there(tmp_path: Path) -> None:
    output, missing = tmp_path / "out.trace", tmp_path / "missing"
    assert f"there is no scratch folder '{missing}'" in refusal("record", "-o", output, "--scratch", missing, "--", "/bin/true")
    assert f"there is no folder '{missing}'" in refusal("record", "-o", missing / "out.trace", "--", "/bin/true")
    assert list(tmp_path.iterdir()) == []


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


@pytest.mark.parametrize("command", [("replay", "--repeats", 0), ("compare", "--repeats", 0), ("sweep", "--repeats", 0), ("optimise",)])
def test_every_command_reads_a_trace_from_a_pipe(command: tuple[object, ...], trace: Path) -> None:
    name, *options = command
    piped, from_file = (
        json.loads(said(name, *given, "--json", stdin=trace.read_bytes())) for given in (("-", *options), (trace, *options))
    )
    for one in (piped, from_file):
        for row in one if name == "sweep" else ():
            row.update(trace=None, finished=None)
    assert piped == from_file


@pytest.mark.parametrize("command", ["info", "replay", "compare", "sweep", "optimise"])
def test_what_is_no_trace_is_refused_with_its_name(command: str, tmp_path: Path) -> None:
    nothing = tmp_path / "nothing.trace"
    nothing.write_bytes(b"this is not a trace")
    assert "nothing.trace" in refusal(command, nothing)
    missing = tmp_path / "missing.trace"
    assert refusal(command, missing) == f"slabheap: {missing}: No such file or directory"


def test_replay_prints_the_figures_the_costs_and_the_classes(trace: Path) -> None:
    content = told("replay", trace, "--preset", "compact", "--repeats", 1)
    assert content["options"] == {"preset": "compact"}
    assert content["failures"] == 0
    assert content["operations_per_second"] > 0
    assert content["peak_requested_bytes"] <= content["peak_used_bytes"] <= content["peak_held_bytes"]
    result = replay(Trace.load(trace), preset="compact", repeats=0)
    for name, value in result.figures().items():
        assert name in TIMED_FIGURES or content[name] == value, name
    assert content["costs"]["free"]["count"] == int((Trace.load(trace).events["operation"] == FREE).sum())
    assert content["costs"]["free"]["p50"] <= content["costs"]["free"]["max"]
    assert 0 < content["resolution_ns"] < 1000
    text = said("replay", trace, "--preset", "compact", "--repeats", 1)
    for words in ("internal fragmentation", "pages of 4 KiB touched", "What calls cost", "allocate zeroed", "Size classes", "4,096"):
        assert words in text


def test_costs_can_be_left_out(trace: Path) -> None:
    assert told("replay", trace, "--repeats", 1, "--no-costs")["costs"] is None
    assert told("replay", trace, "--repeats", 0)["costs"] is None
    assert "What calls cost" not in said("replay", trace, "--repeats", 0)
    assert told("compare", trace, "-a", "system", "--repeats", 1, "--no-costs")[0]["costs"] is None


@pytest.mark.parametrize("allocator", ["slabheap", "system"])
def test_replay_writes_every_figure_over_time(trace: Path, tmp_path: Path, allocator: str) -> None:
    series = tmp_path / "series.csv", tmp_path / "series.PARQUET"
    for path in series:
        said("replay", trace, "-a", allocator, "--repeats", 1, "--series", path)
    frames = pd.read_csv(series[0]), pd.read_parquet(series[1])
    expected = replay(Trace.load(trace), allocator, repeats=0).over_time()
    for frame in frames:
        assert list(frame) == list(expected)
        assert len(frame) == 1000
        assert (frame["held"] == expected["held"]).all()
    assert "must end with .csv or .parquet" in refusal("replay", trace, "--series", tmp_path / "series.xls")


@pytest.mark.parametrize(
    ("command", "option"),
    [("replay", "--series"), ("replay", "--timeline"), ("replay", "--map"), ("compare", "--plot"), ("compare", "--timeline")],
)
def test_what_goes_into_a_file_does_not_go_to_standard_output(
    trace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, option: str
) -> None:
    monkeypatch.chdir(tmp_path)
    words = f"{option} writes a file, which standard output is not: it is for the tables, or for JSON"
    assert words in refusal(command, trace, option, "-", "--json", "--repeats", 0)
    assert list(tmp_path.iterdir()) == [trace]


@pytest.mark.parametrize("command", ["replay", "compare"])
def test_warm_replays_are_timed_and_told_to_be_warm(trace: Path, command: str) -> None:
    for arguments, is_warm in ((("--warm",), True), ((), False)):
        told_of = told(command, trace, "--repeats", 2, "--no-costs", *arguments)
        results = told_of if command == "compare" else [told_of]
        assert [(result["is_warm"], len(result["all_seconds"])) for result in results] == [(is_warm, 2)] * len(results)


def test_replay_without_repeats_is_not_timed(trace: Path) -> None:
    assert told("replay", trace, "--repeats", 0)["seconds"] is None
    assert "not timed" in said("replay", trace, "--repeats", 0)


def test_replay_takes_every_option_of_a_heap(trace: Path) -> None:
    options = ("--classes", "32,64,512", "--set-blocks", 16, "--page-bytes", 1024, "--pages", "best_fit", "--freed-runs", "merged")
    memory = ("--bytes", "16M", "--regions", 3, "--huge-pages", "wanted")
    content = told("replay", trace, "--repeats", 0, *options, *memory)
    assert [c["block_size"] for c in content["class_stats"]] == [32, 64, 512]
    assert content["options"] == {
        "classes": [32, 64, 512],
        "set_blocks": 16,
        "page_bytes": 1024,
        "pages": "best_fit",
        "freed_runs": "merged",
        "huge_pages": "wanted",
        "bytes": 1 << 24,
        "regions": 3,
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
        (("--bytes", "1X"), "'1X' is no number of bytes, such as 65536, 64K, 16M or 2G"),
        (("--page-bytes", "-4K"), "'-4K' is no number of bytes"),
        (("--regions", 65), "regions must be from 1 to 64, not 65"),
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
    results = told("compare", trace, "-a", "system", "-a", "compact", "--repeats", 0, "--bytes", "16M")
    assert [result["allocator"] for result in results] == ["system", "slabheap"]
    assert results[1]["options"] == {"preset": "compact", "bytes": 1 << 24}


def test_huge_pages_are_chosen_for_all_that_are_compared(trace: Path) -> None:
    results = told("compare", trace, "-a", "classic", "-a", "system", "--repeats", 0, "--huge-pages", "system")
    assert [result["options"].get("huge_pages") for result in results] == ["system", "system"]
    assert told("replay", trace, "-a", "system", "--repeats", 0, "--huge-pages", "system")["options"] == {"huge_pages": "system"}
    words = "for the allocator 'system', huge_pages must be one of 'system', 'unwanted', not 'wanted'"
    assert words in refusal("compare", trace, "--huge-pages", "wanted")
    for command in ("replay", "compare", "report"):
        assert "which slabheap alone can be. Unwanted unless given." in " ".join(said(command, "--help").replace("│", "").split())


def test_compare_names_an_allocator_that_is_not_there_before_it_replays_on_the_others(trace: Path) -> None:
    words = "there is no allocator 'clasic': not classic, compact, slabheap or system, nor a library's path"
    assert words in refusal("compare", trace, "-a", "compact", "-a", "clasic")


def test_sizes_are_given_in_units() -> None:
    counts = {
        "0": 0,
        "65536": 65536,
        "64K": 65536,
        "64k": 65536,
        "64KiB": 65536,
        "64kB": 65536,
        "3M": 3 << 20,
        "2G": 2 << 30,
        "1TiB": 1 << 40,
    }
    assert {text: byte_count(text) for text in counts} == counts
    for text in ("", "K", "1.5K", "-1", "1KK", "ten", "0x10", "1 K"):
        with pytest.raises(BadParameter, match="is no number of bytes"):
            byte_count(text)


def test_the_shell_completes_commands_options_and_names() -> None:
    assert completions("re") == ["record", "replay", "report"]
    assert {"--preset", "--page-bytes", "--pages"} <= set(completions("replay", "--p"))
    assert completions("replay", "--preset", "c") == ["classic", "compact"]
    assert completions("compare", "-a", "") == ["classic", "compact", "system"]


def test_the_version_is_printed() -> None:
    assert said("--version") == f"slabheap {__version__}\n"


@pytest.mark.parametrize("arguments", [("info", PERL), ("info", PERL, "--json"), ("convert", PERL, "-", "--to", "rep")])
def test_output_that_cannot_be_written_is_an_error_and_a_reader_that_has_gone_is_none_to_speak_of(arguments: tuple[object, ...]) -> None:
    command = [*COMMAND, *map(str, arguments)]
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert ended.returncode == 2
    assert ended.stderr.startswith("slabheap: ")
    assert ended.stderr.endswith("No space left on device\n")
    assert len(ended.stderr.splitlines()) == 1
    read, write = os.pipe()
    os.close(read)
    gone = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    assert (gone.returncode, gone.stderr) == (1, "")


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
    command = [*COMMAND, "replay", str(PERL), "--repeats", "200", "--json"]
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
