//! The C library's malloc.

use std::ffi::CStr;

use crate::arena::Region;
use crate::peer::{Memory, Peer, is_natural, move_block};

pub struct Glibc;

impl Peer for Glibc {
    fn name() -> &'static str {
        "glibc"
    }

    fn version() -> String {
        // SAFETY: the text is static.
        unsafe { CStr::from_ptr(libc::gnu_get_libc_version()) }.to_string_lossy().into_owned()
    }

    fn memory() -> Memory {
        Memory::Own
    }

    unsafe fn open(_region: Region) -> Self {
        Self
    }

    #[inline]
    fn allocate(&mut self, size: usize, align: usize) -> *mut u8 {
        // SAFETY: neither has preconditions; the alignment is a power of two.
        let block = unsafe { if is_natural(size, align) { libc::malloc(size) } else { libc::memalign(align, size) } };
        block.cast()
    }

    #[inline]
    unsafe fn deallocate(&mut self, block: *mut u8, _size: usize, _align: usize) {
        // SAFETY: the block was allocated by malloc or memalign.
        unsafe { libc::free(block.cast()) };
    }

    #[inline]
    unsafe fn reallocate(&mut self, block: *mut u8, size: usize, align: usize, new_size: usize) -> *mut u8 {
        if !is_natural(new_size, align) {
            // SAFETY: passed on to the caller.
            return unsafe { move_block(self, block, size, align, new_size) };
        }
        // SAFETY: the block was allocated by malloc.
        unsafe { libc::realloc(block.cast(), new_size) }.cast()
    }
}
