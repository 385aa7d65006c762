"""The command: `python -m slabheap_bench --help`, with this file's folder's parent on PYTHONPATH."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from slabheap_bench import callgrind, documents, recordings, steps, traces

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)

Output = Annotated[Path, typer.Option(help="The file of JSON to write.")]


def _write(output: Path, result: Any) -> None:
    output.write_text(json.dumps(result, indent=1) + "\n")


@app.command()
def measure(
    only: Annotated[list[str] | None, typer.Option("--step", help="One of the steps; may be repeated. Default: all.")] = None,
    quick: Annotated[bool, typer.Option(help="As little as shows that everything works.")] = False,
    runs: Annotated[int | None, typer.Option(min=1, help="Runs of each comparison in time, a process each. Default: 3; quick: 1.")] = None,
) -> None:
    """Builds the benchmark, runs its steps, and writes figures, tables and pictures to build/bench."""
    for step in only or []:
        if step not in steps.TIMED:
            raise typer.BadParameter(f"there is no step {step!r}; there are {', '.join(steps.TIMED)}")
    steps.FOLDER.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cargo", "build", "--release", "--quiet"], check=True, cwd=steps.CRATE)
    for step in only or steps.TIMED:
        steps.run(step, quick, runs)
    documents.write_report()


@app.command()
def report() -> None:
    """Writes tables and pictures of the figures that are there to build/bench."""
    documents.write_report()


@app.command()
def publish() -> None:
    """Puts the tables and pictures of build/bench into docs and README.md."""
    try:
        documents.publish()
    except FileNotFoundError as error:
        sys.exit(f"publish: {error}")


@app.command(name="traces")
def replay_traces(
    output: Output,
    files: Annotated[list[Path] | None, typer.Argument(help="Traces. Default: those of tests/traces.")] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Timed replays of each.")] = 11,
    samples: Annotated[int, typer.Option(min=1, help="How often what is held is looked at.")] = 1000,
) -> None:
    """Replays recorded traces on slabheap and on the malloc of others."""
    chosen = files or recordings.recorded()
    peers = traces.allocators()
    progress = steps.counter(len(chosen) * len(peers) * (rounds + 1), "replay")
    rows = traces.replay_all(chosen, peers, rounds, samples, progress)
    _write(output, {"rounds": rounds, "samples": samples, "huge_page_mode": steps.huge_page_mode(), "rows": rows})


@app.command()
def operations(trace: Annotated[Path, typer.Argument(help="A trace.")], output: Output) -> None:
    """Writes a trace as lines of JSON, as `bench traces` reads it."""
    recordings.write_operations(trace, output)


@app.command(name="peer-traces")
def replay_on_peers(
    output: Output,
    files: Annotated[list[Path] | None, typer.Argument(help="Traces. Default: those of tests/traces.")] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Timed replays of each.")] = 11,
    peers: Annotated[str, typer.Option(help="Peers, separated by commas. Default: all.")] = "",
) -> None:
    """Replays recorded traces with the peers of the Rust program."""
    chosen = files or recordings.recorded()
    _write(output, recordings.replay_all(steps.PROGRAM, chosen, rounds, peers))


@app.command(name="instructions")
def count_instructions(
    output: Output,
    workloads: Annotated[str, typer.Option(help="Workloads, separated by commas. Default: W1 to W5.")] = "",
    peers: Annotated[str, typer.Option(help="Peers, separated by commas. Default: all.")] = "",
) -> None:
    """Counts instructions and mispredicts of every workload with every peer under callgrind."""
    known = json.loads(subprocess.run([steps.PROGRAM, "list", "--json"], check=True, capture_output=True, text=True).stdout)
    chosen_workloads = workloads.split(",") if workloads else known["workloads"]
    chosen_peers = peers.split(",") if peers else known["peers"]
    countable = [peer for peer in chosen_peers if peer not in callgrind.UNABLE]
    progress = steps.counter(len(countable) * len(chosen_workloads), "run")
    rows = callgrind.count_all(steps.PROGRAM, chosen_peers, chosen_workloads, os.cpu_count() or 1, progress)
    unable = {peer: reason for peer, reason in callgrind.UNABLE.items() if peer in chosen_peers}
    _write(output, {"rows": rows, "unable": unable})


if __name__ == "__main__":
    app(prog_name="slabheap_bench")
