"""What a heap refuses, with which exception, and that a refusal changes nothing."""

from __future__ import annotations

import dataclasses
import re
import struct
from collections.abc import Callable
from typing import Any

import pytest

from places import ROOT
from slabheap import (
    Corrupt,
    DoubleFree,
    Heap,
    HeapError,
    Misaligned,
    NotOwned,
    Overlap,
    TooManyRegions,
    TooSmall,
    Unsupported,
    WrongLayout,
    errors,
)
from slabheap.pages import RUN_KINDS

HEADER = (ROOT / "capi/include/slabheap/slabheap.h").read_text()


def refused_frees(heap: Heap) -> list[tuple[type[HeapError], Callable[[], None]]]:
    """Wrong frees of every kind, and what each raises."""
    small, large, freed, gone = (heap.allocate(size) for size in (100, 100_000, 100, 100_000))
    heap.free(freed)
    heap.free(gone)
    runs = heap.runs()
    end = int(runs["address"][-1] + runs["bytes"][-1])
    free = runs[runs["kind"] == RUN_KINDS.index("free")][-1]
    return [
        (NotOwned, lambda: heap.free(8)),
        (NotOwned, lambda: heap.free(1 << 63)),
        (NotOwned, lambda: heap.free((1 << 64) - 1)),
        (NotOwned, lambda: heap.free(id(heap))),
        (NotOwned, lambda: heap.deallocate(end + (1 << 20), 100)),
        (DoubleFree, lambda: heap.free(freed)),
        (DoubleFree, lambda: heap.free(freed.address)),
        (DoubleFree, lambda: heap.free(gone.address)),
        (DoubleFree, lambda: heap.deallocate(gone.address, 100_000)),
        (DoubleFree, lambda: heap.free(int(free["address"] + free["bytes"]) - 1)),
        (Misaligned, lambda: heap.free(small.address + 1)),
        (Misaligned, lambda: heap.free(small.address + 64)),
        (Misaligned, lambda: heap.free(large.address + 1)),
        (Misaligned, lambda: heap.free(large.address + 65536)),
        (WrongLayout, lambda: heap.deallocate(small, 20_000)),
        (WrongLayout, lambda: heap.deallocate(small.address, 100_000)),
        (WrongLayout, lambda: heap.deallocate(large, 50_000)),
        (WrongLayout, lambda: heap.deallocate(large, 1)),
        (WrongLayout, lambda: heap.deallocate(large, align=1 << 40)),
    ]


def test_every_wrong_free_raises_its_own_error_and_changes_only_its_count(heap: Heap) -> None:
    refused = refused_frees(heap)
    before = dataclasses.asdict(heap.stats()) | {"rejected_frees": 0}
    blocks = heap.blocks().tolist()
    for number, (error, free) in enumerate(refused, start=1):
        with pytest.raises(error) as raised:
            free()
        assert type(raised.value) is error
        assert dataclasses.asdict(heap.stats()) == before | {"rejected_frees": number}
    assert heap.blocks().tolist() == blocks


def test_a_wrong_free_names_the_address_and_the_reason(classic: Heap) -> None:
    block = classic.allocate(100)
    with pytest.raises(Misaligned, match=f"freeing the block at {block.address + 8:#x}: the pointer is inside a live block"):
        classic.free(block.address + 8)
    with pytest.raises(WrongLayout, match=f"deallocating the block at {block.address:#x}: the block was not allocated with this"):
        classic.deallocate(block, 1000)


def test_a_layout_of_the_same_class_is_as_good(classic: Heap) -> None:
    classic.deallocate(classic.allocate(100), 65)
    classic.deallocate(classic.allocate(10_000), 12_288, 4096)
    assert classic.stats().rejected_frees == 0


def test_memory_that_overlaps_a_region_is_refused() -> None:
    memory = bytearray(1 << 16)
    with Heap.over(memoryview(memory)[: 1 << 15]) as heap:
        for part in (memory, memoryview(memory)[1 << 14 :], memoryview(memory)[: 1 << 15]):
            with pytest.raises(Overlap, match=f"adding {len(part)} bytes: the memory overlaps a region of this heap"):
                heap.add_memory(part)
        assert heap.stats().region_count == 1
        heap.add_memory(memoryview(memory)[1 << 15 :])
        assert heap.stats().region_count == 2


def test_memory_that_is_too_small_is_refused(classic: Heap) -> None:
    for too_small in (0, 1, 4096):
        with pytest.raises(TooSmall, match=f"a heap of {too_small} bytes: the memory cannot hold"):
            Heap(too_small)
        with pytest.raises(TooSmall):
            Heap.over(bytearray(too_small))
        with pytest.raises(TooSmall, match=f"adding {too_small} bytes"):
            classic.add_memory(bytearray(too_small))
        with pytest.raises(TooSmall):
            classic.add_memory(too_small)
    assert classic.stats().region_count == 1


def test_a_heap_has_64_regions_and_no_more() -> None:
    with Heap(1 << 16) as heap:
        for _ in range(63):
            heap.add_memory(1 << 16)
        before = heap.stats()
        assert before.region_count == 64
        with pytest.raises(TooManyRegions, match="as many regions as it can number"):
            heap.add_memory(1 << 16)
        with pytest.raises(TooManyRegions):
            heap.add_memory(bytearray(1 << 16))
        assert heap.stats() == before
        heap.check()


def word_of_the_set(memory: bytearray, change: Callable[[], None]) -> int:
    """Where the heap's word of blocks in use lies: the one that lacks one bit after one free."""
    before = bytes(memory)
    change()
    words = struct.unpack(f"<{len(memory) // 8}Q", before), struct.unpack(f"<{len(memory) // 8}Q", memory)
    return next(8 * i for i, (old, new) in enumerate(zip(*words, strict=True)) if (old ^ new) & old and (old ^ new).bit_count() == 1)


def test_metadata_that_was_written_over_is_found_corrupt() -> None:
    memory = bytearray(1 << 16)
    with Heap.over(memory) as heap:
        blocks = [heap.allocate(100) for _ in range(20)]
        heap.free(blocks[5])
        place = word_of_the_set(memory, lambda: heap.free(blocks[9]))
        heap.check()
        memory[place + 1] ^= 1 << 2  # block 10, which is live
        with pytest.raises(Corrupt, match="checking the heap: the heap's metadata was written over"):
            heap.check()
        memory[place + 1] ^= 1 << 2
        heap.check()


def test_every_status_of_the_c_interface_is_an_exception_of_its_own() -> None:
    statuses = {name: int(number) for name, number in re.findall(r"HEAP_STATUS_(\w+) = (\d+),", HEADER) if name != "OK"}
    assert len(statuses) == 11
    raised = {name: type(errors.error_of(number, "why")) for name, number in statuses.items()}
    renamed = {"OUT_OF_MEMORY": "MemoryError", "INVALID_ARGUMENT": "ValueError", "NOT_ALLOCATED": "DoubleFree"}
    for name, error in raised.items():
        assert error.__name__ == renamed.get(name, name.title().replace("_", ""))
        if issubclass(error, HeapError):
            assert error.status == statuses[name]
    assert raised["UNSUPPORTED"] is Unsupported
    assert len(set(raised.values())) == 11


def test_a_status_that_this_version_does_not_know_is_a_heap_error() -> None:
    error = errors.error_of(99, "why")
    assert type(error) is HeapError
    assert str(error) == "why"


CALLS: dict[str, Callable[[Heap], Any]] = {
    "allocate": lambda heap: heap.allocate(10),
    "allocate_zeroed": lambda heap: heap.allocate_zeroed(10),
    "deallocate": lambda heap: heap.deallocate(4096, 10),
    "free": lambda heap: heap.free(4096),
    "add_memory": lambda heap: heap.add_memory(1 << 16),
    "add_memory of a buffer": lambda heap: heap.add_memory(bytearray(1 << 16)),
    "usable_size": lambda heap: heap.usable_size(10),
    "block_size": lambda heap: heap.block_size(4096),
    "stats": lambda heap: heap.stats(),
    "class_stats": lambda heap: heap.class_stats(),
    "blocks": lambda heap: heap.blocks(),
    "runs": lambda heap: heap.runs(),
    "check": lambda heap: heap.check(),
    "trim": lambda heap: heap.trim(),
    "reset": lambda heap: heap.reset(),
}


@pytest.mark.parametrize("call", list(CALLS.values()), ids=list(CALLS))
def test_a_closed_heap_refuses_every_call(call: Callable[[Heap], Any]) -> None:
    heap = Heap(1 << 16)
    call_block = heap.allocate(10)
    heap.close()
    never_opened = Heap.__new__(Heap)
    for closed in (heap, never_opened):
        with pytest.raises(ValueError, match="the heap is closed"):
            call(closed)
        for action in (closed.free, closed.deallocate, closed.block_size, lambda block, closed=closed: closed.reallocate(block, 5)):
            with pytest.raises(ValueError, match="the heap is closed"):
                action(call_block)
        closed.close()


BAD_ARGUMENTS: dict[str, tuple[Callable[[Any], Any], type[Exception], str]] = {
    "align 0": (lambda heap: heap.allocate(1, 0), ValueError, "align must be a power of two, not 0"),
    "align 3": (lambda heap: heap.allocate(1, 3), ValueError, "align must be a power of two, not 3"),
    "align of zeroed": (lambda heap: heap.allocate_zeroed(1, 12), ValueError, "align must be a power of two, not 12"),
    "align of a free": (lambda heap: heap.deallocate(heap.allocate(1), align=6), ValueError, "align must be a power of two, not 6"),
    "align of usable": (lambda heap: heap.usable_size(1, 7), ValueError, "align must be a power of two, not 7"),
    "negative size": (lambda heap: heap.allocate(-1), ValueError, "size must be from 0 to 2^64 - 1, but is -1"),
    "negative align": (lambda heap: heap.allocate(1, -8), ValueError, "align must be from 0 to 2^64 - 1, but is -8"),
    "huge size": (lambda heap: heap.allocate(1 << 64), ValueError, f"size must be from 0 to 2^64 - 1, but is {1 << 64}"),
    "huge usable": (lambda heap: heap.usable_size(1 << 63), ValueError, f"no block has {1 << 63} bytes at an alignment of 8"),
    "size of a word": (lambda heap: heap.allocate("ten"), TypeError, "size must be an integer, not of the type str"),
    "size of a half": (lambda heap: heap.allocate(1.5), TypeError, "size must be an integer, not of the type float"),
    "size of nothing": (lambda heap: heap.allocate(None), TypeError, "size must be an integer, not of the type NoneType"),
    "new size": (lambda heap: heap.reallocate(heap.allocate(1), -5), ValueError, "new_size must be from 0 to 2^64 - 1, but is -5"),
    "no block": (lambda heap: heap.free(None), TypeError, "block must be a Block or an address, not of the type NoneType"),
    "a heap for a block": (lambda heap: heap.deallocate(heap), TypeError, "block must be a Block or an address, not of the type Heap"),
    "reallocated address": (lambda heap: heap.reallocate(4096, 1), TypeError, "block must be a Block, not of the type int"),
    "address and no size": (lambda heap: heap.deallocate(4096), ValueError, "the size of the block at an address has to be given"),
    "negative address": (lambda heap: heap.free(-1), ValueError, "block must be from 0 to 2^64 - 1, but is -1"),
    "added word": (lambda heap: heap.add_memory("much"), TypeError, "memory must be a writable buffer, not of the type str"),
    "added less": (lambda heap: heap.add_memory(-1), ValueError, "memory must be from 0 to 2^64 - 1, but is -1"),
    "added constants": (lambda heap: heap.add_memory(b"fixed" * 9999), BufferError, "not writable"),
    "added too much": (lambda heap: heap.add_memory(1 << 45), ValueError, f"adding {1 << 45} bytes: a region has at most 2^31 pages"),
}


@pytest.mark.parametrize(("call", "error", "words"), list(BAD_ARGUMENTS.values()), ids=list(BAD_ARGUMENTS))
def test_a_bad_argument_is_named(call: Callable[[Any], Any], error: type[Exception], words: str, classic: Heap) -> None:
    with pytest.raises(error, match=re.escape(words)):
        call(classic)
    assert classic.stats().rejected_frees == classic.stats().failed_allocations == 0


BAD_OPTIONS: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "preset": ({"preset": "clasic"}, ValueError, "preset must be one of 'classic', 'compact', not 'clasic'"),
    "preset of a list": ({"preset": []}, ValueError, "preset must be one of 'classic', 'compact', not []"),
    "pages": ({"pages": "tlsf"}, ValueError, "pages must be one of 'buddy', 'best_fit', not 'tlsf'"),
    "freed_runs": ({"freed_runs": True}, ValueError, "freed_runs must be one of 'kept', 'merged', not True"),
    "huge_pages": ({"huge_pages": 1}, ValueError, "huge_pages must be one of 'system', 'wanted', 'unwanted', not 1"),
    "page_bytes": ({"page_bytes": 1000}, ValueError, "a page must have a power of two of bytes, 512 to 65536"),
    "small pages": ({"page_bytes": 256}, ValueError, "a page must have a power of two of bytes"),
    "large pages": ({"page_bytes": 131072}, ValueError, "a page must have a power of two of bytes"),
    "negative pages": ({"page_bytes": -1}, ValueError, "page_bytes must be from 0 to 2^64 - 1, but is -1"),
    "set_blocks": ({"set_blocks": 65}, ValueError, "a set has at most 64 blocks"),
    "no classes": ({"classes": []}, ValueError, "there must be at least one size class"),
    "descending classes": ({"classes": [64, 32]}, ValueError, "size classes must ascend"),
    "equal classes": ({"classes": [64, 64]}, ValueError, "size classes must ascend"),
    "tiny class": ({"classes": [4, 64]}, ValueError, "a size class must have at least 8 bytes"),
    "huge class": ({"classes": [65537]}, ValueError, "a size class must have at most 65536 bytes"),
    "many classes": ({"classes": list(range(8, 8 * 130, 8))}, ValueError, "there can be at most 128 size classes"),
    "half a class": ({"classes": [64.5]}, TypeError, "a size class must be an integer, not of the type float"),
    "one class": ({"classes": 64}, TypeError, "classes must be a sequence of block sizes, not of the type int"),
    "bytes": ({"bytes": "1M"}, TypeError, "bytes must be an integer, not of the type str"),
    "negative bytes": ({"bytes": -1}, ValueError, "bytes must be from 0 to 2^64 - 1, but is -1"),
    "too many pages": ({"bytes": 1 << 44, "page_bytes": 512}, ValueError, "a region has at most 2^31 pages"),
}


@pytest.mark.parametrize(("options", "error", "words"), list(BAD_OPTIONS.values()), ids=list(BAD_OPTIONS))
def test_a_bad_option_is_named(options: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=re.escape(words)):
        Heap(**{"bytes": 1 << 20, **options})


def test_more_memory_than_the_os_has_addresses_for_is_a_memory_error(classic: Heap) -> None:
    with pytest.raises(MemoryError, match=f"a heap of {1 << 62} bytes: there is no memory"):
        Heap(1 << 62)
    with pytest.raises(MemoryError, match=f"adding {1 << 62} bytes: there is no memory"):
        classic.add_memory(1 << 62)


def test_an_open_heap_is_not_opened_again(classic: Heap) -> None:
    block = classic.allocate(10)
    with pytest.raises(ValueError, match="the heap is open"):
        classic.__init__(1 << 20)  # type: ignore[misc]
    assert block.is_live
