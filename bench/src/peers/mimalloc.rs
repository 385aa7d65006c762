//! mimalloc 3, twice: the process's heap, and a heap made for the purpose.

use libmimalloc_sys::{
    mi_free, mi_heap_destroy, mi_heap_malloc, mi_heap_malloc_aligned, mi_heap_new, mi_heap_realloc, mi_heap_realloc_aligned,
    mi_heap_t, mi_malloc, mi_malloc_aligned, mi_realloc, mi_realloc_aligned, mi_version,
};

use crate::arena::Region;
use crate::peer::{Memory, Peer, is_natural};

pub struct Global;

impl Peer for Global {
    fn name() -> &'static str {
        "mimalloc"
    }

    fn version() -> String {
        version()
    }

    fn memory() -> Memory {
        Memory::Own
    }

    unsafe fn open(_region: Region) -> Self {
        Self
    }

    #[inline]
    fn allocate(&mut self, size: usize, align: usize) -> *mut u8 {
        // SAFETY: neither has preconditions.
        let block = unsafe { if is_natural(size, align) { mi_malloc(size) } else { mi_malloc_aligned(size, align) } };
        block.cast()
    }

    #[inline]
    unsafe fn deallocate(&mut self, block: *mut u8, _size: usize, _align: usize) {
        // SAFETY: the block was allocated by mimalloc.
        unsafe { mi_free(block.cast()) };
    }

    #[inline]
    unsafe fn reallocate(&mut self, block: *mut u8, _size: usize, align: usize, new_size: usize) -> *mut u8 {
        // SAFETY: the block was allocated by mimalloc.
        let moved = unsafe {
            if is_natural(new_size, align) {
                mi_realloc(block.cast(), new_size)
            } else {
                mi_realloc_aligned(block.cast(), new_size, align)
            }
        };
        moved.cast()
    }
}

pub struct PrivateHeap(*mut mi_heap_t);

impl Peer for PrivateHeap {
    fn name() -> &'static str {
        "mimalloc-heap"
    }

    fn version() -> String {
        version()
    }

    fn memory() -> Memory {
        Memory::Own
    }

    unsafe fn open(_region: Region) -> Self {
        // SAFETY: it has no preconditions.
        let heap = unsafe { mi_heap_new() };
        assert!(!heap.is_null(), "mimalloc makes a heap");
        Self(heap)
    }

    #[inline]
    fn allocate(&mut self, size: usize, align: usize) -> *mut u8 {
        // SAFETY: the heap is live.
        let block = unsafe {
            if is_natural(size, align) { mi_heap_malloc(self.0, size) } else { mi_heap_malloc_aligned(self.0, size, align) }
        };
        block.cast()
    }

    #[inline]
    unsafe fn deallocate(&mut self, block: *mut u8, _size: usize, _align: usize) {
        // SAFETY: the block was allocated by mimalloc.
        unsafe { mi_free(block.cast()) };
    }

    #[inline]
    unsafe fn reallocate(&mut self, block: *mut u8, _size: usize, align: usize, new_size: usize) -> *mut u8 {
        // SAFETY: the block was allocated by this heap, which is live.
        let moved = unsafe {
            if is_natural(new_size, align) {
                mi_heap_realloc(self.0, block.cast(), new_size)
            } else {
                mi_heap_realloc_aligned(self.0, block.cast(), new_size, align)
            }
        };
        moved.cast()
    }
}

impl Drop for PrivateHeap {
    fn drop(&mut self) {
        // SAFETY: the heap is live, and neither it nor its blocks are used from here on.
        unsafe { mi_heap_destroy(self.0) };
    }
}

/// mimalloc tells 3.3.2 as 30302.
fn version() -> String {
    // SAFETY: it has no preconditions.
    let number = unsafe { mi_version() };
    format!("{}.{}.{}", number / 10_000, number / 100 % 100, number % 100)
}
