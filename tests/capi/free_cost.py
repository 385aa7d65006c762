"""The instructions of a free do not grow with the number of free blocks: counted by callgrind for both page layers.

Usage: free_cost.py PROGRAM
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

MEASURED = 1000
LAYERS = {"buddy": 1, "best fit": 2}


def instructions_per_free(program: str, layer: int, count: int) -> float:
    """What heap_free executes, on average, with `count` free large blocks in the heap."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "callgrind.out"
        command = ["valgrind", "--tool=callgrind", "--toggle-collect=heap_free", f"--callgrind-out-file={out}"]
        subprocess.run([*command, program, str(layer), str(count)], check=True, capture_output=True)
        summary = re.search(r"^(?:summary|totals): (\d+)", out.read_text(), re.MULTILINE)
    assert summary is not None, "callgrind counted nothing"
    return int(summary.group(1)) / MEASURED


def main() -> int:
    failed = False
    for name, layer in LAYERS.items():
        few, many = (instructions_per_free(sys.argv[1], layer, count) for count in (1_000, 100_000))
        flat = abs(many - few) < 0.1 * few
        failed |= not flat
        print(f"{name}: {few:.1f} instructions a free among 1,000 free blocks, {many:.1f} among 100,000")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
