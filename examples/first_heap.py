"""A heap of one's own, from Python: allocate, write, look, get a wrong free refused, and replay a recorded program."""

from pathlib import Path

import numpy as np

import slabheap

with slabheap.Heap(1 << 20) as heap:
    block = heap.allocate(8 * 1000)
    numbers = np.frombuffer(block, np.float64)
    numbers[:] = np.arange(1000)
    print(f"{block.size} bytes at {block.address:#x}, whose numbers add up to {numbers.sum():.0f}")

    del numbers  # a block with a view on it is not freed
    heap.deallocate(block)
    try:
        heap.deallocate(block)
    except slabheap.HeapError as error:
        print(f"freeing it again: {type(error).__name__}: {error}")
    stats = heap.stats()
    print(f"{stats.live_blocks} live blocks, the largest free run is {stats.largest_free_bytes:,} of {stats.total_bytes:,} bytes")

trace = slabheap.Trace.load(Path(__file__).parents[1] / "tests/traces/perl-pod.trace")
for result in slabheap.compare(trace, ["classic", "compact", "system"]):
    print(f"{result.label:8} holds {result.peak_held_bytes / result.peak_requested_bytes:.2f} times what the program asked for")
