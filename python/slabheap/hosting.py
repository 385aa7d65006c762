"""Replay in a process of its own, on whatever malloc that process has: the system's, or that of a preloaded library."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import struct
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from slabheap import _core
from slabheap.preloading import preloadable

__all__ = ["Host", "Measured", "expect_library"]

_HOST = Path(__file__).parent / "bin" / "slabheap-replay-host"
_ANSWER = struct.Struct("<QQQQQQddQ")  # HostAnswer
_ENDS = {
    3: "the system gave it no memory",
    4: "the kernel gave it no figures",
    6: "the program could not be mapped",
    7: "the library has no malloc and free",
}


@dataclasses.dataclass(frozen=True)
class _Answer:
    """What a host said; HostAnswer in the native sources."""

    rows: int
    failures: int
    peak_used_bytes: int
    peak_slack_bytes: int
    peak_live_pages: int
    peak_held_bytes: int
    nanoseconds_per_tick: float
    reading_ticks: float
    resolution_ticks: int


@dataclasses.dataclass(frozen=True)
class Measured:
    """What a measured replay found: `answer` has the peaks, `timeline` the samples, `at_peak` that of the peak, if there was an event."""

    answer: _Answer
    timeline: npt.NDArray[np.void]
    at_peak: np.void | None


def expect_library(allocator: str, names: Sequence[str]) -> None:
    """Raises FileNotFoundError if an allocator, which is none of the names that there are, is no file either."""
    if not Path(allocator).is_file():
        known = f"{', '.join(names[:-1])} or {names[-1]}"
        raise FileNotFoundError(f"there is no allocator {allocator!r}: not {known}, nor a library's path")


class Host:
    """Replays of a program on an allocator: "system", or the path of a library.

    Args:
        program: The program.
        allocator: The allocator.
        has_huge_pages: Whether the kernel may back its memory by huge pages, as it asks and the system gives.

    Raises:
        FileNotFoundError: There is no such library.
    """

    def __init__(self, program: _core.Program, allocator: str, has_huge_pages: bool = False) -> None:
        if allocator != "system":
            expect_library(allocator, ("slabheap", "system"))
            allocator = str(Path(allocator).resolve())
        self.program = program
        self.allocator = allocator
        self.has_huge_pages = has_huge_pages

    def measure(self, samples: int) -> Measured:
        """A measured replay with so many samples."""
        answer, rows = self._run("m", min(samples, self.program.events))
        timeline = np.frombuffer(rows, _core.sample_dtype)
        return Measured(answer, timeline[:-1], timeline[-1] if self.program.events else None)

    def time(self, warm: bool) -> npt.NDArray[np.float64]:
        """The seconds of each stretch of a timed replay; if `warm`, of one that follows another in the same process."""
        return np.frombuffer(self._run("w" if warm else "t", 0)[1], np.float64)

    def measure_costs(self, windows: int) -> tuple[npt.NDArray[np.void], float, float, int]:
        """What `Costs` is made of, from a replay in which each call is timed."""
        answer, rows = self._run("c", windows)
        return np.frombuffer(rows, _core.cost_window_dtype), answer.nanoseconds_per_tick, answer.reading_ticks, answer.resolution_ticks

    @contextlib.contextmanager
    def _environment(self) -> Iterator[dict[str, str]]:
        """The environment of a host process, as long as it runs."""
        environment = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
        if self.allocator == "system":
            yield environment
            return
        with preloadable(Path(self.allocator)) as library:
            yield {**environment, "LD_PRELOAD": library}

    def _run(self, task: str, rows: int) -> tuple[_Answer, bytes]:
        """The answer of a host process, and the rows behind it."""
        program = self.program
        numbers = (program.fileno(), program.events, program.slots, rows, program.peak_event)
        arguments = [str(_HOST), task, *map(str, numbers), "s" if self.has_huge_pages else "u"]  # HostHugePages
        with self._environment() as environment:
            host = subprocess.run(arguments, env=environment, capture_output=True, pass_fds=(program.fileno(),), check=False)
        errors = host.stderr.decode(errors="replace").strip()
        if "from LD_PRELOAD cannot be preloaded" in errors:
            raise RuntimeError(f"{self.allocator} could not be preloaded: {errors.splitlines()[0]}")
        if host.returncode != 0 or len(host.stdout) < _ANSWER.size:
            reason = _ENDS.get(host.returncode, f"it ended with status {host.returncode}")
            raise RuntimeError(f"the replay on {self.allocator} failed: {reason}" + (f"; it said: {errors}" if errors else ""))
        return _Answer(*_ANSWER.unpack_from(host.stdout)), host.stdout[_ANSWER.size :]
