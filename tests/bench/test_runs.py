"""Several runs of a comparison."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from slabheap_bench import runs, steps


def report(**times: float | None) -> dict[str, Any]:
    """What one run says of peers that do one workload; None: not able to."""

    def row(peer: str, time: float | None) -> dict[str, Any]:
        figures = {} if time is None else {"lower": time - 1, "median": time, "upper": time + 1}
        return {"peer": peer, "version": "1", "geometric_mean": time, "workloads": [{"workload": "W1", "samples": [time], **figures}]}

    return {"rounds": 5, "peers": [row(peer.replace("_", "-") if peer in OURS else peer, time) for peer, time in times.items()]}


OURS = ("slabheap_classic", "slabheap_compact")


def three() -> list[dict[str, Any]]:
    """Of which the first would say that x is the fastest."""
    return [
        report(none=1.0, slabheap_classic=4.0, slabheap_compact=8.0, ax_slab_allocator=5.0, x=2.0),
        report(none=1.0, slabheap_classic=3.0, slabheap_compact=8.0, ax_slab_allocator=4.0, x=6.0),
        report(none=1.0, slabheap_classic=5.0, slabheap_compact=8.0, ax_slab_allocator=5.0, x=6.0),
    ]


def test_a_figure_is_the_median_over_the_runs() -> None:
    result = runs.merged(three())
    x = result["peers"][-1]
    assert (result["rounds"], result["runs"], x["geometric_mean"], x["geometric_means"]) == (5, 3, 6.0, [2.0, 6.0, 6.0])
    assert x["workloads"] == [
        {"workload": "W1", "samples": [[2.0], [6.0], [6.0]], "lower": 5.0, "median": 6.0, "upper": 7.0, "medians": [2.0, 6.0, 6.0]}
    ]


def test_what_could_not_be_done_in_one_run_has_no_figure() -> None:
    result = runs.merged([report(x=2.0), report(x=None)])
    assert result["peers"][0] == {
        "peer": "x",
        "version": "1",
        "geometric_mean": None,
        "geometric_means": [],
        "workloads": [{"workload": "W1", "samples": [[2.0], [None]]}],
    }


def test_ratios_are_told_with_the_least_and_the_most_over_the_runs() -> None:
    table = runs.ratios(runs.merged(three()), "r")
    assert table.columns == ("", "W1", "mean")
    assert table.rows == (
        ("slabheap-classic / ax_slab_allocator 1", "0.80 (0.75-1.00)", "0.80 (0.75-1.00)"),
        ("slabheap-classic / best peer", "0.80 (0.75-1.00)", "0.80 (0.75-1.00)"),
        ("slabheap-compact / ax_slab_allocator 1", "1.60 (1.60-2.00)", "1.60 (1.60-2.00)"),
        ("slabheap-compact / best peer", "1.60 (1.60-2.00)", "1.60 (1.60-2.00)"),
        ("best peer", "ax_slab_allocator 1", "ax_slab_allocator 1"),
    )
    assert "medians over 3 runs" in table.caption


def test_one_run_has_no_range_and_says_that_it_decides_nothing() -> None:
    table = runs.ratios(runs.merged(three()[:1]), "r")
    assert table.rows[1] == ("slabheap-classic / best peer", "2.00", "2.00")
    assert "decides nothing" in table.caption


@pytest.mark.parametrize(
    ("step", "quick", "times", "expected"),
    [
        ("speed", False, None, 3),
        ("hurtful", False, 2, 2),
        ("speed", True, 3, 1),
        ("space", False, 3, 1),
    ],
)
def test_what_is_timed_by_the_rust_program_runs_several_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, quick: bool, times: int | None, expected: int
) -> None:
    started = []

    def start(command: list[str], **_: Any) -> None:
        started.append(command)
        (tmp_path / f"{step}.json").write_text(json.dumps(report(x=float(len(started)))))

    monkeypatch.setattr(steps, "FOLDER", tmp_path)
    monkeypatch.setattr(steps, "describe_machine", dict)
    monkeypatch.setattr(subprocess, "run", start)
    monkeypatch.setattr(steps, "commands", lambda *_: ["bench", step])
    steps.run(step, quick, times)
    written = steps.load(step, tmp_path)
    assert len(started) == expected
    assert written["made"]["command"] == f"bench {step}" + (f"  # {expected} times" if expected > 1 else "")
    assert written["result"].get("runs") == (expected if step in steps.RUNS else None)
