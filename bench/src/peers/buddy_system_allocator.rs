//! buddy_system_allocator: powers of two, each on a list.

use std::ptr::{self, NonNull};

use buddy_system_allocator::Heap;

use crate::arena::Region;
use crate::peer::{Memory, Peer, layout};

/// Orders: blocks of up to 2^31 bytes, as in the crate's examples.
const ORDERS: usize = 32;

pub struct BuddySystemAllocator(Heap<ORDERS>);

impl Peer for BuddySystemAllocator {
    fn name() -> &'static str {
        "buddy_system_allocator"
    }

    fn version() -> String {
        env!("CRATE_buddy_system_allocator_0_13").to_owned()
    }

    fn memory() -> Memory {
        Memory::Arena
    }

    unsafe fn open(region: Region) -> Self {
        let mut heap = Heap::empty();
        // SAFETY: the region is the heap's alone.
        unsafe { heap.init(region.start as usize, region.bytes) };
        Self(heap)
    }

    unsafe fn add(&mut self, region: Region) -> bool {
        // SAFETY: the region is the heap's alone.
        unsafe { self.0.add_to_heap(region.start as usize, region.start as usize + region.bytes) };
        true
    }

    #[inline(never)]
    fn allocate(&mut self, size: usize, align: usize) -> *mut u8 {
        self.0.alloc(layout(size, align)).map_or(ptr::null_mut(), NonNull::as_ptr)
    }

    #[inline(never)]
    unsafe fn deallocate(&mut self, block: *mut u8, size: usize, align: usize) {
        // SAFETY: the block was allocated by this heap with this layout, so it is not null.
        unsafe { self.0.dealloc(NonNull::new_unchecked(block), layout(size, align)) };
    }
}
