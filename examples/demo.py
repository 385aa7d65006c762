"""What a real program's allocations do to this heap: records a program, replays it on slabheap and on others, draws what they did.

Runs the commands that it prints, and leaves the trace, the pictures and a report in build/demo.
"""

import os
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path

EXAMPLES = Path(os.path.relpath(Path(__file__).parent))
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
    names = (
        "comparison.png",
        "held.png",
        "timeline.png",
        "pages.png",
        "strip.png",
        "classes.png",
        "lifetimes.png",
        "pages.gif",
        "report.html",
    )
    made = {name: str(FOLDER / name) for name in names}
    print("Threads of a Python program parse JSON documents, index their words, and fill and query sqlite databases.")
    python = os.path.relpath(sys.executable)
    run("record", "--no-follow", "-o", trace, "--", python, str(EXAMPLES / "programs/index_json.py"))
    run("info", trace)
    allocators = [part for name in ("classic", "compact", "system", *installed()) for part in ("-a", name)]
    run("compare", trace, *allocators, "--plot", made["comparison.png"], "--timeline", made["held.png"])
    run("replay", trace, "--timeline", made["timeline.png"], "--map", made["pages.png"])
    run("plot", "strip", trace, "--preset", "compact", "--bytes", "24M", "-o", made["strip.png"])
    run("plot", "classes", trace, "-o", made["classes.png"])
    run("plot", "lifetimes", trace, "-o", made["lifetimes.png"])
    run("plot", "animation", trace, "--frames", "30", "-o", made["pages.gif"])
    run("report", trace, *allocators, "-o", made["report.html"])
    print("\nThe pictures, and a report with all of them:", *made.values(), sep="\n  ")


if __name__ == "__main__":
    sys.exit(main())
