"""What a real program's allocations do to this heap: records a program, replays it on slabheap and on others, draws what they did.

Runs the commands that it prints, and leaves the trace and the pictures in build/demo.
"""

import os
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path

EXAMPLES = Path(__file__).parent
FOLDER = Path("build/demo")
# Others to compare with, where they are installed.
LIBRARIES = ("libmimalloc.so*", "libjemalloc.so*")


def run(*arguments: str) -> None:
    """Runs the slabheap command that belongs to this Python."""
    print(f"\n$ slabheap {shlex.join(arguments)}", flush=True)
    command = Path(sysconfig.get_path("scripts")) / "slabheap"
    # With this setting, Python takes every object from malloc, and none from memory that it keeps to itself.
    subprocess.run([command, *arguments], check=True, env=os.environ | {"PYTHONMALLOC": "malloc"})


def installed() -> list[str]:
    """The newest of each library that this machine has."""
    found = [sorted(folder for folder in Path("/usr/lib").glob(f"*/{name}")) for name in LIBRARIES]
    return [str(paths[-1]) for paths in found if paths]


def main() -> None:
    """Records, looks, compares and draws."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    trace = str(FOLDER / "index.trace")
    pictures = {name: str(FOLDER / f"{name}.png") for name in ("comparison", "held", "timeline", "pages", "pages-compact")}
    print("Threads of a Python program parse JSON documents, index their words, and fill and query sqlite databases.")
    run("record", "-o", trace, "--", "python3", str(EXAMPLES / "programs/index_json.py"))
    run("info", trace)
    allocators = [part for name in ("classic", "compact", "system", *installed()) for part in ("-a", name)]
    run("compare", trace, *allocators, "--plot", pictures["comparison"], "--timeline", pictures["held"])
    run("replay", trace, "--timeline", pictures["timeline"], "--map", pictures["pages"])
    run("replay", trace, "--preset", "compact", "--repeats", "0", "--map", pictures["pages-compact"])
    print("\nThe pictures:", *(path for path in pictures.values()), sep="\n  ")


if __name__ == "__main__":
    sys.exit(main())
