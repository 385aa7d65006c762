"""What a heap hands out, takes back, and says about it."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import slabheap
from geometries import GEOMETRIES
from slabheap import Block, Heap, Stats, UsableSize
from slabheap.heap import RUN_KINDS

CLASSIC = [64, 128, 256, 512, 1024, 2048, 4096]


def resident_bytes() -> int:
    """What this process keeps in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def holds_only_live(stats: Stats) -> dict[str, Any]:
    """The figures that freeing everything brings back."""
    names = ("used_bytes", "slab_used_bytes", "buddy_used_bytes", "live_blocks", "largest_free_bytes", "total_bytes", "metadata_bytes")
    return {name: getattr(stats, name) for name in names}


@pytest.mark.parametrize("align", [1 << shift for shift in range(21)])
def test_every_alignment_is_honoured_for_every_size(align: int, options: dict[str, Any]) -> None:
    with Heap(32 << 20, **options) as heap:
        for size in (0, 1, 3, 64, 100, 511, 4095, 4096, 4097, 65537, 1 << 20):
            blocks = [heap.allocate(size, align) for _ in range(3)]
            assert all(block.address % align == 0 for block in blocks)
            assert len({block.address for block in blocks}) == 3
            assert all(heap.block_size(block) >= max(1, size) for block in blocks)
            for block in blocks:
                heap.deallocate(block)


def test_a_size_of_100_at_an_alignment_of_8192_is_aligned_a_thousand_times() -> None:
    with Heap(64 << 20) as heap:
        blocks = [heap.allocate(100, 8192) for _ in range(1000)]
        assert {block.address % 8192 for block in blocks} == {0}


def test_requests_for_no_bytes_get_distinct_blocks_of_the_smallest_class(heap: Heap) -> None:
    blocks = [heap.allocate(0, 1) for _ in range(10)]
    assert len({block.address for block in blocks}) == 10
    assert {heap.block_size(block) for block in blocks} == {heap.class_stats()[0].block_size}


def test_blocks_keep_what_was_written_to_them(heap: Heap) -> None:
    randomness = random.Random(1)
    written: list[tuple[Block, bytes]] = []
    for _ in range(300):
        content = randomness.randbytes(randomness.choice([1, 60, 64, 65, 700, 5000, 20000]))
        block = heap.allocate(len(content))
        memoryview(block)[:] = content
        written.append((block, content))
        if len(written) > 50:
            freed, _ = written.pop(randomness.randrange(len(written)))
            heap.deallocate(freed)
    assert all(bytes(memoryview(block)) == content for block, content in written)


def test_zeroed_blocks_are_zero_where_others_wrote(heap: Heap) -> None:
    for size in (1, 64, 1000, 10000):
        dirty = [heap.allocate(size) for _ in range(100)]
        for block in dirty:
            memoryview(block)[:] = b"\xff" * size
            heap.deallocate(block)
        clean = [heap.allocate_zeroed(size) for _ in range(100)]
        assert all(bytes(memoryview(block)) == bytes(size) for block in clean)
        assert {block.address for block in clean} & {block.address for block in dirty}


def test_every_class_of_a_32_kib_heap_can_be_allocated_and_freeing_all_restores_it() -> None:
    with Heap.over(bytearray(32768)) as heap:
        before = heap.stats()
        blocks = [heap.allocate(size) for size in reversed(CLASSIC)]
        assert [heap.block_size(block) for block in reversed(blocks)] == CLASSIC
        for block in blocks:
            heap.deallocate(block)
        heap.trim()
        assert holds_only_live(heap.stats()) == holds_only_live(before)


@pytest.mark.parametrize("order", ["forward", "reverse", "random"])
def test_a_full_heap_that_is_emptied_is_one_piece_again(order: str, make_heap: Callable[[int], Heap]) -> None:
    with make_heap(1 << 18) as heap:
        before = heap.stats()
        randomness = random.Random(2)
        blocks: list[Block] = []
        while heap.stats().failed_allocations == 0:
            with contextlib.suppress(MemoryError):
                blocks.append(heap.allocate(randomness.choice([1, 50, 500, 4000, 9000])))
        if order == "reverse":
            blocks.reverse()
        elif order == "random":
            randomness.shuffle(blocks)
        for block in blocks:
            heap.deallocate(block)
        heap.check()
        heap.trim()
        assert holds_only_live(heap.stats()) == holds_only_live(before)


def test_statistics_add_up_at_every_step(heap: Heap) -> None:
    randomness = random.Random(3)
    live: list[Block] = []
    for _ in range(500):
        if live and randomness.random() < 0.4:
            heap.deallocate(live.pop(randomness.randrange(len(live))))
        else:
            live.append(heap.allocate(randomness.choice([1, 30, 100, 600, 3000, 9000])))
        stats = heap.stats()
        assert stats.total_bytes == stats.slab_total_bytes + stats.buddy_total_bytes
        assert stats.used_bytes == stats.slab_used_bytes + stats.buddy_used_bytes
        assert stats.available_bytes == stats.total_bytes - stats.used_bytes
        assert stats.total_bytes + stats.metadata_bytes <= 8 << 20
        assert stats.used_bytes == sum(heap.block_size(block) for block in live)
        assert stats.live_blocks == len(live) == stats.allocations - stats.deallocations
        classes = heap.class_stats()
        assert stats.slab_used_bytes == sum(one.used_blocks * one.block_size for one in classes)
        assert stats.peak_page_bytes >= stats.slab_total_bytes + stats.buddy_used_bytes
        assert stats.used_metadata_bytes <= stats.metadata_bytes


def test_the_statistics_of_one_block_are_known(classic: Heap) -> None:
    block = classic.allocate(100)
    assert [one for one in classic.class_stats() if one.allocations] == [slabheap.ClassStats(128, 32, 1, 1, 1, 1, 0)]
    stats = classic.stats()
    assert (stats.used_bytes, stats.slab_total_bytes, stats.buddy_used_bytes, stats.live_blocks) == (128, 4096, 0, 1)
    classic.deallocate(block)
    large = classic.allocate(4097)
    assert classic.stats().buddy_used_bytes == classic.block_size(large) == 8192


def test_metadata_of_a_mebibyte_is_at_most_a_hundredth(classic: Heap) -> None:
    assert classic.stats().metadata_bytes <= (1 << 20) / 100


def test_the_largest_free_block_can_be_had_and_no_larger_one(heap: Heap) -> None:
    keep = [heap.allocate(300_000) for _ in range(5)]
    heap.deallocate(keep[2])
    largest = heap.stats().largest_free_bytes
    with pytest.raises(MemoryError, match=f"no memory for {largest + 1} bytes at an alignment of 8; the largest free block is {largest}"):
        heap.allocate(largest + 1)
    assert heap.stats().failed_allocations == 1
    assert len(heap.allocate(largest)) == largest


def test_no_memory_is_a_memory_error_that_changes_only_its_count(heap: Heap) -> None:
    block = heap.allocate(10)
    before = dataclasses.asdict(heap.stats())
    for attempt, size in enumerate((9 << 20, 1 << 40, 1 << 62), start=1):
        with pytest.raises(MemoryError):
            heap.allocate(size)
        assert dataclasses.asdict(heap.stats()) == before | {"failed_allocations": attempt}
    with pytest.raises(MemoryError):
        heap.allocate_zeroed(1 << 63)  # more than any request can have: not one that failed for want of memory
    with pytest.raises(MemoryError):
        heap.reallocate(block, 9 << 20)
    assert block.is_live
    assert dataclasses.asdict(heap.stats()) == before | {"failed_allocations": 4}


def test_usable_sizes_are_those_of_the_blocks(heap: Heap) -> None:
    for size, align in ((0, 1), (1, 1), (64, 8), (65, 64), (3000, 8), (100, 4096), (10, 65536), (100_000, 8)):
        usable = heap.usable_size(size, align)
        assert usable == UsableSize(size, heap.block_size(heap.allocate(size, align)))
        assert usable.max >= size


def test_the_block_size_of_what_is_no_live_block_is_0(classic: Heap) -> None:
    block, freed = classic.allocate(10), classic.allocate(10)
    classic.free(freed)
    with Heap(1 << 16) as other:
        foreign = other.allocate(10)
        assert [classic.block_size(b) for b in (block, block.address, block.address + 1, freed, foreign, 0)] == [64, 64, 0, 0, 0, 0]


def test_blocks_lists_every_live_block_in_order_of_address(heap: Heap) -> None:
    assert heap.blocks().size == 0
    blocks = [heap.allocate(size) for size in (5000, 1, 100, 1, 70_000, 600)]
    heap.deallocate(blocks.pop(1))
    listed = heap.blocks()
    assert listed.dtype.names == ("address", "bytes")
    assert listed["address"].tolist() == sorted(block.address for block in blocks)
    assert dict(listed.tolist()) == {block.address: heap.block_size(block) for block in blocks}


def test_runs_are_all_pages_and_hold_all_blocks(heap: Heap) -> None:
    for size in (1, 1, 100, 5000, 70_000, 600):
        heap.allocate(size)
    runs, stats = heap.runs(), heap.stats()
    assert int(runs["bytes"].sum()) == stats.total_bytes
    assert (np.diff(runs["address"].astype(np.int64)) >= runs["bytes"][:-1].astype(np.int64)).all()
    blocks = [
        (int(run["address"]) + index * int(run["block_size"]), int(run["block_size"]))
        for run in runs
        for index in range(run["total_blocks"])
        if int(run["used"]) >> index & 1
    ]
    assert blocks == [tuple(row) for row in heap.blocks().tolist()]
    kinds = {RUN_KINDS[kind] for kind in runs["kind"].tolist()}
    assert kinds == {"free", "set", "large"}
    free = runs[runs["kind"] == RUN_KINDS.index("free")]
    assert int(free["total_blocks"].sum()) == int(free["block_size"].sum()) == 0


def test_a_reallocated_block_keeps_its_bytes(heap: Heap) -> None:
    block = heap.allocate(10, 32)
    memoryview(block)[:] = b"0123456789"
    for size in (20, 500, 10_000, 100_000, 200, 10, 4):
        old, block = block, heap.reallocate(block, size)
        assert (block.size, block.align, block.address % 32) == (size, 32, 0)
        assert bytes(memoryview(block)[:4]) == b"0123"
        assert not old.is_live
    assert heap.stats().live_blocks == 1


def test_a_block_is_reallocated_in_place_within_its_slack_and_into_free_pages(classic: Heap) -> None:
    small = classic.allocate(100)
    assert classic.reallocate(small, 128).address == small.address
    large = classic.allocate(10_000)
    grown = classic.reallocate(large, 13_000)
    assert grown.address == large.address
    assert classic.reallocate(grown, 5_000).address == large.address
    assert classic.stats().buddy_used_bytes == 8192


def test_an_address_is_freed_with_or_without_its_layout(heap: Heap) -> None:
    first, second, third = (heap.allocate(size) for size in (10, 100, 20_000))
    heap.deallocate(first.address, 10)
    heap.deallocate(second.address, 100, 8)
    heap.free(third.address)
    assert not any(block.is_live for block in (first, second, third))
    assert heap.stats().live_blocks == 0


def test_sizes_and_addresses_may_be_numbers_of_numpy(heap: Heap) -> None:
    numbers: Any = np.array([100, 16, 1 << 20])
    size, align, added = numbers
    for _ in range(2):
        heap.allocate(size, align)
    first, second = heap.blocks()["address"]
    assert heap.block_size(first) >= 100
    heap.free(first)
    heap.deallocate(second, size, align)
    heap.add_memory(added)
    assert (heap.stats().live_blocks, heap.stats().region_count) == (0, 2)


def test_freeing_the_null_address_does_nothing(heap: Heap) -> None:
    before = heap.stats()
    heap.free(0)
    heap.deallocate(0, 100)
    assert heap.stats() == before


def test_reset_frees_every_block_at_once(heap: Heap) -> None:
    before = heap.stats()
    blocks = [heap.allocate(size) for size in (1, 100, 5000, 100_000)]
    heap.reset()
    assert not any(block.is_live for block in blocks)
    after = heap.stats()
    assert holds_only_live(after) == holds_only_live(before)
    assert (after.allocations, after.deallocations) == (4, 4)
    assert heap.blocks().size == 0
    assert heap.allocate(100).is_live


def test_trim_gives_memory_back_and_leaves_live_blocks_alone(heap: Heap) -> None:
    kept = heap.allocate(1000)
    memoryview(kept)[:] = b"k" * 1000
    big = heap.allocate(4 << 20)
    memoryview(big)[:] = b"b" * (4 << 20)
    heap.deallocate(big)
    assert heap.trim() >= (4 << 20) - 8192  # whole pages of the OS only
    assert heap.trim() == 0
    assert bytes(memoryview(kept)) == b"k" * 1000


def test_trim_of_a_callers_memory_gives_kept_sets_to_the_page_layer() -> None:
    with Heap.over(bytearray(1 << 18)) as heap:
        heap.deallocate(heap.allocate(100))
        kept = heap.stats().slab_total_bytes
        assert heap.trim() == kept > 0
        assert heap.stats().slab_total_bytes == 0


def test_a_heap_of_a_tebibyte_takes_up_room_only_where_it_is_used(options: dict[str, Any]) -> None:
    before = resident_bytes()
    with Heap(1 << 40, **options) as heap:
        block = heap.allocate(1 << 38)
        memoryview(block)[-1:] = b"x"
        assert heap.stats().total_bytes > (1 << 40) * 0.95
        assert resident_bytes() - before < 16 << 20
        del block


def test_the_presets_are_what_they_promise() -> None:
    with Heap(1 << 20) as classic, Heap(1 << 20, preset="compact") as compact:
        assert [one.block_size for one in classic.class_stats()] == CLASSIC
        for size in range(18, 4097):
            assert compact.usable_size(size, 1).max * 3 <= size * 4
        assert compact.class_stats()[0].block_size == 16


def test_each_part_of_a_preset_can_be_chosen_alone() -> None:
    sizes: Any = np.array([48, 200])
    with Heap(1 << 20, classes=sizes) as heap:
        heap.allocate(200)
        assert [one.block_size for one in heap.class_stats()] == [48, 200]
    with Heap(1 << 21, set_blocks=3) as heap:
        heap.allocate(4000)
        assert heap.class_stats()[6].total_blocks == 3
    with Heap(1 << 20, page_bytes=512) as heap:
        assert heap.usable_size(4097).max == 4608
    with Heap(1 << 20, pages="best_fit") as heap:
        heap.allocate(3 * 4096)
        assert heap.stats().largest_free_bytes > 900_000  # a buddy has no more than half of the heap in one run
    with Heap(1 << 20, preset="compact", pages="buddy") as heap:
        assert heap.stats().largest_free_bytes == 1 << 19


def test_freed_runs_are_kept_apart_or_merged_at_once() -> None:
    lengths: dict[Any, list[int]] = {}
    for freed_runs in ("kept", "merged"):
        with Heap(1 << 20, pages="best_fit", freed_runs=freed_runs) as heap:
            for block in [heap.allocate(3 * 4096) for _ in range(3)]:
                heap.free(block)
            lengths[freed_runs] = sorted((heap.runs()["bytes"] // 4096).tolist())
            assert heap.stats().used_bytes == 0
            pages = heap.stats().total_bytes // 4096
    assert lengths == {"kept": [3, 3, 3, pages - 9], "merged": [pages]}


def test_a_heap_tells_in_a_line_what_it_is(classic: Heap) -> None:
    block = classic.allocate(100)
    assert repr(classic) == f"<Heap: 128 of {classic.stats().total_bytes:,} bytes used by 1 block>"
    assert repr(block) == f"<Block of 100 bytes at {block.address:#x}>"
    classic.free(block)
    assert repr(block) == f"<Block of 100 bytes at {block.address:#x}, freed>"
    with Heap(1 << 20) as other:
        pass
    assert repr(other) == "<Heap, closed>"


def test_every_geometry_is_sound_when_it_is_new() -> None:
    for options in GEOMETRIES.values():
        with Heap(1 << 20, **options) as heap:
            heap.check()
            assert heap.stats().live_blocks == 0
