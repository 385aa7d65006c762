//! ax_slab_allocator: seven slabs over a buddy allocator.

use ax_slab_allocator::Heap;

use crate::arena::Region;
use crate::peer::{Memory, Peer, layout};

pub struct AxSlabAllocator(Heap);

impl Peer for AxSlabAllocator {
    fn name() -> &'static str {
        "ax_slab_allocator"
    }

    fn version() -> String {
        env!("CRATE_ax_slab_allocator_0_4").to_owned()
    }

    fn memory() -> Memory {
        Memory::Arena
    }

    unsafe fn open(region: Region) -> Self {
        // SAFETY: the region is the heap's alone.
        Self(unsafe { Heap::new(region.start as usize, region.bytes) })
    }

    unsafe fn add(&mut self, region: Region) -> bool {
        // SAFETY: the region is the heap's alone.
        unsafe { self.0.add_memory(region.start as usize, region.bytes) };
        true
    }

    #[inline]
    fn allocate(&mut self, size: usize, align: usize) -> *mut u8 {
        self.0.allocate(layout(size, align)).unwrap_or(0) as *mut u8
    }

    #[inline]
    unsafe fn deallocate(&mut self, block: *mut u8, size: usize, align: usize) {
        // SAFETY: the block was allocated by this heap with this layout.
        unsafe { self.0.deallocate(block as usize, layout(size, align)) };
    }
}
