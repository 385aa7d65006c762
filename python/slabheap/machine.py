"""The machine that this runs on, for those who read of it."""

from __future__ import annotations

import contextlib
import functools
import os
import platform
from pathlib import Path

__all__ = ["processors"]


@functools.cache
def processors() -> str:
    """How many processors there are, and of which kind.

    Examples:
        >>> processors().startswith(f"{os.cpu_count()} x ")
        True
    """
    lines: list[str] = []
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return f"{os.cpu_count()} x {next(names, platform.machine())}"
