"""What a heap asks of Linux about huge pages. What Linux makes of it is its own affair; what it was asked, it tells."""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from making_traces import random_trace
from slabheap import Heap, compare, replay, sweep

BYTES = 4 << 20

#: What is asked for each choice, in the words of /proc/self/smaps.
CHOICES: dict[Any, str] = {"system": "", "wanted": "hg", "unwanted": "nh"}


def mappings() -> Iterator[tuple[range, str]]:
    """The addresses of each mapping of this process, and what was asked for it."""
    for text in re.split(r"^(?=[0-9a-f]+-)", Path("/proc/self/smaps").read_text(), flags=re.MULTILINE)[1:]:
        start, end = (int(number, 16) for number in text.split(" ")[0].split("-"))
        flags = re.findall(r"^VmFlags:.* (hg|nh)\b", text, re.MULTILINE)
        yield range(start, end), "".join(flags)


def asked_at(address: int) -> str:
    """What was asked for the mapping that holds an address."""
    return next(asked for addresses, asked in mappings() if address in addresses)


@pytest.fixture(autouse=True)
def told() -> None:
    """Linux has to tell what it was asked: it does not if it has no huge pages, nor through some emulators."""
    with mmap.mmap(-1, BYTES) as memory:
        try:
            memory.madvise(mmap.MADV_HUGEPAGE)
        except OSError:
            pytest.skip("there are no huge pages here")
        if asked_at(np.frombuffer(memory, np.uint8).ctypes.data) != "hg":
            pytest.skip("nothing is told of huge pages here")


@pytest.mark.parametrize("choice", CHOICES)
def test_a_heap_asks_for_all_memory_that_it_maps(choice: Any) -> None:
    def grow(size: int, _align: int) -> bool:
        heap.add_memory(2 * size)
        return True

    with Heap(BYTES, huge_pages=choice, out_of_memory=grow) as heap:
        blocks = [heap.allocate(size) for size in (100, BYTES, 4 * BYTES)]
        assert heap.stats().region_count == 3
        assert [asked_at(block.address) for block in blocks] == [CHOICES[choice]] * 3


@pytest.mark.parametrize("choice", CHOICES)
def test_a_heap_leaves_a_buffer_alone_and_asks_for_what_it_maps_later(choice: Any) -> None:
    memory = mmap.mmap(-1, BYTES)
    with Heap.over(memory, huge_pages=choice) as heap:
        heap.add_memory(2 * BYTES)
        blocks = [heap.allocate(100), heap.allocate(BYTES)]
        assert [asked_at(block.address) for block in blocks] == ["", CHOICES[choice]]


def test_a_replay_asks_for_every_region_and_counts_the_same() -> None:
    trace, seen = random_trace(5, 1000), []

    def look(_done: int, _total: int) -> None:
        seen.append(sum(len(addresses) for addresses, asked in mappings() if asked == "nh"))

    before = sum(len(addresses) for addresses, asked in mappings() if asked == "nh")
    asking = replay(trace, bytes=2 * BYTES, regions=2, huge_pages="unwanted", repeats=0, progress=look)
    assert {bytes_asked - before for bytes_asked in seen} == {2 * BYTES}
    silent = replay(trace, bytes=2 * BYTES, regions=2, repeats=0)
    assert (asking.label, asking.stats) == (f"{silent.label} huge_pages=unwanted", silent.stats)


def test_a_sweep_has_a_column_for_it() -> None:
    frame = sweep(random_trace(5, 1000), {"huge_pages": [None, "wanted"]}, repeats=0, jobs=1)
    assert frame["huge_pages"].fillna("").tolist() == ["", "wanted"]


@pytest.mark.parametrize(("options", "asked"), [({}, "nh"), ({"huge_pages": "system"}, ""), ({"huge_pages": "wanted"}, "hg")])
def test_a_heap_that_is_replayed_on_has_none_unless_they_are_given_alone_or_compared(options: dict[str, Any], asked: str) -> None:
    def length() -> int:
        return sum(len(addresses) for addresses, what in mappings() if what == asked)

    trace, seen = random_trace(5, 1000), []
    for run in (lambda **given: compare(trace, ["classic"], **given), lambda **given: replay(trace, **given)):
        before = length()
        run(bytes=64 * BYTES, repeats=0, progress=lambda _done, _total: seen.append(length() - before), **options)  # noqa: B023
    assert len(seen) >= 2
    # Where nothing is asked, other parts of the process grow, too.
    assert all(more >= 64 * BYTES for more in seen)
