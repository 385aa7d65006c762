//! A heap in a `static`, for all threads.

use crate::access::Access;
use crate::arena::{Arena, ArenaSource};
use crate::lock::{Guarded, Lock, SpinLock};
use crate::raw::Raw;
use crate::{Builder, Error, Heap, Stats};
use core::alloc::{GlobalAlloc, Layout};
use core::fmt;
use core::ptr::{self, NonNull};

/// What a [`GlobalHeap`] calls, without holding its lock, before a request fails. True has the request tried once more.
pub type GlobalRescueFn<L = SpinLock> = fn(&GlobalHeap<L>, Layout) -> bool;

/// A heap that is made when it is first used, and then used by one thread at a time. As a `static` it can be the `#[global_allocator]`.
///
/// ```
/// # #[cfg(feature = "os")]
/// # mod program {
/// use slabheap::GlobalHeap;
///
/// #[global_allocator]
/// static HEAP: GlobalHeap = GlobalHeap::mapped(1 << 30);
///
/// # pub
/// fn main() {
///     let numbers: Vec<u64> = (0..1_000_000).collect();
///     assert!(HEAP.stats().used_bytes >= 8 * numbers.len());
///     HEAP.check().expect("every invariant holds");
/// }
/// # }
/// # #[cfg(feature = "os")]
/// # program::main();
/// ```
///
/// Blocks are reallocated in place where that can be. A free that is refused is counted, and, with
/// [`InvalidFree::Abort`](crate::InvalidFree::Abort), ends the program.
///
/// Whoever holds the lock must not ask for it again: neither an interrupt handler that allocates (unless the [`Lock`] keeps interrupts
/// off), nor what is given to [`GlobalHeap::inspect`], nor a rescue that the [`Builder`] was given.
pub struct GlobalHeap<L: Lock = SpinLock> {
    heap: Guarded<L, State>,
    source: Source,
    builder: Builder<'static>,
    rescue: Option<GlobalRescueFn<L>>,
}

/// What the heap is made of when it is first used.
#[derive(Clone, Copy, Debug)]
enum Source {
    Nothing,
    #[cfg(feature = "os")]
    Mapped(usize),
    Arena(ArenaSource),
}

#[derive(Debug)]
enum State {
    Unmade,
    Made(Heap),
    /// It is not tried twice: what fails once would fail every time.
    Failed(Error),
}

impl<L: Lock> GlobalHeap<L> {
    const fn of(source: Source) -> Self {
        Self { heap: Guarded::new(State::Unmade), source, builder: Builder::new(), rescue: None }
    }

    /// A heap without memory: see [`GlobalHeap::add_memory`].
    pub const fn new() -> Self {
        Self::of(Source::Nothing)
    }

    /// A heap of `bytes` bytes mapped from the operating system, which take up room only where they are used.
    #[cfg(feature = "os")]
    pub const fn mapped(bytes: usize) -> Self {
        Self::of(Source::Mapped(bytes))
    }

    /// A heap of a static array, which nobody else may have taken.
    ///
    /// ```
    /// use slabheap::{Arena, GlobalHeap};
    ///
    /// static ARENA: Arena<{ 256 << 10 }> = Arena::new();
    /// static HEAP: GlobalHeap = GlobalHeap::over(&ARENA);
    /// ```
    pub const fn over<const BYTES: usize>(arena: &'static Arena<BYTES>) -> Self {
        Self::of(Source::Arena(arena.source()))
    }

    /// Chooses what the heap is made with.
    #[must_use]
    pub const fn with(mut self, builder: Builder<'static>) -> Self {
        self.builder = builder;
        self
    }

    /// Called before a request fails for want of memory, when no lock is held: it may free what it can spare, and add memory. If it
    /// allocates, and there is no memory for that either, it is called again. A panic in it aborts the program.
    #[must_use]
    pub const fn rescue(mut self, rescue: GlobalRescueFn<L>) -> Self {
        self.rescue = Some(rescue);
        self
    }

    /// Adds `bytes` bytes at `start`, of any alignment. If there is no heap, it is made of them.
    ///
    /// # Safety
    /// The memory can be read and written, and is used by nobody else, as long as the heap or a block of it is used.
    pub unsafe fn add_memory(&self, start: *mut u8, bytes: usize) -> Result<(), Error> {
        self.heap.with(|state| match state.made(self) {
            // SAFETY: the caller's promise.
            Ok(heap) => unsafe { heap.try_add_memory(start, bytes) },
            Err(_) => {
                // SAFETY: the caller's promise.
                *state = State::Made(unsafe { self.builder.at(start, bytes) }?);
                Ok(())
            }
        })
    }

    /// Adds `bytes` bytes mapped from the operating system. If there is no heap, it is made of them.
    #[cfg(feature = "os")]
    pub fn map_memory(&self, bytes: usize) -> Result<(), Error> {
        self.heap.with(|state| match state.made(self) {
            Ok(heap) => heap.map_memory(bytes),
            Err(_) => {
                *state = State::Made(self.builder.map(bytes)?);
                Ok(())
            }
        })
    }

    /// What the heap holds; all zero if there is none yet.
    pub fn stats(&self) -> Stats {
        self.inspect(Heap::stats).unwrap_or_default()
    }

    /// Checks every invariant. An error, too, if the heap could not be made.
    pub fn check(&self) -> Result<(), Error> {
        self.inspect(Heap::check)?
    }

    /// What [`Heap::trim`] does.
    pub fn trim(&self) -> usize {
        self.inspect(Heap::trim).unwrap_or(0)
    }

    /// Looks at the heap, under the lock; an error if there is none. If this heap is the global allocator, what looks must neither allocate nor
    /// panic: it would wait for itself for ever.
    pub fn inspect<R>(&self, look: impl FnOnce(&Heap) -> R) -> Result<R, Error> {
        self.heap.with(|state| state.made(self).map(|heap| look(heap)))
    }

    fn make(&self) -> Result<Heap, Error> {
        match self.source {
            Source::Nothing => Err(Error::OutOfMemory),
            #[cfg(feature = "os")]
            Source::Mapped(bytes) => self.builder.map(bytes),
            Source::Arena(arena) => self.builder.over(arena.take().ok_or(Error::Overlap)?),
        }
    }
}

impl State {
    fn made<L: Lock>(&mut self, global: &GlobalHeap<L>) -> Result<&mut Heap, Error> {
        if matches!(self, Self::Unmade) {
            *self = global.make().map_or_else(Self::Failed, Self::Made);
        }
        match self {
            Self::Made(heap) => Ok(heap),
            Self::Failed(error) => Err(*error),
            Self::Unmade => unreachable!("it was made above, or failed"),
        }
    }
}

impl<L: Lock> Access for GlobalHeap<L> {
    fn access<R>(&self, call: impl FnOnce(Raw) -> R) -> Option<R> {
        self.inspect(|heap| call(heap.raw())).ok()
    }

    fn rescue(&self, layout: Layout) -> bool {
        // A global allocator must not unwind.
        let bomb = AbortOnUnwind;
        let again = self.rescue.is_some_and(|rescue| rescue(self, layout));
        core::mem::forget(bomb);
        again
    }
}

/// A panic while another one unwinds ends the program.
struct AbortOnUnwind;

impl Drop for AbortOnUnwind {
    fn drop(&mut self) {
        panic!("a rescue must not panic");
    }
}

// SAFETY: blocks are the heap's, of at least the layout's size and alignment, and stay until they are freed, since a `GlobalHeap` never
// gives up its heap while it can be used. Nothing here unwinds: the locks promise not to, and a rescue that does aborts.
unsafe impl<L: Lock> GlobalAlloc for GlobalHeap<L> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        start_of(self.request(layout, |raw| raw.allocate(layout)))
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        start_of(self.request(layout, |raw| raw.allocate_zeroed(layout)))
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: nobody uses the block any more, says the caller. What is refused is counted; there is nobody to tell.
        let _ = self.access(|raw| unsafe { raw.deallocate(block, layout) });
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let Some(block) = NonNull::new(block) else { return ptr::null_mut() };
        // SAFETY: the alignment is a layout's, and the caller promises that the new size, rounded up to it, does not overflow.
        let new_layout = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
        // SAFETY: the caller lends the block. If it stays where it is, or is as it was, what is returned says so.
        start_of(self.request(new_layout, |raw| unsafe { raw.reallocate(block, layout, new_size) }))
    }
}

fn start_of(block: Option<NonNull<u8>>) -> *mut u8 {
    block.map_or(ptr::null_mut(), NonNull::as_ptr)
}

impl<L: Lock> Default for GlobalHeap<L> {
    fn default() -> Self {
        Self::new()
    }
}

impl<L: Lock> fmt::Debug for GlobalHeap<L> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("GlobalHeap").field("source", &self.source).field("stats", &self.stats()).finish()
    }
}
