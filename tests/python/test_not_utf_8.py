"""Commands and paths that are not UTF-8: they are kept as they are, and shown with escapes wherever they are shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from commanding import said, slabheap, told
from compiling import library
from making_traces import random_trace
from slabheap import Information, Trace, compare, plot, replay, report
from slabheap.formats import FORMATS
from test_replay_libraries import BUMP, REST

COMMAND = ["/bin/echo", "a\udcffb"]
SHOWN = "a\\udcffb"


@pytest.fixture
def trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A trace of a command that is not UTF-8, in a file whose name is not either, where output has to be."""
    monkeypatch.setenv("PYTHONIOENCODING", "utf-8:strict")
    path = tmp_path / "\udcfe.trace"
    Trace(random_trace(1, 2000).events, Information("recorder", COMMAND)).save(path)
    return path


def test_info_shows_them(trace: Path) -> None:
    text = said("info", trace)
    assert SHOWN in text
    assert "\\udcfe.trace" in text
    assert told("info", trace)["command"] == COMMAND


def test_record_shows_them(tmp_path: Path) -> None:
    command = ["/bin/true", "a\udcffb"]
    ended = slabheap("record", "-o", tmp_path / "\udcfe.trace", "--", *command)
    assert ended.returncode == 0
    assert "\\udcfe.trace" in "".join(ended.stderr.split())
    assert Trace.load(tmp_path / "\udcfe.trace").information.command == command


@pytest.mark.parametrize("kind", ["lifetimes", "comparison"])
def test_pictures_show_them(kind: str, trace: Path, tmp_path: Path) -> None:
    said("plot", kind, trace, "-o", tmp_path / "\udcfd.svg")
    assert (tmp_path / "\udcfd.svg").read_bytes().startswith(b"<?xml")


def test_reports_show_them(trace: Path, tmp_path: Path) -> None:
    said("report", trace, "-a", "classic", "-o", tmp_path / "\udcfd.html")
    page = (tmp_path / "\udcfd.html").read_text()
    assert f"<h1>Allocations of /bin/echo {SHOWN}</h1>" in page
    assert said("report", trace, "-a", "classic", "--title", "x\udcffy", "-o", "-").count("<h1>x\\udcffy</h1>") == 1


def test_objects_show_them(trace: Path, tmp_path: Path) -> None:
    own = Trace(random_trace(1, 10).events, Information("recorder", ["a\udcffb"]))
    assert repr(own).startswith(f"<Trace of {SHOWN}: ")
    assert SHOWN in Trace.load(trace)._repr_html_()
    (tmp_path / "a\udcffb").mkdir()
    path = library(tmp_path / "a\udcffb", BUMP + REST, "lib\udcffb.so")
    assert repr(replay(own, str(path))).startswith("<Result of lib\\udcffb: ")
    results = compare(own, ["classic", str(path)])
    plot.timeline(results).canvas.draw()
    assert "lib\\udcffb" in report(own, results)


@pytest.mark.parametrize("name", [name for name, known in FORMATS.items() if known.writer])
def test_every_format_takes_them(name: str, trace: Path, tmp_path: Path) -> None:
    Trace.load(trace).save(tmp_path / "out", name)
    assert (tmp_path / "out").stat().st_size > 0
    if name in ("slabheap", "arrow", "parquet"):
        assert Trace.load(tmp_path / "out").information.command == COMMAND
