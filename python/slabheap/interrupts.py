"""Ctrl-C, where it is somebody else's."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator

__all__ = ["deaf_to_interrupts", "ignore_interrupts"]


def ignore_interrupts() -> None:
    """Lets this process be deaf to Ctrl-C for good; a worker, whose master hears it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextlib.contextmanager
def deaf_to_interrupts() -> Iterator[None]:
    """Is deaf to Ctrl-C for a while, as are processes that are started in it; in the main thread, which alone hears of it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
