//! rlsf: two-level segregated fit.

use std::ptr::{self, NonNull};

use rlsf::Tlsf;

use crate::arena::Region;
use crate::peer::{Memory, Peer, layout};

/// Doublings of block sizes: blocks of up to 128 MiB, so that the arena is one of them.
const FIRST_LEVEL: usize = 22;
/// Lists a doubling, as many as a word of bitmap has bits.
const SECOND_LEVEL: usize = 32;

pub struct Rlsf(Tlsf<'static, u32, u32, FIRST_LEVEL, SECOND_LEVEL>);

impl Peer for Rlsf {
    fn name() -> &'static str {
        "rlsf"
    }

    fn version() -> String {
        env!("CRATE_rlsf_0_2").to_owned()
    }

    fn memory() -> Memory {
        Memory::Arena
    }

    unsafe fn open(region: Region) -> Self {
        let mut heap = Self(Tlsf::new());
        // SAFETY: passed on to the caller.
        assert!(unsafe { heap.add(region) }, "a pool fits into the region");
        heap
    }

    unsafe fn add(&mut self, region: Region) -> bool {
        let memory = NonNull::new(ptr::slice_from_raw_parts_mut(region.start, region.bytes));
        // SAFETY: the region is the heap's alone and outlives it.
        unsafe { self.0.insert_free_block_ptr(memory.expect("a region is not null")) }.is_some()
    }

    #[inline(never)]
    fn allocate(&mut self, size: usize, align: usize) -> *mut u8 {
        self.0.allocate(layout(size, align)).map_or(ptr::null_mut(), NonNull::as_ptr)
    }

    #[inline(never)]
    unsafe fn deallocate(&mut self, block: *mut u8, _size: usize, align: usize) {
        // SAFETY: the block was allocated by this heap with this alignment, so it is not null.
        unsafe { self.0.deallocate(NonNull::new_unchecked(block), align) };
    }

    #[inline(never)]
    unsafe fn reallocate(&mut self, block: *mut u8, _size: usize, align: usize, new_size: usize) -> *mut u8 {
        // SAFETY: the block was allocated by this heap with this alignment, so it is not null.
        unsafe { self.0.reallocate(NonNull::new_unchecked(block), layout(new_size, align)) }
            .map_or(ptr::null_mut(), NonNull::as_ptr)
    }
}
