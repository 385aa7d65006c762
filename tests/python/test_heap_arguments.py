"""Sizes and alignments at the edges of their ranges, and beyond them, in all pairs, through every call that takes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from slabheap import Block, Heap, HeapError, WrongLayout

BITS = 64
MOST = (1 << BITS) - 1
LARGEST = 1 << BITS - 1  # no block has so many bytes
#: 0, every power of two and its neighbours, the largest numbers, and what no word holds.
EDGES = sorted({0, -1, -(1 << 70), MOST + 1, 1 << 100, *(value + by for value in (1 << bit for bit in range(BITS)) for by in (-1, 0, 1))})
EDGES += [MOST - below for below in range(9) if MOST - below not in EDGES]
PRESETS = ("classic", "compact")
#: Larger heaps are not checked after every step: that looks at all of the metadata.
CHECKED = 1 << 34


def is_word(value: int) -> bool:
    return 0 <= value <= MOST


def is_alignment(value: int) -> bool:
    return is_word(value) and value.bit_count() == 1


def is_request(size: int, align: int) -> bool:
    return is_word(size) and is_alignment(align) and size < LARGEST and align < LARGEST


def pairs() -> Iterator[tuple[int, int]]:
    return ((size, align) for align in EDGES for size in EDGES)


def figures_of(heap: Heap) -> tuple[int, ...]:
    """What must be as it was before."""
    stats = heap.stats()
    return stats.used_bytes, stats.live_blocks, stats.largest_free_bytes, stats.rejected_frees


def answer(call: Callable[..., Any], *arguments: int) -> Any:
    """What a call returns, or the refusal that it raises."""
    try:
        return call(*arguments)
    except (ValueError, MemoryError, HeapError) as refusal:
        return refusal


def expect_reason(refusal: Exception, is_allowed: bool) -> None:
    """That what no word holds, or is no alignment, is a ValueError, and what there is no memory for, a MemoryError."""
    assert isinstance(refusal, MemoryError if is_allowed else ValueError), refusal


@pytest.mark.parametrize("preset", PRESETS)
def test_every_pair_gets_a_block_that_fits_or_is_refused(preset: Any) -> None:
    with Heap(1 << 20, preset=preset) as heap:
        before = figures_of(heap)
        given = 0
        for size, align in pairs():
            usable = answer(heap.usable_size, size, align)
            assert isinstance(usable, ValueError) != is_request(size, align)
            for call in (heap.allocate, heap.allocate_zeroed):
                block = answer(call, size, align)
                if not isinstance(block, Block):
                    expect_reason(block, is_word(size) and is_alignment(align))
                    continue
                given += 1
                assert block.address % align == 0
                assert heap.block_size(block) == usable.max >= size == block.size
                heap.deallocate(block)
        assert figures_of(heap) == before
        heap.check()
    assert given > 1000


@pytest.mark.parametrize("preset", PRESETS)
def test_a_live_block_withstands_every_pair_that_is_not_its_own(preset: Any) -> None:
    with Heap(1 << 20, preset=preset) as heap:
        block = heap.allocate(64)
        rejected = freed = 0
        for size, align in pairs():
            refusal = answer(heap.deallocate, block.address, size, align)
            if refusal is None:
                assert heap.usable_size(size, align).max == 64
                block = heap.allocate(64)
                freed += 1
            elif is_word(size) and is_alignment(align):
                assert isinstance(refusal, WrongLayout)
                rejected += 1
            else:
                assert isinstance(refusal, ValueError)
            assert block.is_live
        assert heap.stats().rejected_frees == rejected
        assert (heap.stats().live_blocks, heap.stats().deallocations) == (1, freed)
        assert freed > 10
        heap.check()


def test_a_reallocation_to_any_size_keeps_the_block_or_gives_one_that_fits(heap: Heap) -> None:
    content = bytes(range(100))
    block = heap.allocate(100)
    memoryview(block)[:] = content
    for size in EDGES:
        moved = answer(heap.reallocate, block, size)  # type: ignore[arg-type]
        if isinstance(moved, Block):
            assert heap.block_size(moved) >= size
            assert bytes(moved)[:100] == content[: min(size, 100)]
            heap.deallocate(moved)
            block = heap.allocate(100)
            memoryview(block)[:] = content
        else:
            expect_reason(moved, is_word(size))
        assert block.is_live
        assert bytes(block) == content


def test_every_address_at_the_edges_is_refused(heap: Heap) -> None:
    block = heap.allocate(100)
    before = heap.stats()
    refused = 0
    for address in EDGES:
        for refusal in (answer(heap.free, address), answer(heap.deallocate, address, 100)):
            if address == 0:
                assert refusal is None  # as NULL is in C
                continue
            assert isinstance(refusal, HeapError if is_word(address) else ValueError)
            refused += is_word(address)
        size = answer(heap.block_size, address)
        assert size == 0 if is_word(address) else isinstance(size, ValueError)
    assert heap.stats().rejected_frees == refused
    assert (heap.stats().used_bytes, heap.stats().live_blocks) == (before.used_bytes, before.live_blocks)
    assert block.is_live


def test_a_heap_of_every_size_is_made_or_refused(heap: Heap) -> None:
    total = heap.stats().total_bytes
    for size in EDGES:
        made = answer(Heap, size)
        if isinstance(made, Heap):
            if size <= CHECKED:
                made.check()
            assert made.stats().total_bytes < size
            made.close()
        else:
            assert size < 16_384 or size > 1 << 32
        refusal = answer(heap.add_memory, size)
        assert (heap.stats().total_bytes > total) == (refusal is None)
        total = heap.stats().total_bytes
        if total <= CHECKED:
            heap.check()
    heap.check()


def test_every_pair_of_choices_is_refused_by_name_or_makes_a_heap() -> None:
    made = 0
    for page in EDGES:
        for blocks in EDGES:
            is_right = (page == 0 or (is_alignment(page) and 512 <= page <= 65_536)) and 0 <= blocks <= 64
            heap: Any = answer(lambda page, blocks: Heap(1 << 18, page_bytes=page, set_blocks=blocks), page, blocks)
            assert isinstance(heap, Heap if is_right else ValueError)
            made += isinstance(heap, Heap)
    assert made == 9 * 17
    for size in EDGES:
        heap = answer(lambda size: Heap(1 << 20, classes=[size]), size)
        assert isinstance(heap, Heap if 8 <= size <= 65_536 else ValueError)
