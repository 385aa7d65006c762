"""When heaps, blocks and views end, in whatever order, and what threads may do."""

from __future__ import annotations

import contextlib
import gc
import itertools
import os
import random
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from slabheap import Block, Heap


def mapped_bytes() -> int:
    """The address space of this process."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGESIZE")


def test_a_heap_is_closed_once_and_for_all() -> None:
    heap = Heap(1 << 20)
    block = heap.allocate(10)
    assert heap.is_open
    heap.close()
    heap.close()
    assert not heap.is_open
    assert not block.is_live


def test_a_heap_is_closed_when_the_with_statement_ends_in_an_error() -> None:
    with pytest.raises(LookupError), Heap(1 << 20) as heap:
        raise LookupError
    assert not heap.is_open


def test_memory_goes_back_to_the_os_when_a_heap_is_closed_or_let_go_of(options: dict[str, Any]) -> None:
    before = mapped_bytes()
    closed, forgotten = Heap(1 << 36, **options), Heap(1 << 36, **options)
    forgotten.add_memory(1 << 35)
    assert mapped_bytes() - before >= 5 << 35
    closed.close()
    assert mapped_bytes() - before < 4 << 35
    del forgotten
    assert mapped_bytes() - before < 1 << 30


def test_a_heap_that_could_not_be_made_leaves_nothing_behind() -> None:
    before = mapped_bytes()
    for _ in range(5):
        with pytest.raises(ValueError, match="at most 2"):
            Heap(1 << 41, page_bytes=512)
    assert mapped_bytes() - before < 1 << 30


@pytest.mark.parametrize("order", list(itertools.permutations(["heap", "block", "other", "view"])), ids="-".join)
def test_heap_blocks_and_views_go_in_any_order(order: tuple[str, ...]) -> None:
    memory = bytearray(1 << 16)
    heap = Heap.over(memory)
    block, other = heap.allocate(1000), heap.allocate(1000)
    things: dict[str, Any] = {"heap": heap, "block": block, "other": other, "view": memoryview(block)}
    things["view"][:] = b"v" * 1000
    del heap, block, other
    for number, name in enumerate(order):
        if "view" in things:
            assert bytes(things["view"]) == b"v" * 1000
        with pytest.raises(BufferError):
            memory.clear()
        del things[name]
        gc.collect(number % 3)
    memory.clear()


def test_a_view_keeps_the_memory_of_a_heap_that_was_let_go_of() -> None:
    before = mapped_bytes()
    view = memoryview(Heap(1 << 36).allocate(1 << 20))
    gc.collect()
    assert mapped_bytes() - before >= 1 << 36
    view[-3:] = b"end"
    assert bytes(view[-3:]) == b"end"
    del view
    assert mapped_bytes() - before < 1 << 30


def test_a_heap_in_a_cycle_is_collected() -> None:
    class Node:
        """A node that refers to itself by way of a heap."""

    class NamedHeap(Heap):
        """A heap with attributes of its own."""

    memory = bytearray(1 << 16)
    node: Any = Node()
    node.heap = NamedHeap.over(memory)
    node.heap.node = node
    node.block = node.heap.allocate(10)
    end = weakref.ref(node)
    del node
    gc.collect()
    assert end() is None
    memory.clear()


def test_a_class_of_heaps_may_be_derived() -> None:
    class Counting(Heap):
        """A heap that counts its own blocks."""

        count = 0

        def allocate(self, size: int, align: int = 8) -> Block:
            """One more."""
            self.count += 1
            return super().allocate(size, align)

    with Counting(1 << 16) as mapped, Counting.over(bytearray(1 << 16)) as over:
        for heap in (mapped, over):
            heap.allocate(10)
            heap.allocate(10)
            assert heap.count == heap.stats().live_blocks == 2


def test_a_derived_heap_that_is_never_opened_is_closed() -> None:
    class Forgetful(Heap):
        """A heap that is not told its size."""

        def __init__(self) -> None:
            pass

    heap = Forgetful()
    assert not heap.is_open
    with pytest.raises(ValueError, match="the heap is closed"):
        heap.allocate(10)


def test_a_view_that_outlives_everything_is_no_trouble_at_exit() -> None:
    program = (
        "import slabheap\nview = memoryview(slabheap.Heap(1 << 20).allocate(10))\nheap = slabheap.Heap(1 << 20)\nblock = heap.allocate(5)"
    )
    ended = subprocess.run([sys.executable, "-X", "dev", "-W", "error", "-c", program], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.fixture
def busy_switching() -> Iterator[None]:
    """Threads that take turns as often as they can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def in_threads(count: int, work: Callable[[int], None]) -> None:
    """Runs work in so many threads, and raises what one raised."""
    errors: list[BaseException] = []

    def run(number: int) -> None:
        try:
            work(number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


@pytest.mark.usefixtures("busy_switching")
def test_threads_share_a_heap(heap: Heap) -> None:
    def work(number: int) -> None:
        randomness = random.Random(number)
        live: list[tuple[Block, bytes]] = []
        for _ in range(300):
            size = randomness.choice([1, 60, 500, 5000])
            content = bytes([number]) * size
            block = heap.allocate(size)
            memoryview(block)[:] = content
            live.append((block, content))
            if len(live) > 20:
                freed, content = live.pop(randomness.randrange(len(live)))
                assert bytes(freed) == content
                heap.deallocate(freed)
        for block, content in live:
            assert bytes(block) == content
            heap.free(block)

    in_threads(4, work)
    assert heap.stats().live_blocks == 0
    assert heap.stats().allocations == 1200


@pytest.mark.usefixtures("busy_switching")
def test_a_block_that_threads_free_at_once_is_freed_once(heap: Heap) -> None:
    blocks = [heap.allocate(100) for _ in range(500)]
    freed = [0] * 4

    def work(number: int) -> None:
        for block in blocks:
            with contextlib.suppress(Exception):
                heap.free(block)
                freed[number] += 1

    in_threads(4, work)
    assert sum(freed) == 500
    assert (heap.stats().live_blocks, heap.stats().rejected_frees) == (0, 1500)


@pytest.mark.usefixtures("busy_switching")
def test_a_heap_that_is_closed_under_threads_refuses_them() -> None:
    for _ in range(20):
        heap = Heap(1 << 20)
        ended: list[int] = []

        def work(number: int, heap: Heap = heap, ended: list[int] = ended) -> None:
            if number == 0:
                heap.close()
                return
            try:
                while True:
                    heap.free(heap.allocate(100))
            except ValueError:
                ended.append(number)

        in_threads(3, work)
        assert sorted(ended) == [1, 2]
