"""What callgrind counts while one workload is replayed with one allocator: instructions, and branches that its model mispredicts."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

#: Functions of the program: the loop that calls the allocator, and what is counted around it.
LOOP = "slabheap_bench::replay::pass"
COUNTED = "slabheap_bench::replay::counted*"

#: Allocators that do not run under valgrind.
UNABLE = {"snmalloc": "does not run under valgrind"}

_FREEING = re.compile(r"free|dealloc|dallocx")


@dataclasses.dataclass(frozen=True)
class Cost:
    """What some calls cost, all that they call included."""

    instructions: int = 0
    mispredicts: int = 0

    def __add__(self, other: Cost) -> Cost:
        """Both together."""
        return Cost(self.instructions + other.instructions, self.mispredicts + other.mispredicts)


def costs_of_calls(text: str, caller: str) -> dict[str, Cost]:
    """What the functions that `caller` calls cost, by name.

    Args:
        text: A file of callgrind's, version 1.
        caller: The function's name, as callgrind writes it.
    """
    names: dict[str, str] = {}
    events: list[str] = []
    costs: defaultdict[str, Cost] = defaultdict(Cost)
    current = called = ""
    is_call = False
    for line in text.splitlines():
        if line.startswith("events: "):
            events = line.split()[1:]
        elif match := re.match(r"(c?fn)=(\(\d+\))(?: (.*))?$", line):
            kind, number, name = match.groups()
            name = names.setdefault(number, name or "")
            if kind == "fn":
                current = name
            else:
                called = name
        elif line.startswith("calls="):
            is_call = True
        elif is_call:
            is_call = False
            if current == caller:
                # Zeros at the end of a line are left out.
                counts = dict(zip(events, map(int, line.split()[1:]), strict=False))
                costs[called] += Cost(counts.get("Ir", 0), counts.get("Bcm", 0) + counts.get("Bim", 0))
    return dict(costs)


def split(costs: dict[str, Cost]) -> tuple[Cost, Cost]:
    """The cost of allocations and that of frees, told apart by the names of what was called."""
    allocations, frees = Cost(), Cost()
    for name, cost in costs.items():
        if _FREEING.search(name):
            frees += cost
        else:
            allocations += cost
    return allocations, frees


def count(program: Path, peer: str, workload: str) -> dict[str, Any]:
    """Counts one replay of a workload after one that is not counted.

    Returns:
        A row: `peer`, `workload`, `operations`, and for each of an allocation, a free and an operation the instructions and mispredicts
        on average, the loop around them left out.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "callgrind.out"
        valgrind = ["valgrind", "--tool=callgrind", "--branch-sim=yes", f"--toggle-collect={COUNTED}", f"--callgrind-out-file={out}"]
        arguments = ["run", "--peer", peer, "--workload", workload, "--warm-up", "1"]
        done = subprocess.run([*valgrind, str(program), *arguments], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{peer} could not replay {workload} under callgrind:\n{done.stderr}")
        allocations, frees = split(costs_of_calls(out.read_text(), LOOP))
    found = re.match(r"(\d+) operations, 1 times", done.stdout)
    if found is None or not allocations.instructions or not frees.instructions:
        raise RuntimeError(f"callgrind saw no calls of {peer}: is {LOOP} still what the loop is called?")
    operations = int(found[1])
    each = operations / 2  # every block is freed
    return {
        "peer": peer,
        "workload": workload,
        "operations": operations,
        "allocation": {"instructions": allocations.instructions / each, "mispredicts": allocations.mispredicts / each},
        "free": {"instructions": frees.instructions / each, "mispredicts": frees.mispredicts / each},
        "operation": {
            "instructions": (allocations + frees).instructions / operations,
            "mispredicts": (allocations + frees).mispredicts / operations,
        },
    }


def count_all(
    program: Path, peers: Sequence[str], workloads: Sequence[str], jobs: int, progress: Callable[[], None]
) -> list[dict[str, Any]]:
    """Counts every workload with every peer that runs under valgrind, several at a time, and calls `progress` after each."""

    def one(pair: tuple[str, str]) -> dict[str, Any]:
        row = count(program, *pair)
        progress()
        return row

    pairs = [(peer, workload) for peer in peers if peer not in UNABLE for workload in workloads]
    with ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(one, pairs))
