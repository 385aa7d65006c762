//! A heap with several owners.

use crate::access::Access;
use crate::lock::{Guarded, Lock, SpinLock};
use crate::raw::Raw;
use crate::{Error, Heap, Stats};
use core::alloc::Layout;
use core::fmt;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering, fence};

/// A heap that belongs to all of its handles, on any threads, and is used by one of them at a time. It goes when the last handle goes; each
/// collection that was made in it holds one.
///
/// It allocates by the trait `Allocator` only, so it is there by the feature `allocator-api2`.
///
/// ```
/// # #[cfg(feature = "os")] {
/// use allocator_api2::vec::Vec;
/// use slabheap::{Heap, SharedHeap};
///
/// let heap: SharedHeap = SharedHeap::new(Heap::builder().map(1 << 20)?).expect("there is room for the count of handles");
/// let mut numbers = Vec::new_in(heap.clone());
/// let thread = std::thread::spawn(move || {
///     numbers.extend(0..1000);
///     numbers
/// });
/// assert_eq!(thread.join().unwrap().len(), 1000);
/// heap.check()?;
/// # }
/// # Ok::<(), slabheap::Error>(())
/// ```
pub struct SharedHeap<L: Lock = SpinLock> {
    shared: NonNull<Shared<L>>,
}

/// What the handles share. It lies in a block of the heap itself.
struct Shared<L> {
    handles: AtomicUsize,
    heap: Guarded<L, Heap>,
}

/// Far more than there can be, were none forgotten; far from wrapping around.
const MAX_HANDLES: usize = usize::MAX / 2;

// SAFETY: the count is atomic, and the heap, which can go from thread to thread, is used under the lock.
unsafe impl<L: Lock + Send + Sync> Send for SharedHeap<L> {}

// SAFETY: as above.
unsafe impl<L: Lock + Send + Sync> Sync for SharedHeap<L> {}

impl<L: Lock> SharedHeap<L> {
    /// Shares a heap. What the handles share takes a block of it, which its figures include.
    ///
    /// Without memory for that block, gives the heap back.
    pub fn new(mut heap: Heap) -> Result<Self, Heap> {
        let Ok(block) = heap.try_allocate(Layout::new::<Shared<L>>()) else { return Err(heap) };
        let shared = block.cast();
        // SAFETY: a fresh block of this layout.
        unsafe { shared.write(Shared { handles: AtomicUsize::new(1), heap: Guarded::new(heap) }) };
        Ok(Self { shared })
    }

    /// What the heap holds.
    pub fn stats(&self) -> Stats {
        self.inspect(Heap::stats)
    }

    /// Checks every invariant.
    pub fn check(&self) -> Result<(), Error> {
        self.inspect(Heap::check)
    }

    /// What [`Heap::trim`] does.
    pub fn trim(&self) -> usize {
        self.inspect(Heap::trim)
    }

    /// Looks at the heap, under the lock. What looks must not use a handle of it: it would wait for itself for ever.
    pub fn inspect<R>(&self, look: impl FnOnce(&Heap) -> R) -> R {
        self.shared().heap.with(|heap| look(heap))
    }

    fn shared(&self) -> &Shared<L> {
        // SAFETY: it lives until the last handle goes.
        unsafe { self.shared.as_ref() }
    }
}

impl<L: Lock> Access for SharedHeap<L> {
    fn access<R>(&self, call: impl FnOnce(Raw) -> R) -> Option<R> {
        Some(self.inspect(|heap| call(heap.raw())))
    }
}

impl<L: Lock> Clone for SharedHeap<L> {
    fn clone(&self) -> Self {
        // Who clones has a handle, so the heap is there; nothing else has to be seen.
        let handles = self.shared().handles.fetch_add(1, Ordering::Relaxed);
        assert!(handles <= MAX_HANDLES, "a heap has at most {MAX_HANDLES} handles");
        Self { shared: self.shared }
    }
}

impl<L: Lock> Drop for SharedHeap<L> {
    fn drop(&mut self) {
        // What other handles did happens before the heap goes.
        if self.shared().handles.fetch_sub(1, Ordering::Release) != 1 {
            return;
        }
        fence(Ordering::Acquire);
        // SAFETY: this was the last handle. The heap is moved out of the block before its memory, and so the block, may be unmapped.
        drop(unsafe { self.shared.read() });
    }
}

impl<L: Lock> fmt::Debug for SharedHeap<L> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inspect(|heap| formatter.debug_tuple("SharedHeap").field(heap).finish())
    }
}
