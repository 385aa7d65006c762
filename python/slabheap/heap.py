"""A heap to hold in your hand: `Heap`, its statistics, and walks over what it holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self, SupportsIndex

import numpy as np
import numpy.typing as npt
from typing_extensions import Buffer

from slabheap._core import Block, HeapBase
from slabheap.markup import card
from slabheap.options import FreedRuns, HugePages, PageLayer, Preset, alignment, choice_of, count
from slabheap.pages import RUN_KINDS
from slabheap.stats import ClassStats, Stats, UsableSize
from slabheap.texts import bytes_text, counted

__all__ = ["RUN_KINDS", "Block", "ClassStats", "Heap", "Stats", "UsableSize"]


def _target(block: Block | SupportsIndex) -> Block | int:
    """What is to be freed, if it is a block or an address."""
    if isinstance(block, Block):
        return block
    if not isinstance(block, SupportsIndex):
        raise TypeError(f"block must be a Block or an address, not of the type {type(block).__name__}")
    return count("block", block)


class Heap(HeapBase):
    """A heap of `bytes` bytes mapped from the OS, which takes up room only where it is used.

    Every part of a preset can be chosen alone. Use it as a context manager, or `close` it; a heap that is let go of ends with the
    last block that refers to it.

    Threads: a heap is used under the interpreter's lock, so by one thread at a time.

    Costs: constant for a block of a class; `trim`, `reset`, `blocks` and `runs` take time in proportion to the number of runs, `blocks`
    also to that of live blocks, `check` to that of pages. Every method but `close` raises ValueError if the heap is closed.

    Args:
        bytes: How much memory to manage, the heap's own metadata included.
        preset: "classic", seven classes of 64 to 4096 bytes in sets of 64 blocks over a buddy allocator of 4096-byte pages; or
            "compact", for space: 27 classes of 16 to 4096 bytes, 58 in a heap of 8 MiB or more, sets only as long as leaves little of
            them unused, best fit over 1024-byte pages.
        classes: Block sizes in bytes, ascending, 8 to 65536, at most 128 of them.
        set_blocks: The blocks that a set aims at, 1 to 64; it has as many as fit into the pages that these need.
        page_bytes: Bytes of a page, a power of two, 512 to 65536.
        pages: The page layer, "buddy" or "best_fit".
        freed_runs: What becomes of a run of pages that is freed: "kept", while less than half of the heap is in use, runs of up to 64
            pages wait for the next request of as many, which is faster, but one call may have 512 of them to merge; "merged", each is
            merged with its free neighbours at once.
        huge_pages: Whether memory that is mapped from the OS, now or by `add_memory`, is to be backed by huge pages, of 2 MiB on most
            systems: "system", as the OS does by itself; "wanted", so that memory is first used and addressed faster, while resident
            memory grows by huge pages; "unwanted", so that it grows by small ones. It is advice: an OS without them ignores it.
        out_of_memory: Called with the size and alignment of a request that there is no memory for. It may add memory to the heap, or
            free blocks; True asks for one more try. What it raises, the request raises.

    Raises:
        ValueError: An option is out of range; the message says which.
        TooSmall: The memory cannot hold the metadata and one page.
        MemoryError: The OS gives none.

    Examples:
        >>> with Heap(1 << 20) as heap:
        ...     block = heap.allocate(100)
        ...     memoryview(block)[:5] = b"hello"
        ...     heap.stats().used_bytes
        128
    """

    def __init__(
        self,
        bytes: int,  # noqa: A002  (the field's word, and the C interface's)
        *,
        preset: Preset = "classic",
        classes: Sequence[int] | None = None,
        set_blocks: int | None = None,
        page_bytes: int | None = None,
        pages: PageLayer | None = None,
        freed_runs: FreedRuns = "kept",
        huge_pages: HugePages = "system",
        out_of_memory: Callable[[int, int], bool] | None = None,
    ) -> None:
        choice = choice_of(bytes, preset, classes, set_blocks, page_bytes, pages, freed_runs, huge_pages)
        self._open(choice, None, out_of_memory)

    @classmethod
    def over(
        cls,
        buffer: Buffer,
        *,
        preset: Preset = "classic",
        classes: Sequence[int] | None = None,
        set_blocks: int | None = None,
        page_bytes: int | None = None,
        pages: PageLayer | None = None,
        freed_runs: FreedRuns = "kept",
        huge_pages: HugePages = "system",
        out_of_memory: Callable[[int, int], bool] | None = None,
    ) -> Self:
        """A heap in memory that the caller owns: a writable, contiguous buffer, held until the heap is closed.

        The options and errors are those of `Heap`; also BufferError if the buffer is not writable or not contiguous.

        Examples:
            >>> memory = bytearray(65536)
            >>> with Heap.over(memory) as heap:
            ...     heap.stats().total_bytes > 50000
            True
        """
        if buffer is None:
            raise TypeError("memory must be a writable buffer, not None")
        heap = cls.__new__(cls)
        choice = choice_of(0, preset, classes, set_blocks, page_bytes, pages, freed_runs, huge_pages)
        heap._open(choice, buffer, out_of_memory)
        return heap

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        try:
            self.close()
        except BufferError:
            if error is None:
                raise
            # What went wrong first is what matters; its traceback may well hold the view. The heap ends with its last reference.

    def close(self) -> None:
        """Ends the heap and all of its blocks; mapped memory goes back to the OS, a buffer to its owner. A second call does nothing.

        Raises:
            BufferError: There is a view on a block.

        Examples:
            >>> heap = Heap(1 << 16)
            >>> heap.close()
            >>> heap.is_open
            False
        """
        self._close()

    @property
    def is_open(self) -> bool:
        """Whether the heap has not been closed."""
        return self._is_open

    def allocate(self, size: int, align: int = 8) -> Block:
        """Allocates a block of at least `size` bytes at a multiple of `align`, a power of two. Its contents are indeterminate.

        For 0 bytes, a distinct block of the smallest class.

        Raises:
            MemoryError: There is no memory for it.
            ValueError: `align` is no power of two, or the heap is closed.

        Examples:
            >>> with Heap(1 << 20) as heap:
            ...     block = heap.allocate(100, align=64)
            ...     block.size, block.address % 64
            (100, 0)
        """
        return self._allocate(count("size", size), alignment(align), zeroed=False)

    def allocate_zeroed(self, size: int, align: int = 8) -> Block:
        """Like `allocate`, with every byte zero.

        Examples:
            >>> with Heap(1 << 20) as heap:
            ...     sum(memoryview(heap.allocate_zeroed(100)))
            0
        """
        return self._allocate(count("size", size), alignment(align), zeroed=True)

    def reallocate(self, block: Block, new_size: int) -> Block:
        """Gives a block a new size; its first bytes, as many as both sizes have, stay. The old `Block` is freed, moved or not.

        Raises:
            BufferError: There is a view on the block.
            DoubleFree: The block was freed before.
            MemoryError: There is no memory for it; the block is as it was.

        Examples:
            >>> with Heap(1 << 20) as heap:
            ...     block = heap.allocate(5)
            ...     memoryview(block)[:] = b"hello"
            ...     longer = heap.reallocate(block, 5000)
            ...     bytes(memoryview(longer)[:5]), block.is_live
            (b'hello', False)
        """
        if not isinstance(block, Block):
            raise TypeError(f"block must be a Block, not of the type {type(block).__name__}")
        return self._reallocate(block, count("new_size", new_size))

    def deallocate(self, block: Block | SupportsIndex, size: int | None = None, align: int | None = None) -> None:
        """Frees a block, and checks its layout.

        Args:
            block: The block, or its address.
            size: The size that it was allocated with; that of the block unless given. An address needs it.
            align: The alignment that it was allocated with; that of the block unless given, 8 for an address.

        Raises:
            HeapError: The free is refused: `NotOwned`, `DoubleFree`, `Misaligned` or `WrongLayout`. Nothing has changed but
                `Stats.rejected_frees`.
            BufferError: There is a view on the block.
            ValueError: `align` is no power of two, the size of an address is missing, or the heap is closed.

        Examples:
            >>> with Heap(1 << 20) as heap:
            ...     block = heap.allocate(100)
            ...     heap.deallocate(block.address, 100)
            ...     heap.deallocate(block)  # doctest: +ELLIPSIS
            Traceback (most recent call last):
              ...
            slabheap.errors.DoubleFree: the block at 0x...: the pointer is in no live block: freed before, or never handed out
        """
        target = _target(block)
        if isinstance(target, Block):
            size = target.size if size is None else size
            align = target.align if align is None else align
        elif size is None:
            raise ValueError("the size of the block at an address has to be given; free() does without")
        self._deallocate(target, count("size", size), alignment(8 if align is None else align))

    def free(self, block: Block | SupportsIndex) -> None:
        """Frees a block, given as such or by its address, whatever its layout. Raises what `deallocate` raises.

        Examples:
            >>> with Heap(1 << 20) as heap:
            ...     heap.free(heap.allocate(100))
            ...     heap.stats().live_blocks
            0
        """
        self._free(_target(block))

    def add_memory(self, memory: Buffer | int) -> None:
        """Adds a region: a writable buffer, held until the heap is closed, or so many bytes mapped from the OS.

        Raises:
            HeapError: `TooSmall`, `Overlap` or `TooManyRegions`.
            MemoryError: The OS gives none.
            BufferError: The buffer is not writable or not contiguous.

        Examples:
            >>> with Heap(1 << 20) as heap:
            ...     heap.add_memory(bytearray(1 << 16))
            ...     heap.add_memory(1 << 20)
            ...     heap.stats().region_count
            3
        """
        self._add_memory(count("memory", memory) if isinstance(memory, int | np.integer) else memory)

    def usable_size(self, size: int, align: int = 8) -> UsableSize:
        """What a request asks for and what its block would hold, in bytes.

        Raises:
            ValueError: `align` is no power of two, or a number is out of range.

        Examples:
            >>> with Heap(1 << 20) as heap:
            ...     heap.usable_size(100)
            UsableSize(min=100, max=128)
        """
        usable = UsableSize(*self._usable_size(count("size", size), alignment(align)))
        if usable.max == 0:
            raise ValueError(f"no block has {size} bytes at an alignment of {align}")
        return usable

    def block_size(self, block: Block | SupportsIndex) -> int:
        """The bytes that a live block of this heap holds; 0 if it is none, or if there is none at that address.

        Examples:
            >>> with Heap(1 << 20) as heap:
            ...     heap.block_size(heap.allocate(100)), heap.block_size(0)
            (128, 0)
        """
        return self._block_size(_target(block))

    def stats(self) -> Stats:
        """Every figure at once. Cost: some steps for each size class, and a look around each run that is kept, 512 at the most.

        Examples:
            >>> with Heap(1 << 20) as heap:
            ...     blocks = [heap.allocate(100), heap.allocate(5000)]
            ...     heap.stats().used_bytes
            8320
        """
        return Stats(**self._stats())

    def class_stats(self) -> list[ClassStats]:
        """The figures of each size class, in ascending order of block size.

        Examples:
            >>> with Heap(1 << 20, classes=[64, 4096]) as heap:
            ...     block = heap.allocate(100)
            ...     [(each.block_size, each.used_blocks) for each in heap.class_stats()]
            [(64, 0), (4096, 1)]
        """
        return [ClassStats(**stats) for stats in self._class_stats()]

    def blocks(self) -> npt.NDArray[np.void]:
        """Every live block in order of address.

        Returns:
            A structured array, a row for each block, with the fields `address` and `bytes` (what it holds), both uint64.

        Examples:
            >>> with Heap(1 << 20) as heap:
            ...     blocks = [heap.allocate(100), heap.allocate(5000)]
            ...     sorted(heap.blocks()["bytes"].tolist())
            [128, 8192]
        """
        return self._blocks()

    def runs(self) -> npt.NDArray[np.void]:
        """Every run of pages in order of address; together they are all pages of the heap.

        Returns:
            A structured array, a row for each run: `kind` (uint32, an index into `RUN_KINDS`: free, set, large), `total_blocks`
            (uint32), `address`, `bytes`, `block_size` (0 for a free run) and `used` (uint64; bit k is set if block k is live).

        Examples:
            >>> with Heap(1 << 20) as heap:
            ...     block = heap.allocate(5000)
            ...     [(RUN_KINDS[run["kind"]], int(run["bytes"])) for run in heap.runs()][0]
            ('large', 8192)
        """
        return self._runs()

    def check(self) -> None:
        """Walks all metadata and checks every invariant. Cost: a look at each page that was ever handed out, and at each live block.

        Raises:
            Corrupt: One does not hold.

        Examples:
            >>> with Heap(1 << 20) as heap:
            ...     heap.check()
        """
        self._check()

    def trim(self) -> int:
        """Gives sets that are kept back empty, and kept runs, to the page layer, and free mapped memory to the OS.

        Returns:
            The bytes that went back to the OS, a run counting with its whole length; of a heap `over` a buffer, those of the sets that
            went to the page layer.

        Examples:
            >>> with Heap(1 << 20) as heap:
            ...     heap.free(heap.allocate(100))
            ...     heap.trim() > 0
            True
        """
        return self._trim()

    def reset(self) -> None:
        """Frees every block at once.

        Raises:
            BufferError: There is a view on a block.

        Examples:
            >>> with Heap(1 << 20) as heap:
            ...     block = heap.allocate(100)
            ...     heap.reset()
            ...     block.is_live
            False
        """
        self._reset()

    def __repr__(self) -> str:
        """The heap in a line."""
        if not self.is_open:
            return "<Heap, closed>"
        stats = self.stats()
        return f"<Heap: {stats.used_bytes:,} of {stats.total_bytes:,} bytes used by {counted(stats.live_blocks, 'block')}>"

    def _repr_html_(self) -> str:
        """A table and a map of the pages, for Jupyter."""
        if not self.is_open:
            return card("Heap, closed", [])
        stats = self.stats()
        facts = [
            ("used", f"{bytes_text(stats.used_bytes)} of {bytes_text(stats.total_bytes)}"),
            ("live blocks", f"{stats.live_blocks:,}"),
            ("largest free run", bytes_text(stats.largest_free_bytes)),
            ("most in use at once", bytes_text(stats.peak_page_bytes)),
            ("metadata", bytes_text(stats.metadata_bytes)),
            ("regions", f"{stats.region_count:,}"),
            ("requests without memory", f"{stats.failed_allocations:,}"),
            ("refused frees", f"{stats.rejected_frees:,}"),
        ]
        return card("Heap", facts, self.runs())
