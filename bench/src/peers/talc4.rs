//! talc 4: bins found by a bitmap, tags at the ends of blocks.

use std::cmp::Ordering;
use std::ptr::{self, NonNull};

use talc4::{ErrOnOom, Span, Talc};

use crate::arena::Region;
use crate::peer::{Memory, Peer, layout, move_block};

pub struct Talc4(Talc<ErrOnOom>);

impl Peer for Talc4 {
    fn name() -> &'static str {
        "talc-4"
    }

    fn version() -> String {
        env!("CRATE_talc_4").to_owned()
    }

    fn memory() -> Memory {
        Memory::Arena
    }

    unsafe fn open(region: Region) -> Self {
        let mut heap = Talc::new(ErrOnOom);
        // SAFETY: the region is the heap's alone.
        let claimed = unsafe { heap.claim(Span::from_base_size(region.start, region.bytes)) };
        claimed.expect("a heap fits into the region");
        Self(heap)
    }

    unsafe fn add(&mut self, region: Region) -> bool {
        // SAFETY: the region is the heap's alone.
        unsafe { self.0.claim(Span::from_base_size(region.start, region.bytes)) }.is_ok()
    }

    #[inline(never)]
    fn allocate(&mut self, size: usize, align: usize) -> *mut u8 {
        // SAFETY: the size is not zero.
        unsafe { self.0.malloc(layout(size, align)) }.map_or(ptr::null_mut(), NonNull::as_ptr)
    }

    #[inline(never)]
    unsafe fn deallocate(&mut self, block: *mut u8, size: usize, align: usize) {
        // SAFETY: the block was allocated by this heap with this layout, so it is not null.
        unsafe { self.0.free(NonNull::new_unchecked(block), layout(size, align)) };
    }

    #[inline(never)]
    unsafe fn reallocate(&mut self, block: *mut u8, size: usize, align: usize, new_size: usize) -> *mut u8 {
        let old = layout(size, align);
        // SAFETY: the block was allocated by this heap with this layout, so it is not null.
        let is_done = unsafe {
            let block = NonNull::new_unchecked(block);
            match new_size.cmp(&size) {
                Ordering::Greater => self.0.grow_in_place(block, old, new_size).is_ok(),
                Ordering::Less => {
                    self.0.shrink(block, old, new_size);
                    true
                }
                Ordering::Equal => true,
            }
        };
        if is_done {
            return block;
        }
        // SAFETY: passed on to the caller.
        unsafe { move_block(self, block, size, align, new_size) }
    }
}
