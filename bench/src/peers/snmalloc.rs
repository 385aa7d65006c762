//! snmalloc, by the interface made for Rust, which passes sizes and alignments.

use snmalloc_sys::{sn_rust_alloc, sn_rust_dealloc, sn_rust_realloc};

use crate::arena::Region;
use crate::peer::{Memory, Peer};

pub struct Snmalloc;

impl Peer for Snmalloc {
    fn name() -> &'static str {
        "snmalloc"
    }

    fn version() -> String {
        env!("CRATE_snmalloc_sys_0_7").to_owned()
    }

    fn memory() -> Memory {
        Memory::Own
    }

    unsafe fn open(_region: Region) -> Self {
        Self
    }

    #[inline]
    fn allocate(&mut self, size: usize, align: usize) -> *mut u8 {
        // SAFETY: the alignment is a power of two.
        unsafe { sn_rust_alloc(align, size) }.cast()
    }

    #[inline]
    unsafe fn deallocate(&mut self, block: *mut u8, size: usize, align: usize) {
        // SAFETY: the block was allocated by snmalloc with this size and alignment.
        unsafe { sn_rust_dealloc(block.cast(), align, size) };
    }

    #[inline]
    unsafe fn reallocate(&mut self, block: *mut u8, size: usize, align: usize, new_size: usize) -> *mut u8 {
        // SAFETY: the block was allocated by snmalloc with this size and alignment.
        unsafe { sn_rust_realloc(block.cast(), align, size, new_size) }.cast()
    }
}
