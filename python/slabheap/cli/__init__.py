"""The command line: `slabheap record, info, convert, replay, compare, sweep, optimise`."""

from slabheap.cli import sweeps as _sweeps
from slabheap.cli import traces as _traces
from slabheap.cli.app import app

__all__ = ["main"]


def main() -> None:
    """Entry point."""
    app(prog_name="slabheap")


del _sweeps, _traces  # their commands are the app's by now
