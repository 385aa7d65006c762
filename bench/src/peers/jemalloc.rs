//! jemalloc, by the interface that takes sizes and alignments.

use std::ffi::{CStr, c_char, c_int};
use std::ptr;

use tikv_jemalloc_sys::{MALLOCX_ALIGN, mallctl, mallocx, rallocx, sdallocx};

use crate::arena::Region;
use crate::peer::{Memory, Peer, is_natural};

pub struct Jemalloc;

impl Peer for Jemalloc {
    fn name() -> &'static str {
        "jemalloc"
    }

    fn version() -> String {
        let mut text: *const c_char = ptr::null();
        let mut bytes = size_of_val(&text);
        // SAFETY: "version" is a string constant, read into a pointer to char.
        let error = unsafe { mallctl(c"version".as_ptr(), (&raw mut text).cast(), &raw mut bytes, ptr::null_mut(), 0) };
        assert_eq!(error, 0, "jemalloc tells its version");
        // SAFETY: jemalloc stored a static string.
        let version = unsafe { CStr::from_ptr(text) }.to_string_lossy();
        // 5.3.1-0-g81034ce1...: the rest names a commit.
        version.split('-').next().unwrap_or_default().to_owned()
    }

    fn memory() -> Memory {
        Memory::Own
    }

    unsafe fn open(_region: Region) -> Self {
        Self
    }

    #[inline]
    fn allocate(&mut self, size: usize, align: usize) -> *mut u8 {
        // SAFETY: the size is not zero.
        unsafe { mallocx(size, flags(size, align)) }.cast()
    }

    #[inline]
    unsafe fn deallocate(&mut self, block: *mut u8, size: usize, align: usize) {
        // SAFETY: the block was allocated by jemalloc, with this size and so with these flags.
        unsafe { sdallocx(block.cast(), size, flags(size, align)) };
    }

    #[inline]
    unsafe fn reallocate(&mut self, block: *mut u8, _size: usize, align: usize, new_size: usize) -> *mut u8 {
        // SAFETY: the block was allocated by jemalloc and the size is not zero.
        unsafe { rallocx(block.cast(), new_size, flags(new_size, align)) }.cast()
    }
}

#[inline]
fn flags(size: usize, align: usize) -> c_int {
    if is_natural(size, align) { 0 } else { MALLOCX_ALIGN(align) }
}
