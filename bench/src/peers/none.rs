//! No allocator: what the measuring itself costs.

use std::hint::black_box;

use crate::arena::Region;
use crate::peer::{Memory, Peer};

/// Blocks on the list, a cache line each: they stay in the first-level cache, so no allocator can be cheaper.
const BLOCKS: usize = 256;
const LINE_BYTES: usize = 64;

/// Hands out addresses from a prepared list, round and round, and forgets what it gets back.
pub struct NoAllocator {
    blocks: [*mut u8; BLOCKS],
    next: usize,
}

impl Peer for NoAllocator {
    fn name() -> &'static str {
        "none"
    }

    fn version() -> String {
        String::new()
    }

    fn memory() -> Memory {
        Memory::None
    }

    unsafe fn open(region: Region) -> Self {
        assert!(region.bytes >= BLOCKS * LINE_BYTES, "the region holds the blocks");
        // SAFETY: every block lies in the region.
        let blocks = std::array::from_fn(|index| unsafe { region.start.add(index * LINE_BYTES) });
        Self { blocks, next: 0 }
    }

    #[inline(never)]
    fn allocate(&mut self, _size: usize, _align: usize) -> *mut u8 {
        self.next = (self.next + 1) % BLOCKS;
        self.blocks[self.next]
    }

    #[inline(never)]
    unsafe fn deallocate(&mut self, block: *mut u8, _size: usize, _align: usize) {
        black_box(block); // or the call would go
    }

    #[inline(never)]
    unsafe fn reallocate(&mut self, block: *mut u8, _size: usize, _align: usize, new_size: usize) -> *mut u8 {
        black_box((block, new_size));
        self.allocate(new_size, LINE_BYTES)
    }

    /// Clears nothing: the blocks may be in use.
    #[inline(never)]
    fn allocate_zeroed(&mut self, size: usize, align: usize) -> *mut u8 {
        self.allocate(size, align)
    }
}
