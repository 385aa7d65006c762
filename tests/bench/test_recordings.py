"""Traces for the Rust program."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import slabheap
from slabheap import Operation
from slabheap_bench import recordings, steps


def test_a_trace_becomes_lines_that_say_what_is_called(tmp_path: Path) -> None:
    trace = slabheap.workloads.steady_state(300, slabheap.workloads.log_uniform(1, 4096), 20_000)
    trace.save(tmp_path / "steady.trace")
    recordings.write_operations(tmp_path / "steady.trace", tmp_path / "steady.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "steady.jsonl").read_text().splitlines()]
    words = {
        Operation.ALLOCATE: "allocate",
        Operation.ALLOCATE_ZEROED: "zeroed",
        Operation.REALLOCATE: "reallocate",
        Operation.FREE: "free",
    }
    assert lines == [
        [words[Operation(event["operation"])], int(event["block"]), int(event["size"]), int(event["align"])] for event in trace.events
    ]


@pytest.mark.skipif(not steps.PROGRAM.exists(), reason="the Rust program is not built")
def test_the_program_replays_what_was_written(tmp_path: Path) -> None:
    trace = slabheap.workloads.steady_state(300, slabheap.workloads.log_uniform(1, 4096), 20_000)
    trace.save(tmp_path / "steady.trace")
    report = recordings.replay_all(steps.PROGRAM, [tmp_path / "steady.trace"], rounds=2, peers="slabheap-classic,glibc")
    assert [(row["trace"], row["peer"], len(row["samples"])) for row in report["rows"]] == [
        ("steady", "slabheap-classic", 2),
        ("steady", "glibc", 2),
    ]
    assert {row["peak_requested_bytes"] for row in report["rows"]} == {trace.peak_requested_bytes}
