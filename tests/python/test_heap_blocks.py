"""Blocks as buffers: what looks at their memory, and what that holds up."""

from __future__ import annotations

import copy
import ctypes
import io
import pickle
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from slabheap import Block, DoubleFree, Heap, NotOwned


def array_on(block: Any, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """The memory of a block as an array; NumPy's types do not know yet that any buffer will do."""
    return np.frombuffer(block, dtype)


#: What would free, move or unmap a block.
ENDS: dict[str, Callable[[Heap, Block], Any]] = {
    "deallocate": lambda heap, block: heap.deallocate(block),
    "deallocate the address": lambda heap, block: heap.deallocate(block.address, block.size, block.align),
    "free": lambda heap, block: heap.free(block),
    "free the address": lambda heap, block: heap.free(block.address),
    "reallocate": lambda heap, block: heap.reallocate(block, 100_000),
    "reallocate in place": lambda heap, block: heap.reallocate(block, block.size + 1),
    "reset": lambda heap, _: heap.reset(),
    "close": lambda heap, _: heap.close(),
    "leave": lambda heap, _: heap.__exit__(None, None, None),
}

#: What looks at a block without a copy.
VIEWS: dict[str, Callable[[Block], Any]] = {
    "memoryview": memoryview,
    "slice": lambda block: memoryview(block)[2:5],
    "cast": lambda block: memoryview(block).cast("H"),
    "numpy": lambda block: array_on(block, np.uint8),
    "numpy slice": lambda block: array_on(block, np.uint16)[::2],
    "ctypes": lambda block: (ctypes.c_char * 10).from_buffer(block),
}


def test_a_block_knows_its_size_alignment_and_place(heap: Heap) -> None:
    block = heap.allocate(100, 64)
    assert (block.size, len(block), block.align, block.is_live) == (100, 100, 64, True)
    assert block.address == heap.blocks()["address"][0] == array_on(block, np.uint8).ctypes.data


def test_a_memoryview_reads_and_writes_the_bytes_of_a_block(heap: Heap) -> None:
    block = heap.allocate(10)
    with memoryview(block) as view:
        assert (view.nbytes, view.readonly, view.contiguous, view.format, view.itemsize) == (10, False, True, "B", 1)
        view[:] = b"0123456789"
    with memoryview(block) as again:
        assert again.tobytes() == b"0123456789"
    assert bytes(block) == b"0123456789"
    assert ctypes.string_at(block.address, 10) == b"0123456789"


def test_a_numpy_array_shares_the_memory_of_a_block(heap: Heap) -> None:
    block = heap.allocate(80)
    numbers = array_on(block, np.float64)
    numbers[:] = np.arange(10)
    assert numbers.flags.writeable
    assert struct.unpack("10d", block) == tuple(range(10))


def test_whatever_fills_a_buffer_fills_a_block(heap: Heap) -> None:
    block = heap.allocate(8)
    assert io.BytesIO(b"fromfile").readinto(block) == 8
    assert bytes(block) == b"fromfile"
    struct.pack_into("<Q", block, 0, 0x0102030405060708)
    assert bytes(block) == bytes(range(8, 0, -1))


def test_a_block_of_no_bytes_has_an_empty_view(heap: Heap) -> None:
    block = heap.allocate(0)
    with memoryview(block) as view:
        assert (view.nbytes, view.tobytes()) == (0, b"")
        with pytest.raises(BufferError):
            heap.free(block)
    heap.free(block)


@pytest.mark.parametrize("view_of", list(VIEWS.values()), ids=list(VIEWS))
@pytest.mark.parametrize("end", list(ENDS.values()), ids=list(ENDS))
def test_a_block_with_a_view_stays(end: Callable[[Heap, Block], Any], view_of: Callable[[Block], Any], classic: Heap) -> None:
    block = classic.allocate(10)
    memoryview(block)[:] = b"0123456789"
    view, before = view_of(block), classic.stats()
    with pytest.raises(BufferError, match=f"there is a view on (it|the block at {block.address:#x})"):
        end(classic, block)
    assert block.is_live
    assert bytes(memoryview(block)) == b"0123456789"
    assert classic.stats() == before
    del view
    end(classic, block)
    assert not block.is_live


def test_every_view_counts(classic: Heap) -> None:
    block = classic.allocate(10)
    views = [memoryview(block), array_on(block, np.uint8), memoryview(block)[3:]]
    while views:
        with pytest.raises(BufferError):
            classic.free(block)
        views.pop()
    classic.free(block)


def test_a_view_on_one_block_lets_others_be_freed(classic: Heap) -> None:
    viewed, other = classic.allocate(10), classic.allocate(10)
    with memoryview(viewed):
        classic.free(other)
    assert not other.is_live
    assert viewed.is_live


def test_a_view_holds_up_the_with_statement_once() -> None:
    with pytest.raises(BufferError, match="the heap cannot be closed"), Heap(1 << 16) as heap:
        view = memoryview(heap.allocate(10))
    assert heap.is_open
    view.release()
    heap.close()
    assert not heap.is_open


def test_a_freed_block_has_no_buffer(classic: Heap) -> None:
    for name in ("free", "free the address", "deallocate", "deallocate the address", "reallocate", "reset"):
        block = classic.allocate(10)
        ENDS[name](classic, block)
        with pytest.raises(ValueError, match="the block was freed"):
            memoryview(block)
        with pytest.raises(ValueError, match="the block was freed"):
            array_on(block, np.uint8)
        assert (block.size, block.is_live) == (10, False)


def test_a_block_of_a_closed_heap_has_no_buffer() -> None:
    with Heap(1 << 16) as heap:
        block = heap.allocate(10)
    with pytest.raises(ValueError, match="the heap of the block is closed"):
        memoryview(block)
    assert (block.is_live, block.size) == (False, 10)


def test_a_stale_block_does_not_stand_for_the_new_one_in_its_place(classic: Heap) -> None:
    freed = [classic.allocate(10) for _ in range(64)]
    for block in freed:
        classic.free(block)
    stale, fresh = freed[0], next(block for block in (classic.allocate(10) for _ in range(64)) if block.address == freed[0].address)
    live = classic.stats().live_blocks
    for number, name in enumerate(("free", "deallocate", "reallocate"), start=1):
        with pytest.raises(DoubleFree, match=f"the block at {stale.address:#x}: .*freed before"):
            ENDS[name](classic, stale)
        assert classic.stats().rejected_frees == number
    assert classic.block_size(stale) == 0
    assert (fresh.is_live, classic.stats().live_blocks) == (True, live)


def test_a_block_of_one_heap_is_not_another_heaps(classic: Heap) -> None:
    with Heap(1 << 20) as other:
        block, keep = other.allocate(10), classic.allocate(10)
        for number, name in enumerate(("free", "deallocate", "reallocate"), start=1):
            with pytest.raises(NotOwned, match=f"the block at {block.address:#x}: no region of this heap"):
                ENDS[name](classic, block)
            assert classic.stats().rejected_frees == number
        assert block.is_live
        assert keep.is_live
        assert other.stats().rejected_frees == 0


def test_a_block_of_a_closed_heap_is_not_that_of_a_heap_in_its_place() -> None:
    memory = bytearray(1 << 16)
    with Heap.over(memory) as first:
        stale = first.allocate(10)
    with Heap.over(memory) as second:
        fresh = second.allocate(10)
        assert fresh.address == stale.address
        with pytest.raises(NotOwned):
            second.free(stale)
        assert fresh.is_live


def test_only_a_heap_makes_blocks() -> None:
    with pytest.raises(TypeError, match="cannot create"):
        Block()
    with pytest.raises((TypeError, AttributeError)):
        Block.__new__(Block)
    with pytest.raises(TypeError):
        type("Derived", (Block,), {})


def test_neither_heaps_nor_blocks_are_copied_or_pickled(classic: Heap) -> None:
    for thing in (classic, classic.allocate(10)):
        for duplicate in (copy.copy, copy.deepcopy, pickle.dumps):
            with pytest.raises(TypeError, match="cannot pickle"):
                duplicate(thing)


def test_the_facts_of_a_block_cannot_be_changed(classic: Heap) -> None:
    block = classic.allocate(10)
    for name in ("address", "size", "align", "is_live"):
        with pytest.raises(AttributeError):
            setattr(block, name, 1)


def test_a_block_that_python_lets_go_of_stays_allocated(classic: Heap) -> None:
    address = classic.allocate(10).address
    assert classic.blocks()["address"].tolist() == [address]
    classic.free(address)
    assert classic.blocks().size == 0
