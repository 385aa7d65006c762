//! Memory for heaps where there is no operating system to ask.

use core::cell::UnsafeCell;
use core::fmt;
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicBool, Ordering};

/// A static array for one heap.
///
/// ```
/// use slabheap::{Arena, Heap};
///
/// static ARENA: Arena<{ 1 << 20 }> = Arena::new();
///
/// let heap = Heap::builder().over(ARENA.take().expect("it was not taken before"))?;
/// assert!(heap.total_bytes() > 1_000_000);
/// assert!(ARENA.take().is_none());
/// # Ok::<(), slabheap::Error>(())
/// ```
#[repr(C, align(64))] // as the heap aligns what it knows
pub struct Arena<const BYTES: usize> {
    memory: UnsafeCell<[MaybeUninit<u8>; BYTES]>,
    is_taken: AtomicBool,
}

// SAFETY: only who takes the memory can reach it, and only one can.
unsafe impl<const BYTES: usize> Sync for Arena<BYTES> {}

impl<const BYTES: usize> Arena<BYTES> {
    /// Memory that nobody has taken.
    pub const fn new() -> Self {
        Self { memory: UnsafeCell::new([MaybeUninit::uninit(); BYTES]), is_taken: AtomicBool::new(false) }
    }

    /// The memory, for whoever asks first.
    pub fn take(&'static self) -> Option<&'static mut [MaybeUninit<u8>]> {
        self.source().take()
    }

    pub(crate) const fn source(&'static self) -> ArenaSource {
        ArenaSource { memory: self.memory.get(), is_taken: &self.is_taken }
    }
}

impl<const BYTES: usize> Default for Arena<BYTES> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const BYTES: usize> fmt::Debug for Arena<BYTES> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Arena").field("bytes", &BYTES).field("is_taken", &self.is_taken).finish()
    }
}

/// An arena of any size.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ArenaSource {
    memory: *mut [MaybeUninit<u8>],
    is_taken: &'static AtomicBool,
}

// SAFETY: the arena is static, so it is there for every thread, and `take` gives its memory to one of them, once; the pointer is good for
// nothing else.
unsafe impl Send for ArenaSource {}

// SAFETY: as above.
unsafe impl Sync for ArenaSource {}

impl ArenaSource {
    pub fn take(self) -> Option<&'static mut [MaybeUninit<u8>]> {
        // Whoever takes it needs nothing that happened before.
        let was_taken = self.is_taken.swap(true, Ordering::Relaxed);
        // SAFETY: the arena is static, and this happens once.
        (!was_taken).then(|| unsafe { &mut *self.memory })
    }
}
