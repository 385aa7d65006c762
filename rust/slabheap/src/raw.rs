//! The C interface in Rust's types, each function once. What a call does, costs and refuses stands with the declarations.

use crate::{Block, ClassStats, Error, Run, Stats};
use core::alloc::Layout;
use core::ffi::{CStr, c_char, c_void};
use core::ops::ControlFlow;
use core::ptr::NonNull;
use slabheap_sys as sys;

/// The address of a heap. Whoever holds one has seen to it that the heap is alive and that nobody else uses it meanwhile, but to read
/// it while the holder, too, only reads: that is what the `SAFETY` reasons below rest on.
#[derive(Clone, Copy)]
pub(crate) struct Raw(NonNull<sys::Heap>);

/// The memory of a heap that is to map its own.
pub(crate) const MAPPED: *mut u8 = core::ptr::null_mut();

impl Raw {
    /// # Safety
    /// As the type says, as long as there are copies of it.
    pub unsafe fn of(heap: NonNull<sys::Heap>) -> Self {
        Self(heap)
    }

    /// # Safety
    /// The memory in the options is null, or the heap's alone as long as anyone uses the heap or its blocks. A callback in them is sound
    /// to call.
    pub unsafe fn new(options: &sys::HeapOptions) -> Result<Self, Error> {
        let mut heap = core::ptr::null_mut();
        // SAFETY: the options live, and the caller answers for the memory in them.
        let status = unsafe { sys::heap_new_with(options, &mut heap) };
        Error::check(status)?;
        NonNull::new(heap).map(Self).ok_or(Error::Corrupt)
    }

    pub fn as_ptr(self) -> *mut sys::Heap {
        self.0.as_ptr()
    }

    /// # Safety
    /// Nobody uses the heap or its blocks any more.
    pub unsafe fn destroy(self) {
        // SAFETY: see `Raw`; the caller answers for the blocks.
        unsafe { sys::heap_destroy(self.as_ptr()) }
    }

    /// # Safety
    /// The memory is `MAPPED`, or the heap's alone as long as anyone uses the heap or its blocks.
    pub unsafe fn add_memory(self, start: *mut u8, bytes: usize) -> Result<(), Error> {
        // SAFETY: see `Raw`; the caller answers for the memory.
        Error::check(unsafe { sys::heap_add_memory(self.as_ptr(), start.cast(), bytes) })
    }

    pub fn allocate(self, layout: Layout) -> Option<NonNull<u8>> {
        // SAFETY: see `Raw`.
        NonNull::new(unsafe { sys::heap_allocate(self.as_ptr(), layout.size(), layout.align()) }.cast())
    }

    pub fn allocate_zeroed(self, layout: Layout) -> Option<NonNull<u8>> {
        // SAFETY: see `Raw`.
        NonNull::new(unsafe { sys::heap_allocate_zeroed(self.as_ptr(), layout.size(), layout.align()) }.cast())
    }

    /// # Safety
    /// If the block is a live one of this heap, nobody uses it any more, or only what is returned.
    pub unsafe fn reallocate(self, block: NonNull<u8>, layout: Layout, new_size: usize) -> Option<NonNull<u8>> {
        let (size, align) = (layout.size(), layout.align());
        // SAFETY: see `Raw`; the caller answers for the block, and what is not a block is refused.
        NonNull::new(unsafe { sys::heap_reallocate(self.as_ptr(), block.as_ptr().cast(), size, align, new_size) }.cast())
    }

    /// # Safety
    /// If the block is a live one of this heap, nobody uses it any more.
    pub unsafe fn deallocate(self, block: *mut u8, layout: Layout) -> Result<(), Error> {
        // SAFETY: see `Raw`; the caller answers for the block, and what is not a block is refused.
        Error::check(unsafe { sys::heap_deallocate(self.as_ptr(), block.cast(), layout.size(), layout.align()) })
    }

    /// # Safety
    /// As `deallocate`.
    pub unsafe fn free(self, block: *mut u8) -> Result<(), Error> {
        // SAFETY: see `Raw`; the caller answers for the block, and what is not a block is refused.
        Error::check(unsafe { sys::heap_free(self.as_ptr(), block.cast()) })
    }

    /// # Safety
    /// Nobody uses a block of this heap any more.
    pub unsafe fn reset(self) {
        // SAFETY: see `Raw`; the caller answers for the blocks. The status says only that the heap is not null.
        let _ = unsafe { sys::heap_reset(self.as_ptr()) };
    }

    pub fn trim(self) -> usize {
        // SAFETY: see `Raw`.
        unsafe { sys::heap_trim(self.as_ptr()) }
    }

    pub fn usable_size(self, layout: Layout) -> (usize, usize) {
        // SAFETY: see `Raw`.
        let bounds = unsafe { sys::heap_usable_size(self.as_ptr(), layout.size(), layout.align()) };
        (bounds.min, bounds.max)
    }

    pub fn block_size(self, block: *const u8) -> usize {
        // SAFETY: see `Raw`; the pointer may be any.
        unsafe { sys::heap_block_size(self.as_ptr(), block.cast()) }
    }

    pub fn total_bytes(self) -> usize {
        // SAFETY: see `Raw`.
        unsafe { sys::heap_total_bytes(self.as_ptr()) }
    }

    pub fn used_bytes(self) -> usize {
        // SAFETY: see `Raw`.
        unsafe { sys::heap_used_bytes(self.as_ptr()) }
    }

    pub fn available_bytes(self) -> usize {
        // SAFETY: see `Raw`.
        unsafe { sys::heap_available_bytes(self.as_ptr()) }
    }

    pub fn stats(self) -> Stats {
        // SAFETY: see `Raw`.
        unsafe { sys::heap_stats(self.as_ptr()) }
    }

    pub fn class_count(self) -> usize {
        // SAFETY: see `Raw`.
        unsafe { sys::heap_class_count(self.as_ptr()) }
    }

    /// None behind the last class.
    pub fn class_stats(self, index: usize) -> Option<ClassStats> {
        let mut stats = ClassStats::default();
        // SAFETY: see `Raw`; the figures go to a local.
        let status = unsafe { sys::heap_class_stats(self.as_ptr(), index, &mut stats) };
        Error::check(status).ok().map(|()| stats)
    }

    pub fn check(self) -> Result<(), Error> {
        // SAFETY: see `Raw`.
        Error::check(unsafe { sys::heap_check(self.as_ptr()) })
    }

    /// Calls `visit`, which must not change the heap, for every live block.
    pub fn visit_blocks<B>(self, visit: impl FnMut(Block) -> ControlFlow<B>) -> ControlFlow<B> {
        let mut walk = Walk { visit, result: ControlFlow::Continue(()) };
        let callback = on_block(&walk);
        // SAFETY: see `Raw`; the callback gets the context that it was made for. The status says only that nothing is null.
        let _ = unsafe { sys::heap_visit(self.as_ptr(), Some(callback), (&raw mut walk).cast()) };
        walk.result
    }

    /// Like `visit`, for every run.
    pub fn visit_runs<B>(self, visit: impl FnMut(&Run) -> ControlFlow<B>) -> ControlFlow<B> {
        let mut walk = Walk { visit, result: ControlFlow::Continue(()) };
        let callback = on_run(&walk);
        // SAFETY: see `Raw`; the callback gets the context that it was made for. The status says only that nothing is null.
        let _ = unsafe { sys::heap_visit_runs(self.as_ptr(), Some(callback), (&raw mut walk).cast()) };
        walk.result
    }
}

/// What a walk carries along.
struct Walk<F, B> {
    visit: F,
    result: ControlFlow<B>,
}

impl<F, B> Walk<F, B> {
    /// Whether the walk goes on.
    fn step(&mut self, visit: impl FnOnce(&mut F) -> ControlFlow<B>) -> bool {
        self.result = visit(&mut self.visit);
        self.result.is_continue()
    }
}

type OnBlock = unsafe extern "C" fn(*mut c_void, *mut c_void, usize) -> bool;
type OnRun = unsafe extern "C" fn(*mut c_void, *const Run) -> bool;

/// The callback for a walk of this type.
fn on_block<B, F: FnMut(Block) -> ControlFlow<B>>(_: &Walk<F, B>) -> OnBlock {
    unsafe extern "C" fn call<B, F: FnMut(Block) -> ControlFlow<B>>(
        context: *mut c_void,
        block: *mut c_void,
        bytes: usize,
    ) -> bool {
        // SAFETY: the context is the walk, which nobody else looks at during the call.
        let walk = unsafe { &mut *context.cast::<Walk<F, B>>() };
        walk.step(|visit| visit(Block { start: block.cast(), bytes }))
    }
    call::<B, F>
}

/// The callback for a walk of this type.
fn on_run<B, F: FnMut(&Run) -> ControlFlow<B>>(_: &Walk<F, B>) -> OnRun {
    unsafe extern "C" fn call<B, F: FnMut(&Run) -> ControlFlow<B>>(context: *mut c_void, run: *const Run) -> bool {
        // SAFETY: the context is the walk, which nobody else looks at during the call.
        let walk = unsafe { &mut *context.cast::<Walk<F, B>>() };
        // SAFETY: the run lives during the call.
        let run = unsafe { &*run };
        walk.step(|visit| visit(run))
    }
    call::<B, F>
}

/// Options that are all defaults.
pub(crate) fn default_options() -> sys::HeapOptions {
    // SAFETY: a function of no arguments.
    unsafe { sys::heap_options_default() }
}

/// What is wrong with the options, in words.
pub(crate) fn problem_of(options: &sys::HeapOptions) -> Option<&'static str> {
    // SAFETY: the options live.
    let problem = unsafe { sys::heap_options_problem(options) };
    // SAFETY: null, or a static text.
    (!problem.is_null()).then(|| unsafe { text(problem) })
}

/// A status in words.
pub(crate) fn message_of(status: sys::HeapStatus) -> &'static str {
    // SAFETY: every number is allowed; the answer is a static text.
    unsafe { text(sys::heap_status_message(status)) }
}

/// The version of the library, as "1.2.3". It is that of this crate unless another library was linked.
pub fn version() -> &'static str {
    // SAFETY: a static text.
    unsafe { text(sys::heap_version()) }
}

/// # Safety
/// A text that is never written and never freed.
unsafe fn text(start: *const c_char) -> &'static str {
    // SAFETY: the caller's promise.
    let text = unsafe { CStr::from_ptr(start) };
    text.to_str().unwrap_or("(a text that is not UTF-8)")
}
