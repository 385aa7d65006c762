"""Recording: run an unmodified program and see every call of its allocator.

A library is preloaded into the program (and into every program that it starts), stands in front of malloc and its relatives, and
writes what it sees to mapped files. What it leaves is merged into traces when the program has ended.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from slabheap import _core
from slabheap.files import Output
from slabheap.formats import format_of_name
from slabheap.interrupts import deaf_to_interrupts
from slabheap.preloading import preloadable
from slabheap.tracefile import CHUNK_EVENTS, Information, TraceWriter

__all__ = ["Recorded", "RecordedProcess", "record"]

_RECORDER = Path(__file__).parent / "libslabheap-record.so"


@dataclasses.dataclass(frozen=True)
class RecordedProcess:
    """A program image that was recorded.

    Attributes:
        path: Its trace.
        command: The program and its arguments.
        process: Its process number.
        events: Events in the trace.
        lost: Calls that could not be recorded.
    """

    path: Path
    command: list[str]
    process: int
    events: int
    lost: int


@dataclasses.dataclass(frozen=True)
class Recorded:
    """What `record` leaves.

    Attributes:
        status: The exit status of the program, or, if a signal ended it, minus the signal's number.
        main: The program's trace: of its last image, if it replaced itself; None if there is none.
        others: The traces of programs that it started, and of images that it replaced, in order of their start.
        reasons: Why there is no trace of what should have one, and what to do about it.
    """

    status: int
    main: RecordedProcess | None
    others: list[RecordedProcess]
    reasons: list[str] = dataclasses.field(default_factory=list)


def record(
    command: Sequence[str],
    path: str | Path,
    *,
    follow: bool = True,
    scratch: str | Path | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Recorded:
    """Runs a program with its standard streams as they are, and writes the trace of its allocations.

    If the trace goes to standard output, what the program writes there goes to standard error.

    Calls of malloc, calloc, realloc, free, reallocarray, memalign, aligned_alloc, posix_memalign, valloc and pvalloc are recorded, and
    so C++'s new and delete. Programs with privileges of their own, and statically linked ones, cannot be recorded.

    Args:
        command: The program and its arguments.
        path: The trace to write, whose name ends with .trace or without a suffix. Those of other processes stand beside it, named after
            their process. "-" is standard output; those of other processes are not kept then.
        follow: Whether to keep the traces of other processes.
        scratch: A folder for what is written while the program runs, 32 bytes a call; beside `path` unless given, or where temporary
            files are, if that is "-".
        progress: Called with the phase ("recording" or "merging"), the calls so far, and how many there are, 0 if that is not known.

    Returns:
        How the program ended, the traces that were written, and why others were not.

    Raises:
        TypeError: The command is one string.
        ValueError: The command is empty, or the name of the trace is that of another format or of none.
        FileNotFoundError: There is no such program, or no such folder for the trace or for scratch.
        PermissionError: The program is a file that cannot be executed.
        OSError: The trace or the scratch folder cannot be written.

    Examples:
        >>> import tempfile
        >>> from slabheap import Trace
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     recorded = record(["/bin/sh", "-c", "exit 3"], f"{folder}/sh.trace")
        ...     recorded.status, len(Trace.load(f"{folder}/sh.trace")) == recorded.main.events
        (3, True)
    """
    path = Path(path)
    is_piped = str(path) == "-"
    program = _program_of(command)
    _expect_name(path)
    _expect_folders(path, scratch)
    with contextlib.ExitStack() as ending:
        # Opened before the program runs: if it cannot be written, that is known before there is something to lose.
        output = Output(path)
        ending.callback(output.discard)  # which does nothing once it is kept
        room = scratch or (None if is_piped else path.parent)
        folder = Path(ending.enter_context(tempfile.TemporaryDirectory(prefix=".slabheap-", dir=room)))
        recorder = ending.enter_context(preloadable(_RECORDER))
        process = ending.enter_context(_started(program, command, recorder, folder, sys.stderr.fileno() if is_piped else None))
        # Ctrl-C goes to the program, too; its end is waited for, and what there is is kept.
        ending.enter_context(deaf_to_interrupts())
        status = _status_of(process, folder, progress)
        return Recorded(status, *_merged(folder, process.pid, path, output, follow and not is_piped, progress))


def _program_of(command: Sequence[str]) -> str:
    """The file that a command runs; an error that names what is wrong if there is none."""
    if isinstance(command, str):
        raise TypeError(f"a command must be a sequence of a program and its arguments, not one string: {command!r}")
    if not command:
        raise ValueError("there is no program to record: the command is empty")
    program = shutil.which(command[0])
    if program is not None:
        return program
    if Path(command[0]).is_file():
        raise PermissionError(f"{command[0]!r} is a file that cannot be executed")
    raise FileNotFoundError(f"there is no program {command[0]!r}")


def _expect_name(path: Path) -> None:
    """Raises ValueError if the name of a trace says that it is something else."""
    try:
        is_native = format_of_name(path) == ("slabheap", "")
    except ValueError:  # it is that of no format
        is_native = False
    if not is_native:
        raise ValueError(f"what is recorded is a trace of slabheap, whose name ends with .trace, not as {path} does; convert it afterwards")


def _expect_folders(path: Path, scratch: str | Path | None) -> None:
    """Raises OSError if there is no folder to write to."""
    if path.is_dir() and str(path) != "-":
        raise IsADirectoryError(f"the trace cannot be written: {str(path)!r} is a folder")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"the trace cannot be written: there is no folder {str(path.parent)!r}")
    if scratch is not None and not Path(scratch).is_dir():
        raise FileNotFoundError(f"there is no scratch folder {str(scratch)!r}")


def _started(program: str, command: Sequence[str], recorder: str, folder: Path, output: int | None) -> subprocess.Popen[bytes]:
    """A process that is recorded into a folder."""
    environment = dict(os.environ)
    environment[_core.record_folder_variable] = str(folder.resolve())
    others = environment.get("LD_PRELOAD", "")
    environment["LD_PRELOAD"] = f"{recorder}:{others}" if others else recorder
    return subprocess.Popen(command, executable=program, env=environment, stdout=output)


def _status_of(process: subprocess.Popen[bytes], folder: Path, progress: Callable[[str, int, int], None] | None) -> int:
    """The exit status of a process that is recorded into a folder, once it has ended."""
    while True:
        try:
            return process.wait(timeout=0.2)
        except subprocess.TimeoutExpired:
            if progress is not None:
                size = sum(file.stat().st_size for file in folder.iterdir())
                progress("recording", size // 32, 0)


def _merged(
    folder: Path, root: int, path: Path, output: Output, follow: bool, progress: Callable[[str, int, int], None] | None
) -> tuple[RecordedProcess | None, list[RecordedProcess], list[str]]:
    """The traces of what was recorded in a folder: that of the process `root`, of its last image, and, if they are followed, the others.

    Also the reasons for those that are missing.
    """
    recordings, reasons = _recordings_in(folder, "*.raw" if follow else f"{root}-*.raw")
    main = max((r for r in recordings if r[1].process == root), key=lambda r: r[1].start_nanoseconds, default=None)
    others = [r for r in recordings if r is not main] if follow else []
    kept = [main, *others] if main is not None else others  # the program's own first, whatever becomes of the others
    total = sum(recording.records for _, recording in kept)
    done = 0

    def report(records: int) -> None:
        if progress is not None:
            progress("merging", done + records, total)

    merged = []
    for raw, recording in kept:
        is_main = main is not None and raw == main[0]
        target = path if is_main else path.with_name(f"{path.stem}.{raw.stem}{path.suffix}")
        merged.append(_merge(recording, target, output if is_main else Output(target), report))
        done += recording.records
        raw.unlink()
    return (merged[0], merged[1:], reasons) if main is not None else (None, merged, reasons)


def _recordings_in(folder: Path, names: str) -> tuple[list[tuple[Path, _core.Recording]], list[str]]:
    """What was recorded, in order of its start, and why some of it was not; what holds nothing is left out."""
    found, reasons = [], []
    files = sorted(folder.glob(names))
    without_room = [path for path in files if path.stat().st_size == 0]  # the recorder made them, and could not reserve room
    if without_room:
        who = "a process was" if len(without_room) == 1 else f"{len(without_room):,} processes were"
        reasons.append(
            f"{who} not recorded: there is no room in {str(folder.parent)!r}, or its file system cannot reserve it, or the program may not "
            "write so large a file (ulimit -f); record with another folder as scratch (--scratch)"
        )
    for path in (path for path in files if path not in without_room):
        try:
            recording = _core.Recording(path)
        except RuntimeError as error:
            reasons.append(str(error))
            continue
        if recording.records or recording.lost:
            found.append((path, recording))
    return sorted(found, key=lambda item: item[1].start_nanoseconds), reasons


def _merge(recording: _core.Recording, path: Path, output: Output, report: Callable[[int], None]) -> RecordedProcess:
    information = Information(source="recorder", command=recording.command, process=recording.process)
    events = 0
    with TraceWriter(output, information) as writer:
        while (chunk := recording.read(CHUNK_EVENTS)).size:
            writer.write(chunk)
            events += chunk.size
            report(recording.records_read)
        information.lost = recording.lost
        information.foreign = recording.foreign
        information.implied_frees = recording.implied_frees
    return RecordedProcess(path, information.command, information.process, events, information.lost)
