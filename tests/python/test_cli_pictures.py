"""The commands that draw: plot and report."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from commanding import completions, refusal, said, slabheap
from making_traces import trace_of
from places import TRACES
from reading_html import Page
from slabheap import workloads

PERL = TRACES / "perl-pod.trace"

KINDS = ("timeline", "comparison", "figures", "costs", "pages", "strip", "animation", "classes", "lifetimes", "sweep")


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small trace."""
    path = tmp_path_factory.mktemp("traces") / "small.trace"
    workloads.steady_state(3000, workloads.log_normal(200, 1.5), 100_000, seed=1).save(path)
    return path


@pytest.mark.parametrize("command", [("plot",), ("report",), *(("plot", kind) for kind in KINDS)])
def test_help_shows_how_a_command_is_used(command: tuple[str, ...]) -> None:
    text = " ".join(said(*command, "--help").split())
    assert "Usage" in text
    assert f"slabheap {' '.join(command)} " in text.partition("Usage")[2].partition("]")[2]


def test_the_kinds_of_pictures_are_listed() -> None:
    text = said("plot", "--help")
    assert all(f"│ {kind} " in text for kind in KINDS)


@pytest.mark.parametrize(
    "arguments",
    [
        ("timeline",),
        ("timeline", "-a", "compact", "-a", "system", "--clock", "seconds", "--title", "Time", "--theme", "dark"),
        ("comparison", "-a", "compact", "-a", "classic", "--repeats", "2"),
        ("figures",),
        ("figures", "-f", "largest_free", "-f", "allocate_p99_ns", "-a", "compact", "--clock", "seconds"),
        ("costs", "-a", "classic", "-a", "system", "--theme", "dark"),
        ("pages", "--preset", "compact", "--columns", "32"),
        ("pages", "--event", "100", "--pages", "best_fit", "--page-bytes", "512"),
        ("strip", "--frames", "3", "--set-blocks", "8"),
        ("classes", "--classes", "16,64,256,4096"),
        ("lifetimes", "--clock", "seconds", "--weight", "bytes", "--classes", "64,4096"),
    ],
    ids=" ".join,
)
def test_each_kind_of_picture_is_written(arguments: tuple[str, ...], trace: Path, tmp_path: Path) -> None:
    kind, *options = arguments
    picture = tmp_path / "picture.png"
    ended = slabheap("plot", kind, trace, "-o", picture, *options)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == ""
    assert f"wrote {picture}" in ended.stderr.replace("\n", "")
    with Image.open(picture) as image:
        assert image.format == "PNG"
        assert image.width >= 1200


@pytest.mark.parametrize(("ending", "beginning"), [("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_the_ending_of_the_file_says_what_it_becomes(ending: str, beginning: bytes, trace: Path, tmp_path: Path) -> None:
    said("plot", "timeline", trace, "-o", tmp_path / f"time.{ending}")
    assert (tmp_path / f"time.{ending}").read_bytes().startswith(beginning)


def test_names_are_told_as_they_are(trace: Path, tmp_path: Path) -> None:
    name = "x[b]y[red]z:bug:"  # which rich would print in bold, in red, and as a picture
    copy = tmp_path / f"{name}.trace"
    commands = [
        ("convert", trace, copy),
        ("plot", "lifetimes", copy, "-o", tmp_path / f"{name}.png"),
        ("plot", "animation", copy, "--frames", "2", "-o", tmp_path / f"{name}.gif"),
        ("report", copy, "-a", "classic", "-o", tmp_path / f"{name}.html"),
    ]
    for command in commands:
        ended = slabheap(*command)
        assert ended.stderr.startswith(f"wrote {copy if command[0] == 'convert' else command[-1]}"), ended.stderr
    assert said("info", copy).startswith(str(copy))
    assert f"{tmp_path}/none{name}" in refusal("info", tmp_path / f"none{name}")


def test_an_animation_is_written_with_as_many_frames_as_were_asked_for(trace: Path, tmp_path: Path) -> None:
    said("plot", "animation", trace, "-o", tmp_path / "pages.gif", "--frames", "5", "--speed", "20")
    with Image.open(tmp_path / "pages.gif") as image:
        assert image.n_frames == 5  # type: ignore[attr-defined]
        assert image.info["duration"] == 50


def test_a_sweep_is_drawn_from_its_file(trace: Path, tmp_path: Path) -> None:
    rows = tmp_path / "rows.parquet"
    said("sweep", trace, "--preset", "classic,compact", "--page-bytes", "1K,4K", "-o", rows)
    said("plot", "sweep", rows, "-x", "page_bytes", "-y", "preset", "-v", "peak_held_bytes", "-o", tmp_path / "map.png")
    with Image.open(tmp_path / "map.png") as image:
        assert image.width >= 900
    assert "'speed' is no figure of the sweep" in refusal(
        "plot", "sweep", rows, "-x", "page_bytes", "-y", "preset", "-v", "speed", "-o", "-"
    )


def test_pictures_go_through_pipes(trace: Path) -> None:
    command = [sys.executable, "-m", "slabheap.cli", "plot", "lifetimes", "-", "-o", "-"]
    ended = subprocess.run(command, input=trace.read_bytes(), capture_output=True, check=True)
    assert ended.stdout.startswith(b"\x89PNG")
    assert ended.stderr == b""


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("timeline", "{trace}", "-o", "{folder}/time.gif"), "time.gif must end with .png, .svg or .pdf"),
        (("animation", "{trace}", "-o", "{folder}/pages.mp4"), "pages.mp4 must end with .gif, .png or .webp"),
        (("animation", "{trace}", "-o", "-"), "an animation is written to a file"),
        (("strip", "{trace}", "-o", "{folder}/missing/strip.png"), "there is no folder {folder}/missing"),
        (("pages", "{trace}", "--event", "3000", "-o", "{folder}/x.png"), "--event must be from 0 to 2999, not 3000"),
        (("classes", "{trace}", "--classes", "a,b", "-o", "{folder}/x.png"), "classes must be numbers"),
        (("comparison", "{trace}", "-a", "/no/such.so", "-o", "{folder}/x.png"), "/no/such.so"),
        (("figures", "{trace}", "-f", "speed", "-o", "{folder}/x.png"), "there is no figure 'speed' over time"),
        (("figures", "{trace}", "-a", "system", "-f", "occupancy", "-o", "{folder}/x.png"), "none of the results has occupancy"),
        (("timeline", "{folder}/no.trace", "-o", "{folder}/x.png"), "no.trace"),
        (("sweep", "{trace}", "-x", "preset", "-y", "pages", "-o", "{folder}/x.png"), "is not a Parquet file"),
        (("sweep", "{folder}/no.parquet", "-x", "preset", "-y", "pages", "-o", "-"), "{folder}/no.parquet: No such file or directory"),
    ],
)
def test_what_cannot_be_drawn_says_why_and_leaves_nothing(arguments: tuple[str, ...], reason: str, trace: Path, tmp_path: Path) -> None:
    filled = [argument.format(trace=trace, folder=tmp_path) for argument in arguments]
    assert reason.format(folder=tmp_path) in refusal("plot", *filled)
    assert list(tmp_path.iterdir()) == []


def test_a_trace_without_events_has_no_event_to_draw_the_pages_after(tmp_path: Path) -> None:
    path = tmp_path / "none.trace"
    trace_of().save(path)
    assert "the trace has no events" in refusal("plot", "pages", path, "--event", 5, "-o", tmp_path / "x.png")


def test_a_report_is_written_with_the_command_that_made_it(trace: Path, tmp_path: Path) -> None:
    target = tmp_path / "a report.html"
    ended = slabheap("report", trace, "-o", target, "-a", "compact", "-a", "system", "--frames", "3", "--repeats", "2", "--title", "A & B")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == ""
    text = target.read_text(encoding="utf-8")
    assert "<h1>A &amp; B</h1>" in text
    assert f"slabheap report {trace} -o &#39;{target}&#39; -a compact" in text
    assert [row[0] for row in Page(text).rows[1:3]] == ["compact", "system"]


def test_a_report_goes_through_a_pipe(trace: Path) -> None:
    text = said("report", trace, "-o", "-", "-a", "classic", "--huge-pages", "system", "--repeats", "0", "--frames", "2")
    assert text.startswith("<!DOCTYPE html>")
    assert Page(text).rows[1][:3] == ["classic huge_pages=system", "-", "-"]  # neither a speed nor a range of it


def test_a_report_is_utf_8_whatever_the_letters_of_the_terminal(trace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    text = said("report", trace, "-o", "-", "-a", "classic", "--repeats", "0", "--frames", "1", "--title", "größer")
    assert "<h1>größer</h1>" in text


def test_a_report_into_nowhere_is_refused_before_anything_is_replayed(trace: Path, tmp_path: Path) -> None:
    assert "report.txt must end with .html or .htm" in refusal("report", trace, "-o", tmp_path / "report.txt")
    assert "there is no folder" in refusal("report", trace, "-o", tmp_path / "missing/report.html")
    assert "no.trace" in refusal("report", tmp_path / "no.trace", "-o", tmp_path / "report.html")
    assert list(tmp_path.iterdir()) == []


def test_completion_knows_the_kinds_of_pictures() -> None:
    assert set(completions("plot", "")) >= set(KINDS)
