"""Sweeps: grids, frames, executors, and what is left when one is killed."""

from __future__ import annotations

import concurrent.futures
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from distributed import LocalCluster

import slabheap
from compiling import library
from making_traces import random_trace, trace_of
from places import TRACES
from slabheap import Trace, replay, sweep, workloads
from slabheap.grids import points_of
from slabheap.sweeping import TIMES, frame_at

GRID: dict[str, list[Any]] = {"preset": ["classic", "compact"], "page_bytes": [None, 1024], "regions": [1, 5]}


#: An allocator that takes nothing back, of 8 MiB in all.
BUMP = """
static char memory[8 << 20], *next = memory;
void *malloc(size_t size) { void *block = next; next += (size + 63) & -64L; return block; }
void free(void *block) {}
"""


class Inline(concurrent.futures.Executor):
    """Runs what is submitted at once, and counts it. From a chosen task on, it fails instead."""

    def __init__(self, fails_at: int = 1 << 30) -> None:
        self.submitted = 0
        self._fails_at = fails_at

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **named: Any) -> concurrent.futures.Future[Any]:
        future: concurrent.futures.Future[Any] = concurrent.futures.Future()
        if self.submitted >= self._fails_at:
            future.set_exception(KeyboardInterrupt())
        else:
            future.set_result(function(*arguments, **named))
        self.submitted += 1
        return future


def timeless(frame: pd.DataFrame) -> pd.DataFrame:
    """What is the same each time."""
    return frame.drop(columns=list(TIMES))


@pytest.fixture(scope="module")
def trace() -> Trace:
    """A trace that replays in a moment."""
    return random_trace(3, 3000)


@pytest.fixture(scope="module")
def swept(trace: Trace) -> pd.DataFrame:
    """The frame of the grid."""
    return sweep(trace, GRID, executor=Inline(), repeats=0)


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    """A dask cluster of two processes on this machine."""
    with LocalCluster(  # type: ignore[no-untyped-call]
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as started:
        yield started


def test_a_grid_has_every_combination_the_last_axis_fastest() -> None:
    points = points_of({"preset": ["classic", "compact"], "set_blocks": [16, 64]})
    assert [point.options for point in points] == [
        {"preset": "classic", "set_blocks": 16},
        {"preset": "classic", "set_blocks": 64},
        {"preset": "compact", "set_blocks": 16},
        {"preset": "compact", "set_blocks": 64},
    ]


def test_points_that_come_to_the_same_are_one() -> None:
    points = points_of({"allocator": ["classic", "slabheap", "system"], "page_bytes": [None, 1024, None]})
    assert [(point.allocator, point.options) for point in points] == [
        ("slabheap", {"preset": "classic"}),
        ("slabheap", {"page_bytes": 1024, "preset": "classic"}),
        ("slabheap", {}),
        ("slabheap", {"page_bytes": 1024}),
        ("system", {}),
    ]


def test_numbers_of_numpy_are_numbers() -> None:
    points = points_of({"set_blocks": np.array([8, 64]), "page_bytes": [np.int64(1024)], "classes": [[np.uint32(32), 512]]})
    plain = points_of({"set_blocks": [8, 64], "page_bytes": [1024], "classes": [[32, 512]]})
    assert points == plain
    assert [point.key for point in points] == [point.key for point in plain]
    with pytest.raises(TypeError, match="a size class must be an integer, not of the type float"):
        points_of({"classes": [[64.5]]})


def test_a_grid_of_nothing_is_one_point() -> None:
    assert [point.label for point in points_of({})] == ["classic"]


@pytest.mark.parametrize(
    ("grid", "error", "words"),
    [
        ({"page_size": [1]}, ValueError, "cannot vary 'page_size'"),
        ({"page_bytes": []}, ValueError, "no value for page_bytes"),
        ({"page_bytes": 4096}, TypeError, r"page_bytes must be a sequence, such as \[4096\]"),
        ({"preset": "classic"}, TypeError, "preset must be a sequence"),
        ({"preset": ["cosy"]}, ValueError, "cosy"),
        ({"page_bytes": [1000]}, ValueError, "a page must have a power of two of bytes"),
        ({"classes": [[64, 32]]}, ValueError, "classes"),
        ({"classes": [64, 32]}, TypeError, "a sequence of block sizes"),
        ({"allocator": ["classic"], "preset": ["compact"]}, ValueError, "twice"),
    ],
)
def test_a_grid_that_makes_no_sense_is_refused_before_anything_is_run(
    trace: Trace, grid: dict[str, Any], error: type[Exception], words: str
) -> None:
    executor = Inline()
    with pytest.raises(error, match=words):
        sweep(trace, grid, executor=executor)
    assert executor.submitted == 0


def test_the_frame_says_what_a_replay_says(trace: Trace, swept: pd.DataFrame) -> None:
    assert len(swept) == 8
    for point, (_, row) in zip(points_of(GRID), swept.iterrows(), strict=True):
        result = replay(trace, repeats=0, **point.options)
        assert row["label"] == result.label
        assert row["version"] == slabheap.__version__
        assert pd.isna(row["error"])
        for name, value in result.figures().items():
            assert pd.isna(row[name]) if value is None else row[name] == value, name


def test_every_repeat_is_a_row_with_its_time(trace: Trace) -> None:
    frame = sweep(trace, {"allocator": ["classic", "system"]}, executor=Inline(), repeats=3)
    assert list(frame["repeat"]) == [0, 1, 2, 0, 1, 2]
    assert (frame["seconds"] > 0).all()
    assert frame["operations_per_second"].to_numpy() == pytest.approx((frame["events"] / frame["seconds"]).to_numpy())
    assert frame["machine"].nunique() == 1
    assert (frame["allocate_p50_ns"] <= frame["allocate_max_ns"]).all()
    assert list(frame.groupby("label")["free_p99_ns"].nunique()) == [1, 1]  # costs are those of the point
    assert sweep(trace, {}, executor=Inline(), costs=False)["allocate_p50_ns"].isna().all()


def test_class_lists_and_libraries_are_axes(trace: Trace) -> None:
    frame = sweep(trace, {"classes": [None, [32, 512], (4096,)]}, executor=Inline(), repeats=0)
    assert frame["classes"].fillna("preset's").tolist() == ["preset's", "32,512", "4096"]


def test_a_point_that_cannot_be_replayed_is_a_row_that_says_why(trace: Trace) -> None:
    frame = sweep(trace, {"bytes": [2000, 1 << 24]}, executor=Inline(), repeats=0)
    assert frame["error"].iloc[0].startswith("TooSmall")
    assert pd.isna(frame["peak_held_bytes"].iloc[0])
    assert pd.isna(frame["error"].iloc[1])


def test_a_trace_of_nothing_has_no_speed() -> None:
    frame = sweep(trace_of(), {"allocator": ["classic", "system"]}, executor=Inline(), repeats=2)
    assert frame["events"].tolist() == [0] * 4
    assert frame["error"].isna().all()
    assert frame["operations_per_second"].isna().all()


def test_a_function_is_called_with_each_seed() -> None:
    def made(seed: int) -> Trace:
        return workloads.from_lifetimes(300, workloads.log_normal(100, 1.0), workloads.exponential(30), seed=seed)

    frame = sweep(made, {"preset": ["classic", "compact"]}, executor=Inline(), repeats=0, seeds=range(3))
    assert frame["seed"].tolist() == [0, 0, 1, 1, 2, 2]
    assert frame["digest"].nunique() == 3
    again = sweep(made, {"preset": ["classic", "compact"]}, executor=Inline(), repeats=0, seeds=range(3))
    assert timeless(frame).equals(timeless(again))


def test_a_file_is_swept_like_the_trace_in_it(tmp_path: Path, trace: Trace, swept: pd.DataFrame) -> None:
    path = tmp_path / "some.trace"
    trace.save(path)
    from_file = sweep(path, GRID, executor=Inline(), repeats=0)
    assert timeless(from_file.drop(columns="trace")).equals(timeless(swept.drop(columns="trace")))
    assert set(from_file["trace"]) == {"some.trace"}


def test_the_process_pool_gives_the_same_frame_and_tells_its_progress(trace: Trace, swept: pd.DataFrame) -> None:
    told: list[tuple[int, int]] = []
    pooled = sweep(trace, GRID, repeats=0, progress=lambda done, total: told.append((done, total)))
    assert timeless(pooled).equals(timeless(swept))
    assert told == [(done, 8) for done in range(9)]


def test_threads_will_do_as_well(trace: Trace, swept: pd.DataFrame) -> None:
    with concurrent.futures.ThreadPoolExecutor(2) as threads:
        assert timeless(sweep(trace, GRID, executor=threads, repeats=0)).equals(timeless(swept))


def test_a_dask_cluster_gives_the_same_frame(cluster: LocalCluster, trace: Trace, swept: pd.DataFrame) -> None:
    with cluster.get_client() as client:  # type: ignore[no-untyped-call]
        spread = sweep(trace, GRID, executor=client.get_executor(), repeats=0)
    assert timeless(spread).equals(timeless(swept))


def test_what_a_file_has_is_not_run_again(tmp_path: Path, trace: Trace, swept: pd.DataFrame) -> None:
    output = tmp_path / "frame.parquet"
    half = {**GRID, "regions": [1]}
    first, second, third = Inline(), Inline(), Inline()
    sweep(trace, half, executor=first, repeats=0, output=output)
    whole = sweep(trace, GRID, executor=second, repeats=0, output=output)
    assert (first.submitted, second.submitted) == (4, 4)
    assert timeless(whole).equals(timeless(swept))
    other = sweep(random_trace(4, 100), {}, executor=third, repeats=0, output=output)
    assert len(other) == 1
    assert len(frame_at(output)) == 9


def test_a_point_that_failed_is_run_again_and_its_row_is_replaced(
    tmp_path: Path, trace: Trace, swept: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*arguments: Any, **options: Any) -> slabheap.Result:
        if options.get("regions") == 5:
            raise MemoryError("none just now")
        return replay(*arguments, **options)

    output = tmp_path / "frame.parquet"
    monkeypatch.setattr("slabheap.sweeping.replay", failing)
    half = sweep(trace, GRID, executor=Inline(), repeats=0, output=output)
    assert half["error"].notna().sum() == len(frame_at(output)) / 2 == 4
    monkeypatch.undo()
    again = Inline()
    assert timeless(sweep(trace, GRID, executor=again, repeats=0, output=output)).equals(timeless(swept))
    assert again.submitted == 4
    assert len(frame_at(output)) == 8


def test_a_seed_that_makes_the_same_trace_has_a_row_of_its_own(tmp_path: Path, trace: Trace) -> None:
    output = tmp_path / "frame.parquet"
    sweep(lambda _: trace, {}, executor=Inline(), repeats=0, seeds=[0], output=output)
    rest = Inline()
    both = sweep(lambda _: trace, {}, executor=rest, repeats=0, seeds=np.arange(2), output=output)
    assert (both["seed"].tolist(), rest.submitted) == ([0, 1], 1)
    assert timeless(both).equals(timeless(sweep(lambda _: trace, {}, executor=Inline(), repeats=0, seeds=[0, 1])))


def test_a_seed_that_is_given_twice_is_one(tmp_path: Path, trace: Trace) -> None:
    output, executor = tmp_path / "frame.parquet", Inline()
    frame = sweep(lambda _: trace, {}, executor, repeats=0, seeds=np.array([1, 1, 0, 1]), output=output)
    assert (frame["seed"].tolist(), executor.submitted, len(frame_at(output))) == ([1, 0], 2, 2)


@pytest.mark.parametrize(
    ("repeats", "error", "words"),
    [
        (-1, ValueError, "repeats must be from 0 to 2.64 - 1, but is -1"),
        (1.5, TypeError, "repeats must be an integer, not of the type float"),
    ],
)
def test_repeats_that_are_no_count_are_refused_before_anything_is_run(
    trace: Trace, repeats: Any, error: type[Exception], words: str
) -> None:
    executor = Inline()
    with pytest.raises(error, match=words):
        sweep(trace, {}, executor, repeats=repeats)
    assert executor.submitted == 0


def test_a_library_that_was_built_anew_is_run_again(tmp_path: Path, trace: Trace) -> None:
    output, grid = tmp_path / "frame.parquet", {"allocator": [library(tmp_path, "int nothing;")]}
    broken, first, second = Inline(), Inline(), Inline()
    row = sweep(trace, grid, executor=broken, repeats=0, output=output).iloc[0]
    assert "the library has no malloc and free" in row["error"]
    library(tmp_path, BUMP)
    whole = sweep(trace, grid, executor=first, repeats=0, output=output)
    assert whole["error"].isna().tolist() == [True]
    assert sweep(trace, grid, executor=second, repeats=0, output=output).equals(whole)
    assert (broken.submitted, first.submitted, second.submitted) == (1, 1, 0)


def test_a_link_to_the_file_of_a_sweep_stays_a_link(tmp_path: Path, trace: Trace) -> None:
    link = tmp_path / "link.parquet"
    link.symlink_to("rows.parquet")
    for blocks in (8, 64):  # of which the first makes the file, and the second replaces it
        sweep(trace, {"set_blocks": [blocks]}, executor=Inline(), repeats=0, output=link)
        assert link.is_symlink()
        assert sorted(path.name for path in tmp_path.iterdir()) == ["link.parquet", "rows.parquet"]
    assert frame_at(tmp_path / "rows.parquet")["set_blocks"].tolist() == [8, 64]


def test_an_interrupt_leaves_what_is_finished(tmp_path: Path, trace: Trace, swept: pd.DataFrame) -> None:
    output = tmp_path / "frame.parquet"
    with pytest.raises(KeyboardInterrupt):
        sweep(trace, GRID, executor=Inline(fails_at=5), repeats=0, output=output)
    left = len(frame_at(output))
    assert 0 < left <= 5
    rest = Inline()
    assert timeless(sweep(trace, GRID, executor=rest, repeats=0, output=output)).equals(timeless(swept))
    assert rest.submitted == 8 - left


def test_regions_are_an_axis(trace: Trace) -> None:
    frame = sweep(trace, {"bytes": [1 << 24], "regions": [1, 4, None]}, executor=Inline(), repeats=0)
    assert frame["regions"].fillna(0).tolist() == [1, 4, 0]
    assert frame["largest_free_bytes"].iloc[1] < frame["largest_free_bytes"].iloc[0] == frame["largest_free_bytes"].iloc[2]


KILLED = """
import sys
from slabheap import sweep
sweep(sys.argv[1], {"page_bytes": [512, 1024, 2048, 4096], "set_blocks": [8, 16, 32, 64]}, repeats=12, output=sys.argv[2])
"""


def test_a_sweep_that_was_killed_is_resumed_and_gives_the_frame_of_one_that_was_not(tmp_path: Path, cluster: LocalCluster) -> None:
    output = tmp_path / "frame.parquet"
    path = TRACES / "perl-pod.trace"
    grid = {"page_bytes": [512, 1024, 2048, 4096], "set_blocks": [8, 16, 32, 64]}
    with subprocess.Popen([sys.executable, "-c", KILLED, str(path), str(output)], start_new_session=True) as process:
        while not output.exists():
            assert process.poll() is None
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
    left = frame_at(output)["key"].nunique()
    assert 0 < left < 16
    told: list[tuple[int, int]] = []
    with cluster.get_client() as client:  # type: ignore[no-untyped-call]
        resumed = sweep(
            path,
            grid,
            executor=client.get_executor(),
            repeats=12,
            output=output,
            progress=lambda done, total: told.append((done, total)),
        )
    assert told == [(done, 16) for done in range(left, 17)]
    whole = sweep(path, grid, repeats=12)
    assert len(whole) == 16 * 12
    assert timeless(resumed).equals(timeless(whole))
    assert timeless(frame_at(output).sort_values(["key", "repeat"], ignore_index=True)).equals(
        timeless(whole.sort_values(["key", "repeat"], ignore_index=True))
    )


@pytest.mark.parametrize("content", [b"", b"this is no Parquet"])
def test_a_file_that_is_no_frame_is_refused_and_stays(tmp_path: Path, trace: Trace, content: bytes) -> None:
    output = tmp_path / "frame.parquet"
    output.write_bytes(content)
    with pytest.raises(ValueError, match=r"frame\.parquet is not a Parquet file"):
        sweep(trace, GRID, executor=Inline(), output=output)
    assert output.read_bytes() == content


def test_the_frame_of_something_else_is_refused(tmp_path: Path, trace: Trace) -> None:
    output = tmp_path / "frame.parquet"
    pd.DataFrame({"a": [1]}).to_parquet(output)
    with pytest.raises(ValueError, match="not the frame of a sweep"):
        sweep(trace, GRID, executor=Inline(), output=output)


def test_a_trace_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"missing\.trace"):
        sweep(tmp_path / "missing.trace", GRID)
