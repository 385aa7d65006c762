"""The steps of a benchmark: each measures one thing and leaves a file of JSON."""

from __future__ import annotations

import datetime
import json
import os
import platform
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from slabheap_bench import runs

ROOT = Path(__file__).parents[2]
CRATE = ROOT / "bench"
FOLDER = ROOT / "build" / "bench"
PROGRAM = CRATE / "target" / "release" / "bench"

#: Put before every command that is timed, if it is set: for example one that waits until the machine is idle.
PREFIX_VARIABLE = "SLABHEAP_BENCH_PREFIX"

#: The steps in order, and whether they are timed. What is counted may run beside other work.
TIMED = {"speed": True, "hurtful": True, "space": False, "traces": True, "peer-traces": True, "worst": False, "instructions": False}


#: Steps that are run several times, each time in a process of its own, and how often unless told: what a process has by chance, such as
#: where its memory lies, is the same for all of its rounds.
RUNS = {"speed": 3, "hurtful": 3}


def commands(step: str, quick: bool) -> list[str]:
    """What a step runs. Quick ones show that everything works, and no figures worth having."""
    # Relative, since programs write their command lines into their figures.
    program, out = (str(path.relative_to(ROOT)) for path in (PROGRAM, FOLDER / f"{step}.json"))
    own = [sys.executable, "-m", "slabheap_bench", step, "--output", out]
    return {
        "speed": [program, "speed", "--json", out, *(["--rounds", "1"] if quick else [])],
        "hurtful": [program, "speed", "--hurtful", "--json", out, "--rounds", "1" if quick else "7"],
        "space": [program, "space", "--json", out, *(["--seeds", "1"] if quick else [])],
        "worst": [program, "worst", "--json", out, *(["--operations", "20"] if quick else [])],
        "traces": [*own, *(["--rounds", "1"] if quick else [])],
        "peer-traces": [*own, *(["--rounds", "1", "--peers", "none,slabheap-classic,rlsf"] if quick else [])],
        "instructions": [*own, *(["--workloads", "W1"] if quick else [])],
    }[step]


def shown(command: Sequence[str]) -> str:
    """A command as one would type it, without the paths of this machine."""
    words = [word.replace(f"{ROOT}/", "") for word in command]
    text = shlex.join(words)
    return f"PYTHONPATH=bench {text}" if command[0] == sys.executable else text


def describe_machine() -> dict[str, Any]:
    """What the figures are from: processor, system, compilers, the sources' state, and how busy it was."""

    def output(*command: str) -> str:
        try:
            return subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout.strip()
        except (OSError, subprocess.CalledProcessError):
            return ""

    processor = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in output("lscpu").splitlines())}
    system = platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    return {
        "processor": processor.get("Model name", platform.processor()),
        "caches": {name: processor[name] for name in ("L1d cache", "L2 cache", "L3 cache") if name in processor},
        "processors": os.cpu_count(),
        "hypervisor": processor.get("Hypervisor vendor", "none"),
        "system": f"{system}, Linux {platform.release()}",
        "rust": output("rustc", "--version"),
        "cxx": output("c++", "--version").partition("\n")[0],
        "valgrind": output("valgrind", "--version"),
        "huge_pages": huge_page_mode(),
        "load": os.getloadavg()[0],
        "sources": {folder: _content(folder, output) for folder in ("core", "capi")},
    }


def huge_page_mode() -> str:
    """Which memory the kernel maps in huge pages: "always", "madvise" (what asks for them) or "never"; empty if it has none."""
    try:
        found = re.search(r"\[(\w+)\]", Path("/sys/kernel/mm/transparent_hugepage/enabled").read_text())
    except OSError:
        return ""
    return found[1] if found else ""


def _content(folder: str, output: Callable[..., str]) -> str:
    """Git's name of what a folder holds, which outlives commits; with a plus sign if some of it is in none."""
    return output("git", "rev-parse", f"HEAD:{folder}")[:12] + ("+" if output("git", "status", "--porcelain", "--", folder) else "")


def run(step: str, quick: bool, times: int | None = None) -> None:
    """Runs a step, so many times if it is one of `RUNS`, and adds to its file when, how and on what it was measured."""
    command = commands(step, quick)
    if step not in RUNS or quick:
        times = 1
    elif times is None:
        times = RUNS[step]
    prefix = shlex.split(os.environ.get(PREFIX_VARIABLE, "")) if TIMED[step] else []
    environment = os.environ | {"PYTHONPATH": str(CRATE)}
    file = FOLDER / f"{step}.json"
    machine = describe_machine()  # before the step itself makes it busy
    reports = []
    for number in range(times):
        print(f"\n$ {shown(command)}{f'  # {number + 1} of {times}' if times > 1 else ''}", flush=True)
        subprocess.run([*prefix, *command], check=True, cwd=ROOT, env=environment)
        reports.append(json.loads(file.read_text()))
    result = runs.merged(reports) if step in RUNS else reports[0]
    made = {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "command": shown(command) + (f"  # {times} times" if times > 1 else ""),
        "quick": quick,
        "machine": machine,
    }
    file.write_text(json.dumps({"made": made, "result": result}, indent=1) + "\n")


def load(step: str, folder: Path = FOLDER) -> dict[str, Any]:
    """What a step left.

    Raises:
        FileNotFoundError: It has not run.
    """
    file = folder / f"{step}.json"
    if not file.exists():
        raise FileNotFoundError(f"there are no figures of the step {step!r} yet; run: make bench")
    loaded: dict[str, Any] = json.loads(file.read_text())
    return loaded


def counter(total: int, what: str) -> Callable[[], None]:
    """A function that shows how many of `total` are done, each time it is called; on a terminal only."""
    done = 0

    def step() -> None:
        nonlocal done
        done += 1
        if sys.stderr.isatty():
            print(f"{what} {done} of {total}", end="\n" if done == total else "\r", file=sys.stderr, flush=True)

    return step
