//! A heap, as one owner or one thread uses it.

use crate::builder::Builder;
use crate::raw::Raw;
use crate::walk::{Blocks, Runs};
use crate::{AllocError, ClassStats, Error, Stats};
use core::alloc::Layout;
use core::cell::Cell;
use core::fmt;
use core::ops::ControlFlow;
use core::ptr::NonNull;
use slabheap_sys as sys;

/// A heap over memory that it was given or that it mapped.
///
/// It lies in that memory; what is held here is its address, so moving a `Heap` moves no block. A heap that mapped memory, now or by a
/// rescue, is ended when it is dropped, and then its memory, like every block in it, is gone. A heap over memory of somebody else's is just
/// forgotten, and the memory is theirs again.
///
/// The functions of `ax_slab_allocator` take a [`Layout`] and an address; those beside them that start with `try_` take pointers and give
/// reasons. All of them take `&mut self`. Collections that share a heap in one thread use it as `&Heap`, by the feature
/// `allocator-api2`; see [`soundness`](crate::soundness) for what keeps the two apart.
///
/// A call costs what the function of the same purpose does in the C header: constant for a block of a class, in proportion to the number
/// of runs for `trim`, `reset`, `blocks` and `runs`, to that of pages for `check`.
pub struct Heap {
    raw: Raw,
    /// Walks, and calls that change the heap, that go on through a `&Heap`.
    calls: Cell<usize>,
    /// Whether it has, or may have, mapped memory.
    has_mapped: bool,
}

// SAFETY: a heap has no ties to a thread, its callback is a plain function, and whoever gave it memory promised that it can be used.
unsafe impl Send for Heap {}

/// A call through a `&Heap`, until it is dropped.
struct Call<'a>(&'a Cell<usize>);

impl<'a> Call<'a> {
    fn enter(calls: &'a Cell<usize>) -> Self {
        calls.set(calls.get() + 1);
        Self(calls)
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

impl Heap {
    /// The choices that a heap can be made with.
    pub const fn builder<'a>() -> Builder<'a> {
        Builder::new()
    }

    /// # Safety
    /// As [`Heap::from_raw`]; `has_mapped` is true if the heap has mapped memory.
    pub(crate) unsafe fn of(raw: Raw, has_mapped: bool) -> Self {
        Self { raw, calls: Cell::new(0), has_mapped }
    }

    /// The heap of a pointer from the C interface, to be ended when it is dropped.
    ///
    /// # Safety
    /// Nobody else uses the heap as long as there is a `Heap` of it, and its memory stays until that is dropped. A callback that it was made
    /// with does nothing that [`Rescue`](crate::Rescue) does not offer.
    pub unsafe fn from_raw(heap: NonNull<sys::Heap>) -> Self {
        // SAFETY: the caller's promise.
        unsafe { Self::of(Raw::of(heap), true) }
    }

    /// The heap for the C interface, which is not ended any more when this is dropped.
    pub fn into_raw(self) -> *mut sys::Heap {
        let heap = self.as_ptr();
        core::mem::forget(self);
        heap
    }

    /// The heap for the C interface. What is done with it must keep the promises of the C header.
    pub fn as_ptr(&self) -> *mut sys::Heap {
        self.raw.as_ptr()
    }

    /// The heap, for a call through `&mut self` or through a lock, or to read.
    pub(crate) fn raw(&self) -> Raw {
        self.raw
    }

    /// Runs a call through `&self` that changes the heap.
    ///
    /// # Panics
    /// If the heap is being walked, or is in the midst of another such call, whose rescue this comes from.
    pub(crate) fn change<R>(&self, call: impl FnOnce(Raw) -> R) -> R {
        assert!(self.calls.get() == 0, "a heap is not changed while it is walked, or by its rescue");
        let _call = Call::enter(&self.calls);
        call(self.raw)
    }

    /// Runs a walk.
    pub(crate) fn walk<B>(&self, walk: impl FnOnce(Raw) -> ControlFlow<B>) -> ControlFlow<B> {
        let _call = Call::enter(&self.calls);
        walk(self.raw)
    }

    /// Adds `bytes` bytes at `start`, of any alignment. Regions may touch; a block never spans two of them.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`], [`Error::TooSmall`], [`Error::Overlap`] or [`Error::TooManyRegions`], and nothing has changed.
    ///
    /// # Safety
    /// The memory can be read and written, and is used by nobody else, until the heap and all that was allocated from it are gone.
    pub unsafe fn try_add_memory(&mut self, start: *mut u8, bytes: usize) -> Result<(), Error> {
        if start.is_null() {
            return Err(Error::InvalidArgument); // the C interface would map memory
        }
        // SAFETY: the caller's promise.
        unsafe { self.raw.add_memory(start, bytes) }
    }

    /// Adds `bytes` bytes mapped from the operating system.
    ///
    /// # Errors
    /// As [`Heap::try_add_memory`], or [`Error::OutOfMemory`].
    #[cfg(feature = "os")]
    pub fn map_memory(&mut self, bytes: usize) -> Result<(), Error> {
        self.has_mapped = true;
        // SAFETY: mapped memory is nobody else's.
        unsafe { self.raw.add_memory(crate::raw::MAPPED, bytes) }
    }

    /// Allocates a block of at least `layout.size()` bytes at a multiple of `layout.align()`; for 0 bytes, a distinct block of the smallest
    /// class. Its contents are not initialised.
    pub fn try_allocate(&mut self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        self.raw.allocate(layout).ok_or(AllocError)
    }

    /// Like [`Heap::try_allocate`], with the first `layout.size()` bytes zero.
    pub fn try_allocate_zeroed(&mut self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        self.raw.allocate_zeroed(layout).ok_or(AllocError)
    }

    /// Gives a block that was allocated with `layout` a new size, in place where it can. On failure the old block is as it was: there is no
    /// memory, or it is refused as [`Heap::try_deallocate`] would refuse it.
    ///
    /// # Safety
    /// If the block is a live one of this heap, nobody uses it any more but through the pointer that is returned.
    pub unsafe fn try_reallocate(
        &mut self,
        block: NonNull<u8>,
        layout: Layout,
        new_size: usize,
    ) -> Result<NonNull<u8>, AllocError> {
        // SAFETY: the caller's promise.
        unsafe { self.raw.reallocate(block, layout, new_size) }.ok_or(AllocError)
    }

    /// Frees a block that was allocated with this layout, or with another of the same class.
    ///
    /// A pointer that is no such block is refused with the reason and counted in [`Stats::rejected_frees`]; nothing else happens.
    ///
    /// # Safety
    /// If the block is a live one of this heap, nobody uses it any more.
    pub unsafe fn try_deallocate(&mut self, block: NonNull<u8>, layout: Layout) -> Result<(), Error> {
        // SAFETY: the caller's promise.
        unsafe { self.raw.deallocate(block.as_ptr(), layout) }
    }

    /// Like [`Heap::try_deallocate`], whatever layout the block was allocated with.
    ///
    /// # Safety
    /// If the block is a live one of this heap, nobody uses it any more.
    pub unsafe fn try_free(&mut self, block: NonNull<u8>) -> Result<(), Error> {
        // SAFETY: the caller's promise.
        unsafe { self.raw.free(block.as_ptr()) }
    }

    /// Frees every block at once. Regions, choices and counters stay.
    ///
    /// This is safe since whoever holds a block by way of `&Heap` keeps this from being called; blocks of the other functions are addresses
    /// and raw pointers, and there is no safe use of those.
    pub fn reset(&mut self) {
        // SAFETY: as just said.
        unsafe { self.raw.reset() }
    }

    /// Gives what is kept back to the pages, and free pages of mapped memory to the operating system. Returns the bytes that went back to
    /// that; of a heap without mapped memory, those of the sets that went to the pages.
    pub fn trim(&self) -> usize {
        self.change(Raw::trim)
    }

    /// How many bytes a live block of this heap holds; none if the pointer is not the start of one.
    pub fn block_size(&self, block: *const u8) -> Option<usize> {
        Some(self.raw.block_size(block)).filter(|bytes| *bytes != 0)
    }

    /// Every figure at once. Blocks and sets are not walked.
    pub fn stats(&self) -> Stats {
        self.raw.stats()
    }

    /// The figures of each size class, in ascending order of block size.
    ///
    /// ```
    /// # #[cfg(feature = "os")] {
    /// let heap = slabheap::Heap::builder().map(1 << 20)?;
    /// let sizes: Vec<usize> = heap.class_stats().map(|class| class.block_size).collect();
    /// assert_eq!(sizes, [64, 128, 256, 512, 1024, 2048, 4096]);
    /// # }
    /// # Ok::<(), slabheap::Error>(())
    /// ```
    pub fn class_stats(&self) -> impl Iterator<Item = ClassStats> {
        (0..self.raw.class_count()).map_while(|index| self.raw.class_stats(index))
    }

    /// The live blocks. While they are walked the heap is not changed: what tries to, through a `&Heap`, panics, and a panic during a
    /// walk aborts the program.
    ///
    /// ```
    /// # #[cfg(feature = "os")] {
    /// use slabheap::Heap;
    /// use std::alloc::Layout;
    ///
    /// let mut heap = Heap::builder().map(1 << 20)?;
    /// heap.try_allocate(Layout::new::<[u8; 100]>())?;
    /// heap.try_allocate(Layout::new::<[u8; 10_000]>())?;
    /// let mut sizes = Vec::new();
    /// heap.blocks().for_each(|block| sizes.push(block.bytes));
    /// sizes.sort();
    /// assert_eq!(sizes, [128, 12_288]);
    /// # }
    /// # Ok::<(), slabheap::Error>(())
    /// ```
    pub fn blocks(&self) -> Blocks<'_> {
        Blocks(self)
    }

    /// The runs of pages, which together are all pages of the heap. Walked like [`Heap::blocks`].
    pub fn runs(&self) -> Runs<'_> {
        Runs(self)
    }

    /// Walks all metadata and checks every invariant. Needs about 5 KiB of stack.
    ///
    /// # Errors
    /// [`Error::Corrupt`]; after that nothing is promised of the heap.
    pub fn check(&self) -> Result<(), Error> {
        self.raw.check()
    }
}

impl Drop for Heap {
    fn drop(&mut self) {
        if self.has_mapped {
            // SAFETY: collections that use the heap as `&Heap` are gone; of other blocks there is no safe use.
            unsafe { self.raw.destroy() }
        }
    }
}

impl fmt::Debug for Heap {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Heap").field("start", &self.as_ptr()).field("stats", &self.stats()).finish()
    }
}
