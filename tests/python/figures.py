"""What tests came to, for the file that SLABHEAP_FIGURES names: tools/soak makes a result of it."""

from __future__ import annotations

import os
from pathlib import Path


def add_figure(name: str, value: int) -> None:
    """A count, which adds up over several runs."""
    if path := os.environ.get("SLABHEAP_FIGURES"):
        with Path(path).open("a") as file:
            file.write(f"{name} +{value}\n")
