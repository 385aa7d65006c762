"""Traces for the Rust program."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import slabheap
from slabheap import Operation
from slabheap_bench import recordings


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


def test_the_program_is_given_what_was_written_and_leaves_what_it_reports(tmp_path: Path) -> None:
    # In the place of the Rust program, whose first build takes minutes: its own tests replay such lines.
    program = tmp_path / "program"
    program.write_text(
        f"#!{sys.executable}\n"
        "import json, pathlib, sys\n"
        "words = sys.argv[1:]\n"
        "files = [pathlib.Path(word) for word in words if word.endswith('.jsonl')]\n"
        "report = {'command': 'x', 'lines': {file.stem: len(file.read_text().splitlines()) for file in files}}\n"
        "report['words'] = [word for word in words if '/' not in word]\n"
        "pathlib.Path(words[words.index('--json') + 1]).write_text(json.dumps(report))\n"
    )
    program.chmod(0o755)
    traces = []
    for name, count in (("one", 300), ("two", 20)):
        slabheap.workloads.steady_state(count, slabheap.workloads.log_uniform(1, 4096), 2_000).save(tmp_path / f"{name}.trace")
        traces.append(tmp_path / f"{name}.trace")
    report = recordings.replay_all(program, traces, rounds=2, peers="slabheap-classic,glibc")
    assert report == {
        "lines": {trace.stem: len(slabheap.Trace.load(trace).events) for trace in traces},
        "words": ["traces", "--rounds", "2", "--peers", "slabheap-classic,glibc", "--json"],
    }
