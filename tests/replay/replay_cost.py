"""What the replay engine adds to the calls that it makes: compared with a loop that is written by hand in C, at most a fifth.

By instructions, counted by callgrind, for each kept trace; it fails if the engine takes more than 1.2 times those of the loop. With
--seconds, by time instead: medians of rounds in which both run in turn; this only prints.

Usage: replay_cost.py PROGRAM [--seconds ROUNDS] [TRACE ...]
"""

import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from slabheap import Trace

MOST = 1.2
KEPT = sorted((Path(__file__).parents[1] / "traces").glob("*.trace"))


def instructions(program: str, events: str, function: str) -> int:
    """What a function executes, and all that it calls."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "callgrind.out"
        command = ["valgrind", "--tool=callgrind", f"--toggle-collect={function}", f"--callgrind-out-file={out}", program, events, "1"]
        subprocess.run(command, check=True, capture_output=True)
        summary = re.search(r"^(?:summary|totals): (\d+)", out.read_text(), re.MULTILINE)
    assert summary is not None, "callgrind counted nothing"
    return int(summary.group(1))


def costs(program: str, events: str, rounds: int) -> tuple[float, float, str]:
    """What the engine and the loop cost, and in what."""
    if rounds == 0:
        # The engine's function is a template, whose name callgrind knows with its parameters.
        return instructions(program, events, "*replay_steps*"), instructions(program, events, "hand_written"), "instructions"
    lines = subprocess.run([program, events, str(rounds)], check=True, capture_output=True, text=True).stdout.splitlines()
    engine, loop = zip(*(map(float, line.split()) for line in lines), strict=True)
    return statistics.median(engine), statistics.median(loop), "s"


def main(program: str, *arguments: str) -> int:
    """Compares on each trace."""
    rounds, paths = (int(arguments[1]), arguments[2:]) if arguments[:1] == ("--seconds",) else (0, arguments)
    worst = 0.0
    for path in map(Path, paths or KEPT):
        events = Trace.load(path).events
        with tempfile.NamedTemporaryFile() as file:
            events.tofile(file.name)
            engine, loop, unit = costs(program, file.name, rounds)
        worst = max(worst, engine / loop)
        print(f"{path.name}: {len(events):,} events, engine {engine:.6g} {unit}, loop in C {loop:.6g} {unit}, ratio {engine / loop:.3f}")
    return 1 if rounds == 0 and worst > MOST else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
