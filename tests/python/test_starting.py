"""How the command starts: with no more loaded than it needs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from making_traces import random_trace

#: Modules that take longer to load than all of slabheap.
HEAVY = {"matplotlib", "pandas", "pyarrow", "PIL", "jinja2", "loky", "distributed", "memray", "google.protobuf"}

# Runs the command in this process, and says which of the modules have been loaded when it ends.
SCRIPT = """
import sys
from slabheap.cli import main
heavy, sys.argv = set(sys.argv[1].split()), ["slabheap", *sys.argv[2:]]
try:
    main()
finally:
    print("\\nloaded:", *sorted(heavy & set(sys.modules)), file=sys.stderr)
"""


def loaded(folder: Path, *arguments: str) -> set[str]:
    """Which heavy modules a command has loaded when it ends well."""
    command = [sys.executable, "-c", SCRIPT, " ".join(HEAVY), *arguments]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return set(ended.stderr.rpartition("loaded:")[2].split())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small trace."""
    folder = tmp_path_factory.mktemp("starting")
    random_trace(1, 500).save(folder / "app.trace")
    return folder


@pytest.mark.parametrize(
    "command",
    [
        *("--help", "--version", "record --help", "sweep --help", "plot --help", "plot timeline --help", "report --help"),
        *("info app.trace", "replay app.trace", "compare app.trace", "optimise app.trace", "convert app.trace app.rep"),
        "record -o small.trace -- true",
    ],
)
def test_what_neither_draws_nor_tabulates_loads_nothing_heavy(command: str, folder: Path) -> None:
    assert loaded(folder, *command.split()) == set()


@pytest.mark.parametrize("command", ["plot timeline app.trace -o x.png", "plot costs app.trace -o x.png", "plot strip app.trace -o x.png"])
def test_what_draws_loads_no_tables(command: str, folder: Path) -> None:
    assert loaded(folder, *command.split()) == {"matplotlib", "PIL"}


def test_a_report_loads_no_tables(folder: Path) -> None:
    command = "report app.trace --frames 1 --repeats 0 -a classic -o x.html"
    assert loaded(folder, *command.split()) == {"jinja2", "matplotlib", "PIL"}


def test_a_profile_loads_what_writes_it(folder: Path) -> None:
    assert loaded(folder, *["convert", "app.trace", "app.pb.gz"]) == {"google.protobuf"}
