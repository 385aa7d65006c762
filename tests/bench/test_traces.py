"""Replaying traces on every allocator."""

from pathlib import Path

import slabheap
from slabheap_bench import traces


def test_every_allocator_replays_every_trace(tmp_path: Path) -> None:
    file = tmp_path / "steady.trace"
    slabheap.workloads.steady_state(2000, slabheap.workloads.log_uniform(1, 4096), 200_000).save(file)
    chosen = ["classic", "compact", "system"]
    replays = 0

    def count() -> None:
        nonlocal replays
        replays += 1

    rows = traces.replay_all([file], chosen, rounds=2, samples=50, progress=count)
    assert [(row["trace"], row["peer"], len(row["seconds"]), len(row["warm_seconds"]), row["failures"]) for row in rows] == [
        ("steady", "slabheap-classic", 2, 2, 0),
        ("steady", "slabheap-compact", 2, 2, 0),
        ("steady", "system", 2, 2, 0),
    ]
    assert replays == 3 * (2 + 1)
    for row in rows:
        assert len(row["huge_seconds"]) == len(row["huge_warm_seconds"]) == 2
        assert row["huge_operations_per_second"] > 0
        assert row["operations_per_second"] > 0
        assert row["warm_operations_per_second"] > 0
        assert row["peak_held_bytes"] > row["peak_requested_bytes"] >= 200_000


def test_the_system_and_both_presets_are_always_there_and_tell_their_versions() -> None:
    found = traces.allocators()
    assert found[:3] == ["classic", "compact", "system"]
    for allocator in found:
        assert any(character.isdigit() for character in traces.version_of(allocator)), allocator
