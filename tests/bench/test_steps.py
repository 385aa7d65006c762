"""What a benchmark runs."""

import sys
from pathlib import Path

import pytest

from slabheap_bench import steps


@pytest.mark.parametrize("step", steps.TIMED)
def test_a_step_writes_its_figures_to_its_file_and_can_be_quick(step: str) -> None:
    out = f"build/bench/{step}.json"
    assert out in steps.commands(step, quick=False)
    quick = steps.commands(step, quick=True)
    assert out in quick
    assert len(quick) >= len(steps.commands(step, quick=False))
    assert quick != steps.commands(step, quick=False)


def test_commands_are_shown_as_they_can_be_typed_anywhere() -> None:
    program = f"{steps.ROOT}/build/venv/bin/python"
    shown = steps.shown([str(steps.PROGRAM), "speed", "--json", str(steps.FOLDER / "speed.json")])
    assert shown == "bench/target/release/bench speed --json build/bench/speed.json"
    assert str(steps.ROOT) not in steps.shown([sys.executable, "-m", "slabheap_bench", program])


def test_figures_that_were_not_measured_are_asked_for(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="make bench"):
        steps.load("speed", tmp_path)
