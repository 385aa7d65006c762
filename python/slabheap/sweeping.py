"""Sweeps: a replay at each point of a grid, on all cores or a cluster, into a tidy frame that grows on disk."""

from __future__ import annotations

import concurrent.futures
import contextlib
import datetime
import errno
import functools
import hashlib
import operator
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import loky
import pandas as pd

from slabheap import _core
from slabheap.errors import HeapError
from slabheap.events import Events
from slabheap.files import replaced
from slabheap.formats import convert, open_trace
from slabheap.grids import Point, points_of
from slabheap.interrupts import deaf_to_interrupts, ignore_interrupts
from slabheap.machine import processors
from slabheap.merits import FIGURES, TIMED_FIGURES
from slabheap.options import count
from slabheap.replaying import expect_allocators, replay
from slabheap.trace import Trace, compile_trace

__all__ = ["TIMES", "Source", "frame_at", "sweep"]

#: What a sweep can replay: a trace, a file, or what makes the trace of a seed.
Source: TypeAlias = Trace | str | Path | Callable[[int], Trace]

_COLUMNS = {
    "trace": "string",
    "digest": "string",
    "seed": "Int64",
    "allocator": "string",
    "label": "string",
    "preset": "string",
    "classes": "string",
    "set_blocks": "Int64",
    "page_bytes": "Int64",
    "pages": "string",
    "freed_runs": "string",
    "huge_pages": "string",
    "bytes": "Int64",
    "regions": "Int64",
    "repeat": "Int64",
    **{name: "Int64" if figure.is_whole else "Float64" for name, figure in FIGURES.items()},
    "error": "string",
    "version": "string",
    "python": "string",
    "machine": "string",
    "finished": "datetime64[us, UTC]",
    "key": "string",
}

#: The columns that differ from run to run and from machine to machine; all others are the same each time.
TIMES = (*TIMED_FIGURES, "machine", "python", "finished")

_SAMPLES = 1000  # that means are taken over
_SAVE_SECONDS = 1.0  # between two writings of the frame, at the least

Row: TypeAlias = dict[str, Any]


class _Digest:
    """What events come to, whatever file they stand in."""

    def __init__(self) -> None:
        self._hash = hashlib.blake2b(digest_size=8)

    def over(self, chunks: Iterable[Events]) -> Iterator[Events]:
        """The same events, which count from now on."""
        for chunk in chunks:
            self._hash.update(chunk.tobytes())
            yield chunk

    def text(self) -> str:
        return self._hash.hexdigest()


class _Task:
    """What a worker is sent: a file that it can read, and what to do with it."""

    def __init__(self, path: str, row: Row, point: Point, repeats: int, costs: bool) -> None:
        self.path, self.row, self.point, self.repeats, self.costs = path, row, point, repeats, costs


@functools.lru_cache(maxsize=1)
def _program(path: str, digest: str) -> _core.Program:
    """The program of a file, compiled once in each worker."""
    seen = _Digest()
    with open_trace(path) as reader:
        program = compile_trace(seen.over(reader), folder=tempfile.gettempdir())
    if seen.text() != digest:
        raise RuntimeError(f"{path} on {platform.node()} is another trace than the sweep was started with")
    return program


def _run(task: _Task) -> list[Row]:
    """The rows of a point: one a repeat. What cannot be replayed is a row, too, which says why."""
    program = _program(task.path, task.row["digest"])
    common = {**task.row, "python": platform.python_version(), "machine": f"{platform.node()}: {processors()}"}
    point = task.point
    try:
        result = replay(
            program, point.allocator, samples=_SAMPLES, snapshot_events=(), repeats=task.repeats, costs=task.costs, **point.options
        )
    except (HeapError, MemoryError, OSError, RuntimeError, ValueError) as error:
        return [{**common, "repeat": 0, "error": f"{type(error).__name__}: {error}", "finished": _now()}]
    common.update(result.figures())
    if not result.all_seconds:
        return [{**common, "repeat": 0, "finished": _now()}]
    return [
        {
            **common,
            "repeat": repeat,
            "seconds": seconds,
            "operations_per_second": result.events / seconds if seconds else None,
            "finished": _now(),
        }
        for repeat, seconds in enumerate(result.all_seconds)
    ]


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def _frame(rows: Sequence[Row]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(_COLUMNS)).astype(_COLUMNS)


def frame_at(path: str | Path) -> pd.DataFrame:
    """The frame that a sweep left in a Parquet file, finished or not. Its rows are in the order in which points were finished.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is not one of a sweep.

    Examples:
        >>> import tempfile
        >>> from slabheap import workloads
        >>> trace = workloads.from_lifetimes(100, workloads.constant(64), workloads.constant(10))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     swept = sweep(trace, {"set_blocks": [8, 64]}, repeats=0, output=f"{folder}/rows.parquet")
        ...     found = frame_at(f"{folder}/rows.parquet")
        >>> found.sort_values("key", ignore_index=True).equals(swept.sort_values("key", ignore_index=True))
        True
    """
    try:
        frame = pd.read_parquet(path)
    except FileNotFoundError:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path)) from None
    except Exception as error:  # what pyarrow raises depends on what is wrong
        raise ValueError(f"{path} is not a Parquet file: {error}") from None
    missing = [name for name in _COLUMNS if name not in frame]
    if missing:
        raise ValueError(f"{path} is not the frame of a sweep: it has no column {missing[0]!r}")
    return frame[list(_COLUMNS)].astype(_COLUMNS)


class _Store:
    """The rows so far, and the file that has them."""

    def __init__(self, path: str | Path | None) -> None:
        self.path = None if path is None else Path(path)
        self.found = frame_at(self.path) if self.path is not None and self.path.exists() else _frame([])
        self._done = set(self.found["key"][self.found["error"].isna()])
        self._rows: list[Row] = []
        self._saved_at = -_SAVE_SECONDS

    def has(self, key: str) -> bool:
        """Whether there are the rows of a point, which did not fail."""
        return key in self._done

    def add(self, rows: list[Row]) -> None:
        self._rows += rows
        if time.monotonic() >= self._saved_at + _SAVE_SECONDS:
            self.save()

    def frame(self) -> pd.DataFrame:
        """All rows, found and made; those of a point that has run again are the new ones."""
        if not self._rows:
            return self.found
        made = _frame(self._rows)
        kept = self.found[~self.found["key"].isin(made["key"])]
        return made if kept.empty else pd.concat([kept, made], ignore_index=True)

    def save(self) -> None:
        """Writes the file anew, so that it is whole at every moment."""
        if self.path is not None and self._rows:
            with replaced(self.path) as file:
                self.frame().to_parquet(file, index=False)
        self._saved_at = time.monotonic()


def _as_file(trace: Trace | str | Path, folder: Path, name: str) -> str:
    """A file that workers can read: a trace in memory, or one that comes through a pipe, is written into the folder."""
    if isinstance(trace, Trace):
        path = folder / f"{name}.trace"
        trace.save(path)
        return str(path)
    if str(trace) == "-":
        path = folder / "standard input"
        convert(trace, path, target_format="slabheap")
        return str(path)
    return str(Path(trace).resolve())


def _rows_of(trace: Trace | str | Path, path: str) -> Row:
    """What all rows of a trace, which stands in a file, have in common."""
    seen = _Digest()
    with open_trace(path) as reader:
        for _ in seen.over(reader):
            pass
        information = reader.information
    made_of = " ".join(information.command) or information.source
    return {"trace": made_of if isinstance(trace, Trace) else Path(path).name, "digest": seen.text(), "version": _core.version}


def _content_of(allocator: str) -> str | None:
    """What the file of a library comes to; None if it is no library, or one that only a cluster's machines have."""
    if not Path(allocator).is_file():
        return None
    with Path(allocator).open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=8)).hexdigest()


def _key(row: Row, point: Point, content: str | None, repeats: int, costs: bool) -> str:
    """What only equal points of equal traces, made of the same seed, share; on libraries, only of equal content."""
    parts = (row["digest"], row["seed"], point.key, content, repeats, costs, row["version"])
    return hashlib.blake2b(repr(parts).encode(), digest_size=8).hexdigest()


def _traces(source: Source, seeds: Iterable[int]) -> list[tuple[int | None, Trace | str | Path]]:
    """What is to be replayed, with the seed that it was made of."""
    if isinstance(source, Trace | str | Path):
        return [(None, source)]
    return [(seed, source(seed)) for seed in dict.fromkeys(map(operator.index, seeds))]


def _tasks(source: Source, seeds: Sequence[int], points: Sequence[Point], repeats: int, costs: bool, folder: Path) -> list[_Task]:
    """Every task of a sweep, in the order of its rows."""
    tasks = []
    contents = {point.allocator: _content_of(point.allocator) for point in points if point.allocator not in ("slabheap", "system")}
    for seed, trace in _traces(source, seeds):
        path = _as_file(trace, folder, "trace" if seed is None else str(seed))
        row = {**_rows_of(trace, path), "seed": seed}
        for point in points:
            options = {**point.options, "classes": ",".join(map(str, point.options.get("classes", ()))) or None}
            key = _key(row, point, contents.get(point.allocator), repeats, costs)
            own = {"allocator": point.allocator, "label": point.label, **options, "key": key}
            tasks.append(_Task(path, {**row, **own}, point, repeats, costs))
    return tasks


def _run_all(
    tasks: Sequence[_Task], executor: concurrent.futures.Executor, store: _Store, report: Callable[[int], None], *, cancels: bool
) -> None:
    """Runs tasks; whatever ends this early, rows that are finished are kept, and the tasks that are left are cancelled if wanted."""
    # Our own workers are started here: a terminal's Ctrl-C goes to all, and this process sees to their end.
    with contextlib.nullcontext() if cancels else deaf_to_interrupts():
        futures = {executor.submit(_run, task) for task in tasks}
    kept: set[concurrent.futures.Future[list[Row]]] = set()

    def keep(future: concurrent.futures.Future[list[Row]]) -> None:
        store.add(future.result())
        kept.add(future)
        report(len(kept))

    try:
        for future in concurrent.futures.as_completed(futures):
            keep(future)
    except BaseException:
        for future in futures - kept:
            if cancels and future.cancel():
                continue
            if future.done() and not future.cancelled() and future.exception() is None:
                keep(future)
        raise
    finally:
        store.save()


@contextlib.contextmanager
def _own_pool(processes: int) -> Iterator[concurrent.futures.Executor]:
    """A pool of processes. It needs no guard in the main module, as that of the standard library would."""
    pool = loky.ProcessPoolExecutor(max_workers=processes, initializer=ignore_interrupts)
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, kill_workers=True)  # an early end does not wait for replays that nobody wants any more


def sweep(
    trace: Source,
    grid: Mapping[str, Iterable[Any]],
    executor: concurrent.futures.Executor | None = None,
    *,
    jobs: int | None = None,
    repeats: int = 1,
    costs: bool | None = None,
    seeds: Iterable[int] = (0,),
    output: str | Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    """Replays a trace at every point of a grid.

    Points run at the same time, so their times are those of a busy machine; to compare speeds, sweep with `jobs=1`. Bytes and counts
    are the same however it is run.

    Args:
        trace: The trace, a file ("-" for standard input), or a function that makes a trace of a seed. A file is read as a stream by each
            worker; on a cluster, it has to lie where every machine can read it under the same path. So does the folder for temporary
            files, if the trace is none that lies in a file.
        grid: From an axis ("allocator", "bytes", "regions", "preset", "classes", "set_blocks", "page_bytes", "pages", "freed_runs",
            "huge_pages") to the values to try; None stands for what there is without the option. Options count for slabheap alone, but
            for "huge_pages", which is for every allocator ("wanted" for slabheap alone, so not beside others): other allocators are one
            point for each of its values.
        executor: Any `concurrent.futures.Executor`, such as that of a cluster: `dask.distributed.Client(...).get_executor()`. A pool of
            processes unless given.
        jobs: How many processes the pool has; as many as there are cores unless given.
        repeats: Timed replays of each point; 0 leaves times out.
        costs: Whether to time each call in one replay more of each point. Unless given, if there are timed replays.
        seeds: What to call `trace` with, if it is a function; once for each.
        output: A Parquet file for the frame, kept up to date while the sweep runs. Points of the same trace, seed, options, repeats, costs
            and version, and of libraries of the same content, that it has already are not run again unless they failed; rows of other
            sweeps stay in it. One sweep at a time writes a file.
        progress: Called with the points done and those to do.

    Returns:
        A row for each repeat of each point of each seed, in that order. Columns: `trace`, `digest` (of its events), `seed`, `allocator`,
        `label`, the options (missing where they were not given), `repeat`, the figures of `Result.figures` (docs/figures.md; `seconds` and
        `operations_per_second` are those of the repeat), `error` (why a point could not be replayed), `version`, `python`,
        `machine`, `finished`, and `key` (of the point).

    Raises:
        ValueError: The grid, the repeats or the trace makes no sense, or `output` is a file of something else; nothing has been run then.
        TypeError: Values of the grid are no sequence, or repeats or seeds no integers.
        FileNotFoundError: There is no such trace, or, without an executor, no such library.

    Examples:
        >>> from slabheap import workloads
        >>> trace = workloads.from_lifetimes(500, workloads.log_normal(100, 1.0), workloads.exponential(40))
        >>> frame = sweep(trace, {"preset": ["classic", "compact"], "page_bytes": [1024, 4096]}, repeats=0)
        >>> list(frame["label"])
        ['classic page_bytes=1024', 'classic page_bytes=4096', 'compact page_bytes=1024', 'compact page_bytes=4096']
        >>> bool((frame["held_ratio"] > 1).all())
        True
    """
    repeats = count("repeats", repeats)
    if jobs is not None and (jobs < 1 or executor is not None):
        raise ValueError("jobs must be at least 1, and is not for an executor of yours")
    points = points_of(grid)
    if executor is None:  # the libraries of a cluster are on its machines
        expect_allocators(point.allocator for point in points)
    store = _Store(output)
    with tempfile.TemporaryDirectory(prefix="slabheap-") as folder, contextlib.ExitStack() as closing:
        tasks = _tasks(trace, list(seeds), points, repeats, repeats > 0 if costs is None else costs, Path(folder))
        left = [task for task in tasks if not store.has(task.row["key"])]
        finished = len(tasks) - len(left)

        def report(done: int) -> None:
            if progress is not None:
                progress(finished + done, len(tasks))

        report(0)
        if left:
            pool = executor or closing.enter_context(_own_pool(min(len(left), jobs or os.cpu_count() or 1)))
            # The end of a pool of ours does away with its tasks, and takes offence if somebody else has.
            _run_all(left, pool, store, report, cancels=executor is not None)
    wanted = {task.row["key"]: place for place, task in enumerate(tasks)}
    frame = store.frame()
    frame = frame[frame["key"].isin(list(wanted))]
    order = frame["key"].map(wanted)
    return frame.assign(_place=order).sort_values(["_place", "repeat"], kind="stable").drop(columns="_place").reset_index(drop=True)
