"""Files that are written: they take the place of what was there whole, or not at all."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from slabheap.files import Output


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o640, 0o755, 0o400])
def test_a_file_that_is_replaced_hands_its_mode_on(mode: int, tmp_path: Path) -> None:
    path = tmp_path / "a.trace"
    path.write_bytes(b"old")
    path.chmod(mode)
    output = Output(path)
    output.file.write(b"new")
    output.keep()
    assert stat.S_IMODE(path.stat().st_mode) == mode
    path.chmod(0o600)
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_is_new_has_the_mode_that_files_have_here(tmp_path: Path) -> None:
    (tmp_path / "other").touch()
    output = Output(tmp_path / "a.trace")
    output.keep()
    assert (tmp_path / "a.trace").stat().st_mode == (tmp_path / "other").stat().st_mode


@pytest.mark.parametrize("name", ["x" * 255, "漢" * 83 + ".trace", "\udcff" * 255])
def test_a_name_may_be_as_long_as_the_system_lets_it_be(name: str, tmp_path: Path) -> None:
    output = Output(tmp_path / name)
    output.file.write(b"whole")
    assert not (tmp_path / name).exists()
    output.keep()
    assert (tmp_path / name).read_bytes() == b"whole"
    assert [path.name for path in tmp_path.iterdir()] == [name]
