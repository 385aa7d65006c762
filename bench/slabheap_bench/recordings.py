"""Recorded traces for the Rust program, which replays them on the peers that it alone has."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import slabheap
from slabheap_bench import steps

#: The words of bench/src/recording.rs, by the number of an operation.
_WORDS = ("allocate", "zeroed", "reallocate", "free")


def recorded() -> list[Path]:
    """The recorded traces of the tree."""
    return sorted((steps.ROOT / "tests" / "traces").glob("*.trace"))


def write_operations(trace: Path, output: Path) -> None:
    """Writes the calls of a trace as lines of JSON: what is called, the block's number, size and alignment."""
    events = slabheap.Trace.load(trace).events
    fields = (events[name].tolist() for name in ("operation", "block", "size", "align"))
    with output.open("w") as file:
        for operation, block, size, align in zip(*fields, strict=True):
            file.write(f'["{_WORDS[operation]}",{block},{size},{align}]\n')


def replay_all(program: Path, traces: Sequence[Path], rounds: int, peers: str = "") -> dict[str, Any]:
    """Replays traces with the peers of the Rust program; all, unless some are named, separated by commas. What it reports."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"{trace.stem}.jsonl" for trace in traces]
        for trace, file in zip(traces, files, strict=True):
            write_operations(trace, file)
        report = Path(folder) / "report.json"
        chosen = ["--peers", peers] if peers else []
        command = [str(program), "traces", *map(str, files), "--rounds", str(rounds), *chosen, "--json", str(report)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        found: dict[str, Any] = json.loads(report.read_text())
    found.pop("command")  # it names a folder that is gone
    return found
