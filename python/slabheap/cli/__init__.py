"""The command line: `slabheap record, info, replay, compare, sweep, optimise`."""

from slabheap.cli import sweeps as _sweeps
from slabheap.cli.app import app

__all__ = ["main"]


def main() -> None:
    """Entry point."""
    app(prog_name="slabheap")


del _sweeps  # its commands are the app's by now
