"""Memory that a heap is given: the caller's buffers, further regions, and what a callback adds when it runs out."""

from __future__ import annotations

import array
import contextlib
import ctypes
import gc
import mmap
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from slabheap import Block, DoubleFree, Heap

BUFFERS: dict[str, Callable[[int], Any]] = {
    "bytearray": bytearray,
    "memoryview": lambda size: memoryview(bytearray(size)),
    "array": lambda size: array.array("d", bytes(size)),
    "numpy": lambda size: np.zeros(size, np.uint8),
    "matrix": lambda size: np.zeros((size // 64, 8)),
    "ctypes": lambda size: (ctypes.c_char * size)(),
    "mmap": lambda size: mmap.mmap(-1, size),
}


@pytest.mark.parametrize("buffer_of", list(BUFFERS.values()), ids=list(BUFFERS))
def test_a_heap_lives_in_any_writable_buffer(buffer_of: Callable[[int], Any]) -> None:
    buffer = buffer_of(1 << 16)
    with memoryview(buffer) as view:
        start = np.frombuffer(view.cast("B") if view.ndim == 1 else view, np.uint8).ctypes.data
    with Heap.over(buffer) as heap, memoryview(heap.allocate(100)) as block:
        block[:] = b"a" * 100
        addresses = heap.blocks()["address"]
        assert start <= addresses[0] < start + (1 << 16)
        assert heap.stats().total_bytes + heap.stats().metadata_bytes <= 1 << 16
        block.release()
    assert b"a" * 100 in bytes(buffer)


NO_BUFFERS: dict[str, tuple[Any, type[Exception], str]] = {
    "bytes": (bytes(1 << 16), BufferError, "not writable"),
    "read-only view": (memoryview(bytearray(1 << 16)).toreadonly(), BufferError, "not writable"),
    "every other byte": (memoryview(bytearray(1 << 17))[::2], BufferError, "contiguous"),
    "Fortran's order": (np.zeros((256, 256), order="F"), BufferError, "not C-contiguous"),
    "every other element": (np.zeros(1 << 17, np.uint8)[::2], BufferError, "not C-contiguous"),
    "read-only array": (np.frombuffer(bytes(1 << 16), np.uint8), BufferError, "read-only"),
    "number": (1 << 16, TypeError, "memory must be a writable buffer, not of the type int"),
    "nothing": (None, TypeError, "memory must be a writable buffer, not None"),
    "text": ("x" * 65536, TypeError, "memory must be a writable buffer, not of the type str"),
}


@pytest.mark.parametrize(("memory", "error", "words"), list(NO_BUFFERS.values()), ids=list(NO_BUFFERS))
def test_no_other_memory_will_do(memory: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        Heap.over(memory)
    if error is BufferError:
        with pytest.raises(error, match=words), Heap(1 << 16) as heap:
            heap.add_memory(memory)


def test_a_heap_takes_every_option_over_a_buffer(options: dict[str, Any]) -> None:
    with Heap.over(bytearray(1 << 18), **options) as over, Heap(1 << 18, **options) as mapped:
        assert [one.block_size for one in over.class_stats()] == [one.block_size for one in mapped.class_stats()]
        over.allocate(100)
        over.check()


def test_a_buffer_is_held_until_the_heap_is_closed() -> None:
    first, second = bytearray(1 << 16), bytearray(1 << 16)
    with Heap.over(first) as heap:
        heap.add_memory(second)
        for memory in (first, second):
            with pytest.raises(BufferError):
                memory.clear()
    first.clear()
    second.clear()


def test_a_buffer_that_is_refused_is_not_held(classic: Heap) -> None:
    memory = bytearray(16)
    with contextlib.suppress(Exception):
        Heap.over(memory)
    with contextlib.suppress(Exception):
        classic.add_memory(memory)
    memory.clear()


@pytest.mark.parametrize("offset", [0, 1, 8, 100, 4095])
def test_a_heap_writes_nothing_outside_of_its_memory(offset: int, options: dict[str, Any]) -> None:
    # Twice what the blocks need: how many of 64 KiB fit in pages of 8 KiB depends on where the system put the memory.
    memory = bytearray(b"\xa5" * (1 << 20))
    end = offset + (1 << 19)
    with Heap.over(memoryview(memory)[offset:end], **options) as heap:
        blocks = [heap.allocate_zeroed(size) for size in (1, 100, 4096, 10_000, 60_000) for _ in range(2)]
        for block in blocks[::2]:
            heap.free(block)
        heap.reset()
        heap.trim()
        heap.check()
    assert memory[:offset] == b"\xa5" * offset
    assert memory[end:] == b"\xa5" * (len(memory) - end)


def test_a_heap_never_touches_the_bytes_of_blocks_or_of_free_memory(options: dict[str, Any]) -> None:
    memory = bytearray(b"\xa5" * (1 << 19))
    with Heap.over(memory, **options) as heap:
        runs = heap.runs()
        start = int(np.frombuffer(memory, np.uint8).ctypes.data)
        pages = [(int(run["address"]) - start, int(run["bytes"])) for run in runs]
        blocks = [heap.allocate(size) for size in (1, 100, 4096, 10_000, 60_000) for _ in range(2)]
        for block in blocks:
            heap.free(block)
        heap.trim()
        for offset, size in pages:
            assert memory[offset : offset + size] == b"\xa5" * size


def test_added_memory_is_handed_out_when_the_rest_is_used(heap: Heap) -> None:
    before = heap.stats()
    heap.add_memory(16 << 20)
    heap.add_memory(bytearray(4 << 20))
    after = heap.stats()
    assert after.region_count == 3
    assert 19 << 20 <= after.total_bytes - before.total_bytes <= 20 << 20
    blocks = [heap.allocate(2 << 20) for _ in range(8)]
    assert len({block.address for block in blocks}) == 8
    heap.check()


@pytest.fixture
def asked() -> list[tuple[int, int]]:
    """The sizes and alignments that a callback was asked for."""
    return []


@pytest.fixture
def growing(asked: list[tuple[int, int]], options: dict[str, Any]) -> Iterator[Heap]:
    """A heap that adds what it is asked for."""

    def grow(size: int, align: int) -> bool:
        asked.append((size, align))
        heap.add_memory(4 * size + 2 * align + (1 << 17))
        return True

    with Heap(1 << 17, **options, out_of_memory=grow) as heap:
        yield heap


def test_a_callback_adds_memory_and_the_request_succeeds(growing: Heap, asked: list[tuple[int, int]]) -> None:
    assert growing.allocate(1 << 20, 64).size == 1 << 20
    assert growing.allocate_zeroed(5 << 20).size == 5 << 20
    block = growing.reallocate(growing.allocate(100), 25 << 20)
    assert (block.size, block.is_live) == (25 << 20, True)
    assert asked == [(1 << 20, 64), (5 << 20, 8), (25 << 20, 8)]
    assert (growing.stats().failed_allocations, growing.stats().region_count) == (0, 4)
    growing.check()


def test_a_callback_is_not_asked_while_there_is_memory(growing: Heap, asked: list[tuple[int, int]]) -> None:
    blocks = [growing.allocate(100) for _ in range(5)]
    for block in blocks:
        growing.free(block)
    assert asked == []


def test_a_callback_is_not_asked_for_what_no_heap_has(growing: Heap, asked: list[tuple[int, int]]) -> None:
    with pytest.raises(MemoryError):
        growing.allocate(1 << 63)
    with pytest.raises(ValueError, match="align"):
        growing.allocate(1, 5)
    assert asked == []


@pytest.mark.parametrize("answer", [True, False])
def test_a_request_that_fails_after_all_counts_once(answer: bool) -> None:
    with Heap(1 << 16, out_of_memory=lambda _size, _align: answer) as heap:
        for number in (1, 2, 3):
            with pytest.raises(MemoryError, match="no memory for 1048576 bytes at an alignment of 8"):
                heap.allocate(1 << 20)
            assert heap.stats().failed_allocations == number


def test_what_a_callback_raises_the_request_raises() -> None:
    def give_up(size: int, align: int) -> bool:
        raise LookupError(f"{size} at {align}")

    with Heap(1 << 16, out_of_memory=give_up) as heap:
        block = heap.allocate(10)
        with pytest.raises(LookupError, match="1048576 at 16"):
            heap.allocate(1 << 20, 16)
        with pytest.raises(LookupError, match="2097152 at 8"):
            heap.reallocate(block, 1 << 21)
        assert block.is_live
        heap.check()


def test_a_callback_that_answers_neither_yes_nor_no_is_a_type_error() -> None:
    answer: Any = "yes"
    with (
        Heap(1 << 16, out_of_memory=lambda _size, _align: answer) as heap,
        pytest.raises(TypeError, match="must return a bool, not one of the type str"),
    ):
        heap.allocate(1 << 20)


def test_what_cannot_be_called_is_no_callback() -> None:
    callback: Any = 5
    with pytest.raises(TypeError, match="out_of_memory must be callable, not of the type int"):
        Heap(1 << 16, out_of_memory=callback)


def test_a_callback_may_free_blocks_of_its_heap() -> None:
    cache: list[Block] = []

    def evict(_size: int, _align: int) -> bool:
        while cache:
            heap.free(cache.pop())
        return True

    with Heap(1 << 20, out_of_memory=evict) as heap:
        cache.extend(heap.allocate(8192) for _ in range(100))
        assert heap.allocate(400_000).is_live
        assert heap.stats().live_blocks == 1


def test_a_callback_may_close_its_heap() -> None:
    def close(_size: int, _align: int) -> bool:
        heap.close()
        return True

    heap = Heap(1 << 16, out_of_memory=close)
    with pytest.raises(ValueError, match="the heap is closed"):
        heap.allocate(1 << 20)
    heap = Heap(1 << 16, out_of_memory=close)
    with pytest.raises(ValueError, match="the heap is closed"):
        heap.reallocate(heap.allocate(10), 1 << 20)


@pytest.mark.parametrize("is_reset", [True, False])
def test_a_block_that_a_callback_frees_is_not_reallocated(is_reset: bool) -> None:
    def free(_size: int, _align: int) -> bool:
        if is_reset:
            heap.reset()
        else:
            heap.free(block)
        return True

    with Heap(1 << 16, out_of_memory=free) as heap:
        block = heap.allocate(10)
        with pytest.raises(DoubleFree, match="freed before"):
            heap.reallocate(block, 1 << 20)


def test_a_block_that_a_callback_looks_at_is_not_reallocated() -> None:
    views: list[memoryview] = []

    def look(_size: int, _align: int) -> bool:
        views.append(memoryview(block))
        return True

    with Heap(1 << 16, out_of_memory=look) as heap:
        block = heap.allocate(10)
        with pytest.raises(BufferError, match="there is a view on it"):
            heap.reallocate(block, 1 << 20)
        views.clear()


def test_a_callback_that_allocates_what_there_is_no_memory_for_ends_in_a_recursion_error() -> None:
    with Heap(1 << 16, out_of_memory=lambda size, align: heap.allocate(size, align).is_live) as heap:
        with pytest.raises(RecursionError):
            heap.allocate(1 << 20)
        heap.check()
        assert heap.allocate(10).is_live


def test_other_threads_use_the_heap_while_a_callback_waits() -> None:
    is_asked, may_go_on = threading.Event(), threading.Event()

    def wait(_size: int, _align: int) -> bool:
        is_asked.set()
        may_go_on.wait()
        return False

    def ask() -> None:
        with contextlib.suppress(MemoryError):
            heap.allocate(1 << 20)

    with Heap(1 << 16, out_of_memory=wait) as heap:
        thread = threading.Thread(target=ask)
        thread.start()
        is_asked.wait()
        heap.free(heap.allocate(100))
        heap.add_memory(1 << 16)
        heap.check()
        may_go_on.set()
        thread.join()
        assert (heap.stats().region_count, heap.stats().live_blocks) == (2, 0)


@pytest.mark.parametrize("has_block", [False, True])
@pytest.mark.parametrize("has_heap", [False, True])
def test_a_heap_that_its_callback_refers_to_is_collected(has_heap: bool, has_block: bool) -> None:
    class Owner:
        """What a callback belongs to."""

        def grow(self, _size: int, _align: int) -> bool:
            return False

    memory = bytearray(1 << 16)
    owner = Owner()
    heap = Heap.over(memory, out_of_memory=owner.grow)
    owner.__dict__.update({"heap": heap} if has_heap else {}, **({"block": heap.allocate(10)} if has_block else {}))
    end = weakref.ref(owner)
    del owner, heap
    gc.collect()
    assert end() is None
    memory.clear()
