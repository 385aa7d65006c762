"""The command line: `slabheap record, replay, compare, info`."""

from slabheap.cli.app import main

__all__ = ["main"]
