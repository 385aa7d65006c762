//! The choices that a heap is made with.

use crate::heap::Heap;
use crate::raw::{self, MAPPED, Raw};
use crate::rescue::{RescueFn, call_rescue};
use crate::{Error, FreedRuns, HugePages, InvalidFree, PageLayer, Preset};
use core::mem::MaybeUninit;
use slabheap_sys::HeapOptions;

/// What a heap is made with, each choice by itself, and then the memory that it is made of.
///
/// ```
/// # #[cfg(feature = "os")] {
/// use slabheap::{Heap, Preset};
///
/// let heap = Heap::builder().preset(Preset::Compact).page_bytes(4096).map(1 << 20)?;
/// assert!(heap.available_bytes() > 1_000_000);
/// # }
/// # Ok::<(), slabheap::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use = "a builder makes nothing until it is given memory"]
pub struct Builder<'a> {
    preset: Preset,
    page_layer: PageLayer,
    classes: Option<&'a [usize]>,
    set_blocks: usize,
    page_bytes: usize,
    invalid_free: InvalidFree,
    freed_runs: FreedRuns,
    huge_pages: HugePages,
    rescue: Option<RescueFn>,
}

impl<'a> Builder<'a> {
    /// The classic preset, invalid frees reported, no rescue.
    pub const fn new() -> Self {
        Self {
            preset: Preset::Classic,
            page_layer: PageLayer::Preset,
            classes: None,
            set_blocks: 0,
            page_bytes: 0,
            invalid_free: InvalidFree::Report,
            freed_runs: FreedRuns::Kept,
            huge_pages: HugePages::System,
            rescue: None,
        }
    }

    /// Where the choices that are not made come from.
    pub const fn preset(mut self, preset: Preset) -> Self {
        self.preset = preset;
        self
    }

    /// What hands out runs of pages.
    pub const fn page_layer(mut self, page_layer: PageLayer) -> Self {
        self.page_layer = page_layer;
        self
    }

    /// The size classes: block sizes in bytes, ascending, 8 to 65536, at most 128 of them. A block is aligned to the largest power of
    /// two that divides its size, up to a page: one of 48 bytes, to 16.
    pub const fn classes(mut self, classes: &'a [usize]) -> Self {
        self.classes = Some(classes);
        self
    }

    /// The blocks that a set aims at, 1 to 64; 0 is the preset's choice.
    pub const fn set_blocks(mut self, set_blocks: usize) -> Self {
        self.set_blocks = set_blocks;
        self
    }

    /// Bytes of a page: a power of two, 512 to 65536; 0 is the preset's choice.
    pub const fn page_bytes(mut self, page_bytes: usize) -> Self {
        self.page_bytes = page_bytes;
        self
    }

    /// What to do about invalid frees, beside counting them. [`InvalidFree::Abort`] says which and why by the feature `os`; without it,
    /// it traps without a message.
    pub const fn invalid_free(mut self, invalid_free: InvalidFree) -> Self {
        self.invalid_free = invalid_free;
        self
    }

    /// What becomes of freed runs of pages: kept a while for speed, though one call may have 512 of them to merge, or merged at once.
    pub const fn freed_runs(mut self, freed_runs: FreedRuns) -> Self {
        self.freed_runs = freed_runs;
        self
    }

    /// Whether memory that is mapped from the operating system, now or later, is to be backed by huge pages. It is advice, without effect
    /// on a system that has none, and on memory that is given.
    pub const fn huge_pages(mut self, huge_pages: HugePages) -> Self {
        self.huge_pages = huge_pages;
        self
    }

    /// Called before a request fails for want of memory; true has the request tried once more. See [`Rescue`](crate::Rescue).
    pub const fn rescue(mut self, rescue: RescueFn) -> Self {
        self.rescue = Some(rescue);
        self
    }

    /// Makes a heap of `bytes` bytes mapped from the operating system, which takes up room only where it is used. They are unmapped when
    /// the heap is dropped.
    #[cfg(feature = "os")]
    pub fn map(&self, bytes: usize) -> Result<Heap, Error> {
        // SAFETY: mapped memory is nobody else's, and no block of it can be used in safe code when the heap is gone.
        unsafe { self.make(MAPPED, bytes) }
    }

    /// Makes a heap of memory that is its own for good. An [`Arena`](crate::Arena) is a source of such memory.
    pub fn over(&self, memory: &'static mut [MaybeUninit<u8>]) -> Result<Heap, Error> {
        // SAFETY: the only reference to the memory is given up here, and it lives for ever.
        unsafe { self.at(memory.as_mut_ptr().cast(), memory.len()) }
    }

    /// Makes a heap of `bytes` bytes at `start`, of any alignment.
    ///
    /// # Safety
    /// The memory can be read and written, and is used by nobody else, until the heap and all that was allocated from it are gone.
    pub unsafe fn at(&self, start: *mut u8, bytes: usize) -> Result<Heap, Error> {
        if start.is_null() {
            return Err(Error::InvalidArgument); // the C interface would map memory
        }
        // SAFETY: the caller's promise.
        unsafe { self.make(start, bytes) }
    }

    /// # Safety
    /// As [`Builder::at`], unless `start` is `MAPPED`.
    unsafe fn make(&self, start: *mut u8, bytes: usize) -> Result<Heap, Error> {
        let options = HeapOptions { memory: start.cast(), bytes, ..self.options() };
        if let Some(problem) = raw::problem_of(&options) {
            return Err(Error::InvalidOption(problem));
        }
        // SAFETY: the caller's promise for the memory; `call_rescue` gets the context that it needs.
        let raw = unsafe { Raw::new(&options) }?;
        // SAFETY: the heap was made just now, so nobody else uses it. What a rescue maps has to be unmapped.
        Ok(unsafe { Heap::of(raw, start == MAPPED || self.rescue.is_some()) })
    }

    fn options(&self) -> HeapOptions {
        let mut options = raw::default_options();
        options.preset = self.preset;
        options.pages = self.page_layer;
        if let Some(classes) = self.classes {
            options.classes = classes.as_ptr();
            options.class_count = classes.len();
        }
        options.set_blocks = self.set_blocks;
        options.page_bytes = self.page_bytes;
        options.invalid_free = self.invalid_free;
        options.freed_runs = self.freed_runs;
        options.huge_pages = self.huge_pages;
        if let Some(rescue) = self.rescue {
            options.out_of_memory = Some(call_rescue);
            options.context = rescue as *mut _;
        }
        options
    }
}

impl Default for Builder<'_> {
    fn default() -> Self {
        Self::new()
    }
}
