"""The command line: `slabheap record, replay, compare, sweep, optimise, convert, info, plot, report`."""

import os
import sys

from slabheap.cli import plots as _plots
from slabheap.cli import records as _records
from slabheap.cli import replays as _replays
from slabheap.cli import reports as _reports
from slabheap.cli import sweeps as _sweeps
from slabheap.cli import traces as _traces
from slabheap.cli.app import app
from slabheap.cli.console import print_error, reason_of

__all__ = ["main"]


def main() -> None:
    """Entry point. Also sees to output that cannot be written: the commands hear of it too late, or not at all."""
    try:
        try:
            app(prog_name="slabheap")
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python would try once more when it ends
        sys.exit(1)
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        has_failed = isinstance(error.__context__, SystemExit) and error.__context__.code  # and has said why
        if not has_failed:
            print_error(f"standard output cannot be written: {reason_of(error)}")
        sys.exit(2)


del _plots, _records, _replays, _reports, _sweeps, _traces  # their commands are the app's by now
