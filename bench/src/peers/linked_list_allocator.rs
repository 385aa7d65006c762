//! linked_list_allocator: first fit over one list of free blocks, sorted by address.

use std::ptr::{self, NonNull};

use linked_list_allocator::Heap;

use crate::arena::Region;
use crate::peer::{Memory, Peer, layout};

pub struct LinkedListAllocator(Heap);

impl Peer for LinkedListAllocator {
    fn name() -> &'static str {
        "linked_list_allocator"
    }

    fn version() -> String {
        env!("CRATE_linked_list_allocator_0_10").to_owned()
    }

    fn memory() -> Memory {
        Memory::Arena
    }

    unsafe fn open(region: Region) -> Self {
        // SAFETY: the region is the heap's alone.
        Self(unsafe { Heap::new(region.start, region.bytes) })
    }

    #[inline]
    fn allocate(&mut self, size: usize, align: usize) -> *mut u8 {
        self.0.allocate_first_fit(layout(size, align)).map_or(ptr::null_mut(), NonNull::as_ptr)
    }

    #[inline]
    unsafe fn deallocate(&mut self, block: *mut u8, size: usize, align: usize) {
        // SAFETY: the block was allocated by this heap with this layout, so it is not null.
        unsafe { self.0.deallocate(NonNull::new_unchecked(block), layout(size, align)) };
    }
}
