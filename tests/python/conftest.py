"""What tests of several modules need."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from geometries import GEOMETRIES
from slabheap import Heap

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell lets what it starts in the background ignore Ctrl-C, and the programs under test would inherit it.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(params=list(GEOMETRIES))
def options(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Options of a heap; what asks for them is tested on every geometry."""
    return GEOMETRIES[request.param]


@pytest.fixture
def make_heap(options: dict[str, Any]) -> Callable[[int], Heap]:
    """Makes a heap of so many bytes."""
    return lambda size: Heap(size, **options)


def _checked(heap: Heap) -> Iterator[Heap]:
    with heap:
        yield heap
        if heap.is_open:
            heap.check()


@pytest.fixture
def heap(options: dict[str, Any]) -> Iterator[Heap]:
    """A heap of 8 MiB that passes its own check when the test has ended."""
    yield from _checked(Heap(8 << 20, **options))


@pytest.fixture
def classic() -> Iterator[Heap]:
    """A classic heap of 1 MiB, for what does not depend on the geometry."""
    yield from _checked(Heap(1 << 20))
