"""The traces in the tree: what they say of themselves, and what the heap makes of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from places import TRACES
from slabheap import Result, Trace, compare, replay

KEPT = sorted(TRACES.glob("*.trace"))


@pytest.fixture(params=KEPT, ids=lambda path: path.stem)
def kept(request: pytest.FixtureRequest) -> Trace:
    """Each of them in turn."""
    return Trace.load(request.param)


def figures(result: Result) -> tuple[object, ...]:
    """All that a replay says but its times, in a form that compares."""
    snapshots = {event: runs.tobytes() for event, runs in result.snapshots.items()}
    peaks = (result.peak_requested_bytes, result.peak_used_bytes, result.peak_held_bytes)
    return (*peaks, result.failures, result.class_stats, result.timeline.tobytes(), snapshots)


def test_the_readme_beside_the_traces_tells_their_events() -> None:
    readme = (TRACES / "README.md").read_text()
    assert KEPT
    for path in KEPT:
        assert f"| `{path.name}` |" in readme
        assert f"| {len(Trace.load(path)):,} |" in readme


def test_kept_traces_are_small_and_complete(kept: Trace) -> None:
    assert kept.information.lost == 0
    assert kept.information.command
    assert len(kept) > 100_000
    assert max(path.stat().st_size for path in KEPT) < 1 << 20


def test_a_kept_trace_comes_from_several_threads() -> None:
    assert max(Trace.load(path).thread_count for path in KEPT) >= 4


@pytest.mark.parametrize("preset", ["classic", "compact"])
def test_a_kept_trace_replays_without_a_failure_and_holds_what_was_asked_for(kept: Trace, preset: str) -> None:
    result = replay(kept, preset=preset, repeats=0)
    assert result.failures == 0
    assert result.peak_requested_bytes == kept.peak_requested_bytes
    assert result.peak_requested_bytes <= result.peak_used_bytes <= result.peak_held_bytes < 2 * result.peak_requested_bytes
    assert np.all(result.timeline["requested"] <= result.timeline["used"])


def test_the_same_replay_twice_gives_the_same_figures_bit_for_bit(kept: Trace) -> None:
    once, again = (figures(replay(kept, preset="compact", page_bytes=1024, repeats=0)) for _ in range(2))
    assert once == again


def test_compact_holds_less_than_classic_on_every_kept_trace(kept: Trace) -> None:
    classic, compact = compare(kept, ["classic", "compact"], repeats=0)
    assert compact.peak_held_bytes < classic.peak_held_bytes


def test_a_kept_trace_is_the_same_after_saving_and_loading(kept: Trace, tmp_path: Path) -> None:
    path = tmp_path / "again.trace"
    kept.save(path)
    again = Trace.load(path)
    assert np.array_equal(again.events, kept.events)
    assert again.information == kept.information
