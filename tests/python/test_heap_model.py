"""Random calls on a heap and on a model of it: a dictionary of blocks with their bytes. After every step both agree.

SLABHEAP_PYTHON_STEPS says how many steps there are over all geometries, SLABHEAP_SEED where their randomness begins.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import functools
import gc
import os
import random
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from figures import add_figure, set_figure
from geometries import GEOMETRIES
from slabheap import Block, DoubleFree, Heap, Misaligned, NotOwned, WrongLayout

STEPS = int(os.environ.get("SLABHEAP_PYTHON_STEPS", "6000"))
STEPS_A_RUN = 50
SEED = int(os.environ.get("SLABHEAP_SEED", "1"))

SIZES = st.one_of(st.integers(0, 200), st.sampled_from([256, 511, 1024, 4096, 4097, 5000, 20_000, 65_536]), st.integers(0, 100_000))
ALIGNS = st.sampled_from([1, 2, 8, 8, 8, 16, 64, 512, 4096, 16_384])
PICKS = st.integers(0, 1 << 20)  # one of what there is


@dataclasses.dataclass
class Expected:
    """A block that the heap is to hold."""

    size: int
    align: int
    usable: int
    content: bytes
    block: Block | None  # none if Python let go of it
    view: Any = None


@contextlib.contextmanager
def working_threads(work: Callable[[int], None], count: int = 2) -> Iterator[None]:
    """Threads that work while the body runs, taking turns as often as the interpreter can; what one of them raises is raised."""
    errors: list[BaseException] = []

    def run(index: int) -> None:
        try:
            work(index)
        except BaseException as error:
            errors.append(error)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    threads = [threading.Thread(target=run, args=(index,)) for index in range(count)]
    try:
        for thread in threads:
            thread.start()
        yield
    finally:
        for thread in threads:
            thread.join()
        sys.setswitchinterval(interval)
    for error in errors:
        raise error


class HeapMachine(RuleBasedStateMachine):
    """Calls on a heap of one geometry, which derived classes choose.

    What is drawn must not depend on what the heap holds, for that may depend on where the OS maps it: so a rule that finds nothing to act
    on does nothing, and there are no preconditions.
    """

    options: dict[str, Any]
    steps = 0

    def __init__(self) -> None:
        super().__init__()
        self.random = random.Random(1)
        self.live: dict[int, Expected] = {}
        self.stale: list[Block] = []  # freed
        self.foreign: list[Block] = []  # of a heap that was closed

    @initialize(size=st.sampled_from([1 << 15, 1 << 17, 1 << 19]), is_mapped=st.booleans())
    def open(self, size: int, is_mapped: bool) -> None:
        self.memory = bytearray(0 if is_mapped else size)
        self.heap = Heap(size, **self.options) if is_mapped else Heap.over(self.memory, **self.options)
        self.given_bytes = size
        self.regions = 1
        self.allocations = self.deallocations = self.failed = self.rejected = 0

    def picked(self, pick: int) -> tuple[int, Expected]:
        return list(self.live.items())[pick % len(self.live)]

    def expect(self, block: Block, kept: bytes) -> None:
        """A block was handed out that begins with these bytes, and is to be filled behind them."""
        content = kept + self.random.randbytes(block.size - len(kept))
        assert bytes(block)[: len(kept)] == kept
        assert block.address % block.align == 0
        memoryview(block)[:] = content
        usable = self.heap.usable_size(block.size, block.align).max
        self.live[block.address] = Expected(block.size, block.align, usable, content, block)

    def forget(self, address: int) -> None:
        """A block was taken back."""
        block = self.live.pop(address).block
        if block is not None:
            assert not block.is_live
            self.stale = [*self.stale[-5:], block]

    def act_unless(self, is_viewed: bool, action: Callable[[], Any]) -> bool:
        """Does what a view stands in the way of; whether it was done."""
        with pytest.raises(BufferError, match="there is a view on") if is_viewed else contextlib.nullcontext():
            action()
        return not is_viewed

    @rule(size=SIZES, align=ALIGNS, is_zeroed=st.booleans())
    def allocate(self, size: int, align: int, is_zeroed: bool) -> None:
        largest, needed = self.heap.stats().largest_free_bytes, self.heap.usable_size(size, align).max
        try:
            block = self.heap.allocate_zeroed(size, align) if is_zeroed else self.heap.allocate(size, align)
        except MemoryError:
            assert needed > largest or align > 512  # aligned beyond a page, it may need more than its size
            self.failed += 1
        else:
            self.allocations += 1
            self.expect(block, bytes(size if is_zeroed else 0))

    @rule(size=SIZES, align=ALIGNS, count=st.integers(2, 30))
    def allocate_several(self, size: int, align: int, count: int) -> None:
        for index in range(count):
            self.allocate(size + 7 * index, align, is_zeroed=False)

    @rule(pick=PICKS, way=st.sampled_from(["block", "layout", "address"]))
    def free(self, pick: int, way: str) -> None:
        if not self.live:
            return
        address, expected = self.picked(pick)
        if expected.block is not None:
            assert bytes(expected.block) == expected.content

        def free() -> None:
            if way == "block" and expected.block is not None:
                self.heap.deallocate(expected.block)
            elif way == "layout":
                self.heap.deallocate(address, expected.size, expected.align)
            else:
                self.heap.free(address)

        if self.act_unless(expected.view is not None, free):
            self.deallocations += 1
            self.forget(address)

    @rule(pick=PICKS, size=SIZES)
    def reallocate(self, pick: int, size: int) -> None:
        held = [(address, expected.block, expected) for address, expected in self.live.items() if expected.block]
        if not held:
            return
        address, block, expected = held[pick % len(held)]
        moved: list[Block] = []
        try:
            is_done = self.act_unless(expected.view is not None, lambda: moved.append(self.heap.reallocate(block, size)))
        except MemoryError:
            self.failed += 1
            return
        if is_done:
            self.forget(address)
            self.allocations += moved[0].address != address
            self.deallocations += moved[0].address != address
            self.expect(moved[0], expected.content[: min(size, expected.size)])

    @rule(pick=PICKS, offset=st.integers(1, 5000))
    def free_wrongly(self, pick: int, offset: int) -> None:
        if not self.live:
            return
        address, expected = self.picked(pick)
        wrong: list[tuple[type[Exception], Callable[[], None]]] = [
            (Misaligned, lambda: self.heap.free(address + 1 + offset % (expected.usable - 1))),
            (NotOwned, lambda: self.heap.free(offset)),
        ]
        if expected.view is None:
            wrong.append((WrongLayout, lambda: self.heap.deallocate(address, expected.size + (1 << 20), expected.align)))
        wrong += [(DoubleFree, functools.partial(self.heap.free, block)) for block in self.stale[-1:]]
        wrong += [(NotOwned, functools.partial(self.heap.free, block)) for block in self.foreign[-1:]]
        refusal, free = wrong[pick % len(wrong)]
        with pytest.raises(refusal):
            free()
        self.rejected += 1

    @rule(pick=PICKS)
    def look(self, pick: int) -> None:
        held = [(expected, expected.block) for expected in self.live.values() if expected.block]
        if held:
            expected, block = held[pick % len(held)]
            expected.view = memoryview(block)

    @rule(pick=PICKS, lets_go=st.booleans())
    def look_away(self, pick: int, lets_go: bool) -> None:
        views = self.views()
        if not views:
            return
        expected = views[pick % len(views)]
        assert expected.view == expected.content
        expected.view = None
        if lets_go:
            expected.block = None

    @rule()
    def let_go(self) -> None:
        """Blocks that Python lets go of stay allocated, and those with views stay with them."""
        for expected in list(self.live.values())[::3]:
            expected.block = None
        self.stale.clear()
        gc.collect(0)

    @rule(size=st.sampled_from([1 << 14, (1 << 16) + 1, 1 << 18]), is_mapped=st.booleans())
    def add_memory(self, size: int, is_mapped: bool) -> None:
        if self.regions == 8:
            return
        self.heap.add_memory(size if is_mapped else bytearray(size))
        self.regions += 1
        self.given_bytes += size

    @rule()
    def trim(self) -> None:
        self.heap.trim()
        assert self.heap.trim() == 0

    @rule()
    def reset(self) -> None:
        if self.act_unless(bool(self.views()), self.heap.reset):
            self.deallocations += len(self.live)
            for address in list(self.live):
                self.forget(address)

    @rule(size=st.sampled_from([1 << 15, 1 << 17]), is_mapped=st.booleans())
    def close(self, size: int, is_mapped: bool) -> None:
        if self.act_unless(bool(self.views()), self.heap.close):
            self.open_another(size, is_mapped)

    def open_another(self, size: int, is_mapped: bool) -> None:
        """The heap was closed; there is another one from here on."""
        self.foreign = [expected.block for expected in self.live.values() if expected.block]
        assert not any(block.is_live for block in self.foreign)
        self.live.clear()
        self.stale.clear()
        self.memory.clear()  # nobody holds it any more
        with pytest.raises(ValueError, match="the heap is closed"):
            self.heap.allocate(1)
        self.open(size, is_mapped)

    @rule(size=SIZES, align=ALIGNS)
    def share(self, size: int, align: int) -> None:
        """Threads use the heap at a time, and views stand in the way of frees, while it is looked at and garbage is collected."""
        kept: list[Block] = []
        freed: list[int] = []
        failed: list[int] = []

        def work(index: int) -> None:
            for step in range(4):
                try:
                    block = self.heap.allocate(size % 5000 + 100 * index + step, align)
                except MemoryError:
                    failed.append(step)
                    continue
                with memoryview(block) as view:
                    view[:] = content = bytes([index]) * block.size
                    with pytest.raises(BufferError, match="there is a view on it"):
                        self.heap.free(block)
                    assert view == content
                if step % 2:
                    kept.append(block)
                else:
                    self.heap.deallocate(block)
                    freed.append(step)

        with working_threads(work):
            gc.collect(0)
            self.heap.check()
            assert self.heap.stats().live_blocks >= len(self.live)
        self.allocations += len(kept) + len(freed)
        self.deallocations += len(freed)
        self.failed += len(failed)
        for block in kept:
            self.expect(block, b"")

    @rule(size=st.sampled_from([1 << 15, 1 << 17]), is_mapped=st.booleans())
    def close_under_threads(self, size: int, is_mapped: bool) -> None:
        """Threads that use a heap find it closed at any moment."""
        if self.views():
            return

        def use() -> None:
            with contextlib.suppress(MemoryError):
                block = self.heap.allocate(100)
                with memoryview(block) as view:
                    view[:1] = b"x"
                self.heap.free(block)

        def work(_: int) -> None:
            with pytest.raises(ValueError, match=r"^the heap( of the block)? is closed$"):
                collections.deque(iter(use, self), maxlen=0)  # until it raises

        with working_threads(work):
            while self.heap.is_open:
                with contextlib.suppress(BufferError):
                    self.heap.close()
        self.open_another(size, is_mapped)

    def views(self) -> list[Expected]:
        return [expected for expected in self.live.values() if expected.view is not None]

    @invariant()
    def agrees(self) -> None:
        type(self).steps += 1
        self.heap.check()
        stats, classes = self.heap.stats(), self.heap.class_stats()
        used = sum(expected.usable for expected in self.live.values())
        assert (stats.live_blocks, stats.used_bytes) == (len(self.live), used)
        assert (stats.allocations, stats.deallocations) == (self.allocations, self.deallocations)
        assert (stats.failed_allocations, stats.rejected_frees) == (self.failed, self.rejected)
        assert stats.region_count == self.regions
        assert stats.total_bytes == stats.slab_total_bytes + stats.buddy_total_bytes
        assert stats.used_bytes == stats.slab_used_bytes + stats.buddy_used_bytes
        assert stats.available_bytes == stats.total_bytes - stats.used_bytes
        assert stats.total_bytes + stats.metadata_bytes <= self.given_bytes
        assert stats.slab_used_bytes == sum(one.used_blocks * one.block_size for one in classes)
        assert dict(self.heap.blocks().tolist()) == {address: expected.usable for address, expected in self.live.items()}
        assert all(expected.view == expected.content for expected in self.views())

    def teardown(self) -> None:
        for expected in self.live.values():
            assert expected.block is None or bytes(expected.block) == expected.content
            expected.view = None
        self.heap.close()


@pytest.mark.parametrize("geometry", list(GEOMETRIES))
def test_a_heap_does_what_its_model_does(geometry: str) -> None:
    class Machine(HeapMachine):
        """Calls on a heap of this geometry."""

        options = GEOMETRIES[geometry]

    steps = -(-STEPS // len(GEOMETRIES))
    while Machine.steps < steps:
        run_state_machine_as_test(
            seed(zlib.crc32(f"{geometry} {SEED} {Machine.steps}".encode()))(Machine),
            settings=settings(
                max_examples=min(1000, (steps - Machine.steps) // STEPS_A_RUN + 1),
                stateful_step_count=STEPS_A_RUN,
                deadline=None,
                database=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
    add_figure("steps", Machine.steps)
    set_figure("geometries", len(GEOMETRIES))
