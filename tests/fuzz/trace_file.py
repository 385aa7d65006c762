#!/usr/bin/env python3
"""A trace file of any kind: a target for libFuzzer, whose options it takes, by way of Atheris. tools/fuzz runs it."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["slabheap"]):
    import slabheap  # noqa: F401

sys.path.append(str(Path(__file__).parents[1] / "python"))
from playing_traces import play


def main() -> None:
    """Fuzzes until an option of libFuzzer says that it is enough."""
    folder = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.NamedTemporaryFile(suffix=".trace", dir=folder) as file:
        path = Path(file.name)
        atheris.Setup(sys.argv, lambda data: play(data, path) and None)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
