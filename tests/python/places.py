"""Where things are in the source tree."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]

#: Traces of real programs.
TRACES = ROOT / "tests/traces"
