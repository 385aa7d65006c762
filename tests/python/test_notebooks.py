"""The notebooks of examples/: each runs from its first cell to its last, and is kept with what it shows."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest

from places import ROOT

NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))


def shown(notebook: Any) -> list[list[str]]:
    """For each cell of code, in what forms it shows its results."""
    return [
        sorted(form for output in cell.outputs for form in output.get("data", {})) for cell in notebook.cells if cell.cell_type == "code"
    ]


def test_there_are_three_notebooks() -> None:
    assert [path.stem for path in NOTEBOOKS] == ["first_heap", "fragmentation", "tuned_classes"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_shows_what_it_is_kept_with(path: Path, tmp_path: Path) -> None:
    command = [str(Path(sys.executable).with_name("jupyter-execute")), str(path), f"--output={tmp_path / 'fresh.ipynb'}", "--timeout=-1"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    kept, fresh = (nbformat.read(each, as_version=4) for each in (path, tmp_path / "fresh.ipynb"))  # type: ignore[no-untyped-call]
    assert shown(fresh) == shown(kept)
    assert any("image/png" in forms for forms in shown(kept))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_small_and_begins_with_prose(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    assert path.stat().st_size < 400_000
    assert notebook.cells[0].cell_type == "markdown"
    assert notebook.cells[0].source.startswith("# ")
    kinds = [cell.cell_type for cell in notebook.cells]
    assert kinds.count("markdown") >= 6
