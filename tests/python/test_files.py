"""Files that are written: they take the place of what was there whole, or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from making_traces import random_trace
from slabheap import plot, replay, report
from slabheap.cli.drawing import save
from slabheap.files import Output, replaced

TRACE = random_trace(1, 500)


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


def test_a_file_that_cannot_have_the_mode_of_the_one_that_was_there_is_not_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refusing(_descriptor: int, _mode: int) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    path = tmp_path / "a.trace"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, "fchmod", refusing)
    with pytest.raises(PermissionError) as raised:
        Output(path)
    assert raised.value.filename == str(path)
    assert [(left.name, left.read_bytes()) for left in tmp_path.iterdir()] == [("a.trace", b"old")]


@pytest.mark.parametrize("name", ["x" * 255, "漢" * 83 + ".trace", "\udcff" * 255])
def test_a_name_may_be_as_long_as_the_system_lets_it_be(name: str, tmp_path: Path) -> None:
    output = Output(tmp_path / name)
    output.file.write(b"whole")
    assert not (tmp_path / name).exists()
    output.keep()
    assert (tmp_path / name).read_bytes() == b"whole"
    assert [path.name for path in tmp_path.iterdir()] == [name]


@contextlib.contextmanager
def little_room() -> Iterator[None]:
    """No file can be longer than 1000 bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


RESULT = replay(TRACE, repeats=0, snapshot_events=[100, 400])
WRITERS: dict[str, Callable[[Path], object]] = {
    "a.html": lambda path: report(TRACE, [RESULT], path),
    "a.gif": lambda path: plot.page_animation(RESULT, path),
    "a.webp": lambda path: plot.page_animation(RESULT, path),
    "a.png": lambda path: save(plot.timeline(RESULT), path),
    "a.SVG": lambda path: save(plot.timeline(RESULT), path),
    "a.pdf": lambda path: save(plot.timeline(RESULT), path),
}


@pytest.mark.parametrize("name", WRITERS)
def test_what_cannot_be_written_whole_leaves_what_was_there(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    WRITERS[name](path)
    whole = path.read_bytes()
    assert len(whole) > 1000
    with little_room(), pytest.raises(OSError, match="File too large"):
        WRITERS[name](path)
    assert path.read_bytes() == whole
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_interrupted_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    with contextlib.suppress(KeyboardInterrupt), replaced(tmp_path / "a") as file:
        file.write(b"new")
        raise KeyboardInterrupt
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a", b"old")]


def test_an_output_that_is_let_go_of_leaves_nothing(tmp_path: Path) -> None:
    output = Output(tmp_path / "some.txt")
    output.file.close()
    assert len(list(tmp_path.iterdir())) == 1
    del output
    assert list(tmp_path.iterdir()) == []
