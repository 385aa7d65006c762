//! The functions of `ax_slab_allocator` 0.4: the same names and signatures.

use crate::{AllocError, Error, Heap};
use core::alloc::Layout;
use core::ptr;

/// Bytes that a heap of `ax_slab_allocator` has at least, and a multiple of.
const MIN_HEAP_BYTES: usize = 0x8000;

/// The pages that `ax_slab_allocator` wants memory to start with and to consist of.
const PAGE_BYTES: usize = 4096;

/// The functions of `ax_slab_allocator` 0.4.
impl Heap {
    /// Makes a classic heap of `size` bytes at `start`. See [`Heap::builder`] for one of any alignment and size, and one that fails with a
    /// reason.
    ///
    /// # Panics
    /// Unless `start` is a multiple of 4096 and `size` one of 32 KiB, and not 0.
    ///
    /// # Safety
    /// The memory can be read and written, and is used by nobody else, as long as the heap or a block of it is used.
    pub unsafe fn new(start: usize, size: usize) -> Self {
        assert!(start % PAGE_BYTES == 0, "Start address should be page aligned");
        assert!(size >= MIN_HEAP_BYTES, "Heap size should be greater or equal to minimum heap size");
        assert!(size % MIN_HEAP_BYTES == 0, "Heap size should be a multiple of minimum heap size");
        // SAFETY: the caller's promise.
        let heap = unsafe { Heap::builder().at(ptr::with_exposed_provenance_mut(start), size) };
        heap.unwrap_or_else(|error| panic!("a heap of {size} bytes at {start:#x}: {error}"))
    }

    /// Adds `size` bytes at `start`. Memory that is too small to hold a page beside what the heap has to know of it is left alone.
    ///
    /// # Panics
    /// Unless both are multiples of 4096; if the memory overlaps what the heap has; if the heap has 64 regions.
    ///
    /// # Safety
    /// As [`Heap::new`].
    pub unsafe fn add_memory(&mut self, start: usize, size: usize) {
        assert!(start % PAGE_BYTES == 0, "Start address should be page aligned");
        assert!(size % PAGE_BYTES == 0, "Add Heap size should be a multiple of page size");
        // SAFETY: the caller's promise.
        match unsafe { self.try_add_memory(ptr::with_exposed_provenance_mut(start), size) } {
            Ok(()) | Err(Error::TooSmall) => {}
            Err(error) => panic!("{size} more bytes at {start:#x}: {error}"),
        }
    }

    /// Allocates a block and returns its address.
    pub fn allocate(&mut self, layout: Layout) -> Result<usize, AllocError> {
        self.try_allocate(layout).map(|block| block.as_ptr().expose_provenance())
    }

    /// Frees the block at an address. What is no block of this layout is refused, and counted in [`Stats::rejected_frees`];
    /// [`Heap::try_deallocate`] says why.
    ///
    /// # Safety
    /// If there is a live block of this heap, nobody uses it any more.
    ///
    /// [`Stats::rejected_frees`]: crate::Stats::rejected_frees
    pub unsafe fn deallocate(&mut self, ptr: usize, layout: Layout) {
        // SAFETY: the caller's promise.
        let _ = unsafe { self.raw().deallocate(ptr::with_exposed_provenance_mut(ptr), layout) };
    }

    /// What a request asks for, and what its block would hold.
    pub fn usable_size(&self, layout: Layout) -> (usize, usize) {
        self.raw().usable_size(layout)
    }

    /// The bytes of all pages: what the heap could hand out if it were empty.
    pub fn total_bytes(&self) -> usize {
        self.raw().total_bytes()
    }

    /// The bytes of live blocks, each counted as what it holds.
    pub fn used_bytes(&self) -> usize {
        self.raw().used_bytes()
    }

    /// The bytes that are not used.
    pub fn available_bytes(&self) -> usize {
        self.raw().available_bytes()
    }
}
