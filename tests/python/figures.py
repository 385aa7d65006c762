"""What tests came to, for the file that SLABHEAP_FIGURES names: tools/soak makes a result of it."""

from __future__ import annotations

import os
from pathlib import Path


def _write(name: str, sign: str, value: int) -> None:
    if path := os.environ.get("SLABHEAP_FIGURES"):
        with Path(path).open("a") as file:
            file.write(f"{name} {sign}{value}\n")


def add_figure(name: str, value: int) -> None:
    """A count, which adds up over several runs."""
    _write(name, "+", value)


def set_figure(name: str, value: int) -> None:
    """A number that is the same in every run, or that of the last one."""
    _write(name, "=", value)
