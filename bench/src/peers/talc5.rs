//! talc 5: talc with other bins and tags.

use std::ptr::{self, NonNull};

use talc5::DefaultBinning;
use talc5::base::Talc;
use talc5::source::Manual;

use crate::arena::Region;
use crate::peer::{Memory, Peer, layout, move_block};

pub struct Talc5(Talc<Manual, DefaultBinning>);

impl Peer for Talc5 {
    fn name() -> &'static str {
        "talc-5"
    }

    fn version() -> String {
        env!("CRATE_talc_5").to_owned()
    }

    fn memory() -> Memory {
        Memory::Arena
    }

    unsafe fn open(region: Region) -> Self {
        let mut heap = Talc::new(Manual);
        // SAFETY: the region is the heap's alone.
        let claimed = unsafe { heap.claim(region.start, region.bytes) };
        claimed.expect("a heap fits into the region");
        Self(heap)
    }

    unsafe fn add(&mut self, region: Region) -> bool {
        // SAFETY: the region is the heap's alone.
        unsafe { self.0.claim(region.start, region.bytes) }.is_some()
    }

    #[inline(never)]
    fn allocate(&mut self, size: usize, align: usize) -> *mut u8 {
        // SAFETY: the size is not zero.
        unsafe { self.0.allocate(layout(size, align)) }.map_or(ptr::null_mut(), NonNull::as_ptr)
    }

    #[inline(never)]
    unsafe fn deallocate(&mut self, block: *mut u8, size: usize, align: usize) {
        // SAFETY: the block was allocated by this heap with this layout.
        unsafe { self.0.deallocate(block, layout(size, align)) };
    }

    #[inline(never)]
    unsafe fn reallocate(&mut self, block: *mut u8, size: usize, align: usize, new_size: usize) -> *mut u8 {
        // SAFETY: the block was allocated by this heap with this layout.
        unsafe {
            if self.0.try_realloc_in_place(block, layout(size, align), new_size) {
                return block;
            }
        }
        // SAFETY: passed on to the caller.
        unsafe { move_block(self, block, size, align, new_size) }
    }
}
